"""The OpenAPI document (version 3.1), made from the registry of actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import TypeAdapter

from mosaic_cms.api import problems
from mosaic_cms.api.answers import ARCHIVE, MEDIA_TYPE
from mosaic_cms.api.requests import AFTER, FIELDS, ITEMS, LIMIT, MOST_ITEMS
from mosaic_cms.api.shapes import Shape

Json = dict[str, Any]
#: The field in which a change says what it is based on.
BASE = "based_on"
_REF = "#/components/schemas/{model}"
#: What may go wrong everywhere, and what it means.
_PROBLEMS = {
    "400": "The request cannot be read, or does not say what it is about.",
    "401": "What was shown is not valid, or not any more.",
    "402": "What the tier includes in a month is used up.",
    "403": "Whoever asks may not do this; it says why.",
    "404": "There is no such thing.",
    "406": "There is no such version of the API.",
    "409": "The thing exists already, or has changed meanwhile.",
    "422": "The input does not fit; every problem is named.",
    "429": "Too much at once; Retry-After says when to try again.",
    "503": "It is not possible at the moment.",
}
_WRITE_PROBLEMS = {
    "408": "The body did not come in time.",
    "412": "It is not any more what If-Match says.",
    "413": "The body is too long.",
    "415": "The body is of another kind than the document says.",
    "507": "What the tier has room for is used up.",
}
#: What may go wrong besides where a change says what it is based on.
_BASED_PROBLEMS = {"428": "It says neither in `based_on` nor in If-Match what it is based on."}
_PROBLEM: Json = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Tells kinds of problems apart."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Names the thing that is wrong."},
        "hint": {"type": "string", "description": "Says what to do."},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
        "revision": {
            "type": ["integer", "string"],
            "description": "Of what is there: what a change of it is to be based on.",
        },
        "conflicts": {
            "type": "array",
            "description": "What two changed: as both found it, as you sent it, and as it is.",
            "items": {
                "type": "object",
                "required": ["kind", "where", "block_id", "what", "base", "mine", "theirs"],
                "properties": {
                    "kind": {"enum": ["field", "changed", "removed", "moved"]},
                    "where": {"type": "string"},
                    "block_id": {"type": ["string", "null"]},
                    "what": {"type": "string"},
                    "base": {},
                    "mine": {},
                    "theirs": {},
                },
            },
        },
        "instance": {"type": "string"},
        "reference": {"type": "string", "description": "For the operator, to find it in the log."},
    },
}
_SECURITY: Json = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "__Host-mosaic-session"},
}


def document(shapes: Iterable[Shape], title: str) -> Json:
    """The whole document: every shape, with all that may be answered."""
    found = list(shapes)
    adapters: list[tuple[Any, Any, TypeAdapter[Any]]] = []
    for shape in found:
        made = Any if shape.downloads else shape.item
        adapters.append((f"in {shape.action.name}", "validation", TypeAdapter(shape.action.input)))
        adapters.append((f"out {shape.action.name}", "serialization", TypeAdapter(made)))
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    components: Json = dict(shared.get("$defs", {}))
    components["Problem"] = _PROBLEM
    paths: Json = {}
    for shape in found:
        given = schemas[f"in {shape.action.name}", "validation"]
        answer = schemas[f"out {shape.action.name}", "serialization"]
        operation = _operation(shape, _resolved(given, components), answer, components)
        paths.setdefault(f"/api/v1{shape.path}", {})[shape.method.lower()] = operation
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{title} API",
            "version": "1",
            "description": "Everything that can be done, with one set of rights.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
        "security": [{"token": []}, {"key": []}, {"session": []}, {}],
        "tags": [{"name": name} for name in sorted({_tag(shape) for shape in found})],
    }
    return cast(Json, _plainly_optional(whole))


def _operation(shape: Shape, given: Json, made: Json, components: Json) -> Json:
    operation: Json = {
        "operationId": shape.action.name,
        "tags": [_tag(shape)],
        "summary": shape.action.summary,
        "description": f"Needs: {shape.action.needs}.",
        "parameters": _parameters(shape, given),
        "responses": _responses(shape, _answer(shape, made, components)),
    }
    if shape.incoming is not None:
        whole = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": whole},
        }
    elif shape.has_body:
        fields = {k: v for k, v in given.get("properties", {}).items() if k in shape.in_body}
        required = [name for name in given.get("required", ()) if name in shape.in_body]
        body = {"type": "object", "properties": fields, "additionalProperties": False}
        if required:
            body["required"] = required
        operation["requestBody"] = {
            "required": bool(required),
            "content": {MEDIA_TYPE: {"schema": body}},
        }
    return operation


def _tag(shape: Shape) -> str:
    return shape.action.name.partition(".")[0]


def _parameters(shape: Shape, given: Json) -> list[Json]:
    fields, required = given.get("properties", {}), given.get("required", ())
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _plain(fields[name])}
        for name in shape.in_path
    ]
    found += [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(fields[name])}
        for name in shape.in_query
    ]
    if shape.method == "GET" and not shape.downloads:
        found.append(_query(FIELDS, {"type": "string"}, "Only these fields, with commas."))
        if shape.lists and LIMIT not in shape.in_query:
            limit = {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": ITEMS}
            found.append(_query(LIMIT, limit, "Items of a page."))
        if shape.lists and AFTER not in shape.in_query:
            found.append(_query(AFTER, {"type": "string"}, "The cursor `next` of a page."))
    return found


def _query(name: str, schema: Json, description: str) -> Json:
    found = {"name": name, "in": "query", "required": False, "schema": schema}
    return found | {"description": description}


def _plainly_optional(value: Any) -> Any:
    """Schemas of what may be null with both types in one place (JSON Schema 2020-12, validation,
    6.1.1): two alternatives, one of which is null, say the same, and fewer programs read them."""
    if isinstance(value, list):
        return [_plainly_optional(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plainly_optional(item) for key, item in value.items()}
    kinds = found.get("anyOf", ())
    others = [kind for kind in kinds if kind != {"type": "null"}]
    if len(kinds) != 2 or len(others) != 1 or not isinstance(others[0].get("type"), str):
        return found
    del found["anyOf"]
    only = dict(others[0])
    only["type"] = [only["type"], "null"]
    if "const" in only:
        only["enum"] = [only.pop("const")]
    if "enum" in only:
        only["enum"] = [*only["enum"], None]
    return only | found


def _plain(schema: Json) -> Json:
    """The schema of what comes as text: nothing says None there but its absence."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if "anyOf" not in schema or len(kinds) == len(schema["anyOf"]):
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _answer(shape: Shape, made: Json, components: Json) -> Json:
    """The schema of an answer; of what is read, also with some of its fields only."""
    if shape.method == "GET" and "$ref" in made:
        name = made["$ref"].rpartition("/")[2]
        whole = components[name]
        partial = {key: value for key, value in whole.items() if key != "required"}
        components[f"{name}Fields"] = partial | {"title": f"{name}Fields"}
        made = {"anyOf": [made, {"$ref": _REF.format(model=f"{name}Fields")}]}
    if not shape.lists:
        return made
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": made},
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the next page; null on the last one.",
            },
        },
    }


def _responses(shape: Shape, answer: Json) -> Json:
    told = _PROBLEMS | (_WRITE_PROBLEMS if shape.has_body or shape.writes else {})
    if BASE in shape.in_body:
        told |= _BASED_PROBLEMS
    content: Json = {MEDIA_TYPE: {"schema": answer}}
    if shape.downloads:
        content = {ARCHIVE: {"schema": {"type": "string", "format": "binary"}}}
    responses: Json = {
        str(shape.status): {
            "description": "Done." if shape.writes else "What was asked for.",
            "content": content,
        }
    }
    if shape.method == "GET" and not shape.downloads:
        responses["304"] = {"description": "It is what If-None-Match says."}
    problem = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    for status, meaning in told.items():
        responses[status] = {"description": meaning, "content": problem}
    return responses


def _resolved(schema: Json, components: Json) -> Json:
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return schema
