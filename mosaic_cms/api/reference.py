"""The browsable reference: the OpenAPI document as one page, without scripts or other hosts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader

from mosaic_cms.strict_templates import strict

_TEMPLATES = Path(__file__).parent / "templates"


class Reference:
    """One page about one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        environment = strict(FileSystemLoader(_TEMPLATES))
        style = (_TEMPLATES / "reference.css").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        #: What the page's content security policy names its style sheet by.
        self.style_hash = f"sha256-{digest}"
        groups: dict[str, list[dict[str, Any]]] = {}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                shown = {"path": path, "method": method.upper(), **operation}
                shown["parameters"] = [
                    {**parameter, "kind": _line(_form(parameter["schema"], document, 0))}
                    for parameter in operation["parameters"]
                ]
                shown["body"] = _shown(_schema(operation.get("requestBody")), document)
                shown["answer"] = _shown(_schema(_answer(operation)), document)
                groups.setdefault(operation["tags"][0], []).append(shown)
        self.html = environment.get_template("reference.html").render(
            document=document, groups=sorted(groups.items()), style=style
        )


def _answer(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(operation["responses"].values()))
    return found


def _schema(part: dict[str, Any] | None) -> dict[str, Any] | None:
    if not part or "content" not in part:
        return None
    content: dict[str, Any] = next(iter(part["content"].values()))
    return content["schema"]  # type: ignore[no-any-return]


def _shown(schema: dict[str, Any] | None, document: dict[str, Any]) -> str:
    """A schema as an example of its form: each field with its type."""
    if schema is None:
        return ""
    return json.dumps(_form(schema, document, 0), indent=2, ensure_ascii=False)


def _line(form: Any) -> str:
    return form if isinstance(form, str) else json.dumps(form, ensure_ascii=False)


def _form(schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:
    if depth > 6:
        return "…"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _form(document["components"]["schemas"][name], document, depth + 1)
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        found = _form(kinds[0], document, depth) if kinds else "null"
        optional = len(kinds) < len(schema["anyOf"])
        return f"{found} or null" if optional and isinstance(found, str) else found
    types = schema.get("type")
    if isinstance(types, list) and "null" in types and len(types) == 2:
        (kind,) = (one for one in types if one != "null")
        told = {**schema, "type": kind}
        if "enum" in schema:
            told["enum"] = [one for one in schema["enum"] if one is not None]
        found = _form(told, document, depth)
        return f"{found} or null" if isinstance(found, str) else found
    if schema.get("type") == "object" and "properties" in schema:
        required = schema.get("required", ())
        return {
            name if name in required else f"{name}?": _form(field, document, depth + 1)
            for name, field in schema["properties"].items()
        }
    if schema.get("type") == "array":
        return [_form(schema.get("items", {}), document, depth + 1)]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("format") or schema.get("type") or "any"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
