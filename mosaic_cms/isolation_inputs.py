"""What the isolation harness asks with: names that somebody could know, in every place that takes
one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mosaic_cms.api.shapes import Shape
from mosaic_core.testing.asgi import Answer

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def names_in(answers: Iterable[Answer]) -> set[str]:
    """What somebody could have got hold of: ids, paths and whatever else names a thing."""
    found: set[str] = set()
    for answer in answers:
        if answer.status == 200 and "json" in dict(answer.headers).get("content-type", ""):
            found |= set(_named_in(json.loads(answer.body)))
    return found


def _named_in(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _named_in(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _named_in(part, key)
    elif isinstance(value, str) and (
        _UUID.fullmatch(value)
        or value.startswith(("/", "media:"))
        or (key in {"key", "slug", "source", "prefix", "title"} and 4 < len(value) < 100)
    ):
        yield value


def inputs(shape: Shape, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Inputs of an action: each name in every place that may have one."""
    schema = shape.action.input.model_json_schema()
    definitions, fields = schema.get("$defs", {}), schema.get("properties", {})
    required = set(schema.get("required", ()))
    yield {name: _least(fields[name], definitions, "x") for name in required}
    for name in names:
        given = {}
        for field, kind in fields.items():
            value = _least(kind, definitions, name)
            if field in required or (isinstance(value, str) and value == name):
                given[field] = value
        if "site" in given and "site" not in required:
            del given["site"]  # else nothing but the site would be looked for
        if any(name in json.dumps(value) for value in given.values()):
            yield given


def _least(schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str) -> Any:
    """The least that a schema takes, with a name wherever there is a text."""
    if "$ref" in schema:
        return _least(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return _least(kinds[0], definitions, name) if kinds else None
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return [_least(schema.get("items", {}), definitions, name)]
        case "object":
            fields, required = schema.get("properties", {}), schema.get("required", ())
            return {field: _least(fields[field], definitions, name) for field in required}
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    return name
