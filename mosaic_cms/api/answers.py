"""How an answer looks: a list in pages, only the fields that were asked for, and its entity tag."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pydantic_core
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mosaic_cms.api.problems import HttpError
from mosaic_cms.api.requests import AFTER, FIELDS, ITEMS, LIMIT, MOST_ITEMS
from mosaic_cms.api.shapes import Shape
from mosaic_cms.download import Download

MEDIA_TYPE, ARCHIVE = "application/json", "application/zip"
#: What tells the items of a list apart: the first of these of which they have all.
_NAMES = (
    ("id",),
    ("tenant_id",),
    ("reference",),
    ("key",),
    ("number",),
    ("domain",),
    ("folder",),
    ("digest",),
    ("kind", "slug"),
    ("place", "language"),
    ("source", "state"),
    ("source",),
    ("name",),
)


def shaped(shape: Shape, result: Any, face: Mapping[str, str]) -> Any:
    """The answer to an action, as JSON values.

    Raises:
        HttpError: the cursor or a field is none.
    """
    value = shape.answer.dump_python(result, mode="json")
    if not shape.lists:
        return _only(value, face.get(FIELDS))
    cursor = shape.action.cursor
    if cursor is not None:  # the action went on where it was told to; a full page may be the last
        following = value[-1][cursor] if len(value) == int(face[LIMIT]) else None
        return {"items": [_only(item, face.get(FIELDS)) for item in value], "next": following}
    if shape.method != "GET":  # what was done is told whole: nobody could ask for the rest
        return {"items": value, "next": None}
    start = _start(value, face.get(AFTER))
    limit = MOST_ITEMS if LIMIT in shape.in_query else _limit(face.get(LIMIT))
    page, more = value[start : start + limit], len(value) > start + limit
    following = _cursor(page[-1], start + limit) if more and page else None
    return {"items": [_only(item, face.get(FIELDS)) for item in page], "next": following}


def response(request: Request, shape: Shape, value: Any) -> Response:
    """A response with an entity tag, or 304 when the caller has it."""
    content = encoded(value)
    if shape.method != "GET":
        return Response(content, shape.status, {"cache-control": "no-store"}, MEDIA_TYPE)
    tag = tag_of(content)
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization, cookie"}
    if _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, MEDIA_TYPE)


def download(request: Request, made: Download) -> Response:
    """A file, which a browser saves and shows nowhere."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(made.name, safe='')}",
        "content-length": str(made.size),
        "cache-control": "no-store",
    }
    if request.method == "HEAD":
        made.close()
        return Response(None, 200, headers, ARCHIVE)
    return StreamingResponse(made.chunks(), 200, headers, ARCHIVE)


def tag_of(content: bytes) -> str:
    """A strong entity tag (RFC 9110, 8.8.3): of the very bytes."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def encoded(value: Any) -> bytes:
    """An answer as it is sent."""
    return pydantic_core.to_json(value)


def tag_of_value(value: Any) -> str:
    """The entity tag that a GET of this value has."""
    return tag_of(encoded(value))


def _has(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    found = [part.strip().removeprefix("W/") for part in header.split(",")]
    return tag in found or "*" in found


def matches(header: str, tag: str) -> bool:
    """Whether ``If-Match`` lets a write go on (RFC 9110, 13.1.1): a weak tag never matches."""
    found = [part.strip() for part in header.split(",")]
    return tag in found or found == ["*"]


def _limit(text: str | None) -> int:
    if text is None:
        return ITEMS
    if not text.isdigit() or not text.isascii() or not 1 <= int(text[:6]) <= MOST_ITEMS:
        raise HttpError(400, "bad-limit", f"A page has 1 to {MOST_ITEMS} items, not {text[:20]!r}.")
    return int(text)


def _cursor(item: Mapping[str, Any], number: int) -> str:
    content = json.dumps([_names_of(item), number])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _names_of(item: Mapping[str, Any]) -> list[str]:
    """What an item is known by: its names, those of what it is about, or all that it has."""
    found = _named(item)
    if found is None:
        about = (_named(value) for value in item.values() if isinstance(value, dict))
        found = next((names for names in about if names is not None), None)
    return [tag_of_value(item)] if found is None else found


def _named(item: Mapping[str, Any]) -> list[str] | None:
    names = next((names for names in _NAMES if all(name in item for name in names)), None)
    return None if names is None else [str(item[name]) for name in names]


def _start(items: Sequence[Mapping[str, Any]], cursor: str | None) -> int:
    """Where a page begins: after the item that the cursor is about, wherever that is now, or where
    it was when it is gone."""
    if cursor is None:
        return 0
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        names, number = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(number) is not int or not 0 < number < 2**31 or not isinstance(names, list):
            raise ValueError
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise HttpError(
            400, "bad-cursor", f"{cursor[:80]!r} is no cursor.", hint="Begin without one."
        ) from error
    before = number - 1  # where the item was
    found = [at for at, item in enumerate(items) if _names_of(item) == names]
    return min(found, key=lambda at: abs(at - before)) + 1 if found else before


def _only(value: Any, fields: str | None) -> Any:
    """A sparse object: the fields that were asked for."""
    if fields is None or not isinstance(value, dict):
        return value
    names = [name.strip() for name in fields.split(",")]
    unknown = [name for name in names if name not in value]
    if unknown:
        raise HttpError(
            400,
            "unknown-field",
            f"There is no field {unknown[0][:80]!r}.",
            hint=f"There are: {', '.join(value)}.",
        )
    return {name: value[name] for name in names}
