"""What a request asks for: taken from path, query and body, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import pydantic_core
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request

from mosaic_cms.api.cookies import PENDING
from mosaic_cms.api.problems import HttpError
from mosaic_cms.api.shapes import Shape
from mosaic_cms.incoming import Incoming

#: Bytes of a body, seconds that it may take to come, and levels of its JSON.
MOST_BYTES = 16 * 1024 * 1024
_SECONDS = 30.0
_DEPTH = 64
_MOST_PARAMETERS = 200
#: What every GET of a list or an object takes besides its own fields.
FIELDS, LIMIT, AFTER = "fields", "limit", "after"
#: Items of a page, when nothing is said and at most.
ITEMS, MOST_ITEMS = 50, 200


async def input_of(
    request: Request, shape: Shape, default_site: str | None
) -> tuple[BaseModel, dict[str, str]]:
    """An action's input, and what the face itself is asked for.

    Args:
        default_site: the site that is meant when none is named.

    Raises:
        HttpError: 400, 408, 413 or 415, saying what cannot be read.
        InvalidInput: it can be read and does not fit.
    """
    texts: dict[str, Any] = {name: text(raw) for name, raw in request.path_params.items()}
    asked, face = _query(request, shape)
    body: dict[str, Any] = {}
    content: Incoming | None = None
    if shape.writes and _kind(request).startswith("multipart/"):
        raise HttpError(
            415,
            "unsupported-media-type",
            "The body is a form with parts (multipart), which is not taken apart here.",
            hint="Send the file itself as the body, and what is said of it in the query."
            if shape.incoming is not None
            else "Send application/json.",
        )
    if shape.incoming is not None:
        length = _length(request)
        content = Incoming(_chunks(request), length)
    elif shape.has_body:
        body = await _json(request)
        for name in shape.in_path:
            if name in body:
                raise HttpError(
                    400,
                    "bad-request",
                    f"{name!r} is in the path and in the body.",
                    hint="Send it in the path only.",
                )
        if shape.action.name == "sessions.second_step" and PENDING in request.cookies:
            body.setdefault("pending", request.cookies[PENDING])
    texts |= asked
    face |= first_page(shape, texts)
    named = "site" in shape.action.input.model_fields and shape.action.of is None
    if default_site is not None and named:
        (body if "site" in shape.in_body else texts).setdefault("site", default_site)
    return shape.command(texts, body, content), face


def first_page(shape: Shape, texts: dict[str, Any]) -> dict[str, str]:
    """Has a list that the action itself cuts be of the usual length, where nothing else is said."""
    if shape.action.cursor is None:
        return {}
    return {LIMIT: texts.setdefault(LIMIT, str(ITEMS))}


def _query(request: Request, shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    raw = request.scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(
            raw, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:  # too many, or no UTF-8
        raise HttpError(400, "bad-request", "The query cannot be read.") from error
    known = set(shape.in_query)
    face_takes = set()
    if shape.method == "GET" and not shape.downloads:
        face_takes = {FIELDS} | ({LIMIT, AFTER} if shape.lists else set()) - known
    given: dict[str, Any] = {}
    face: dict[str, str] = {}
    for name, value in pairs:
        if name in face_takes:
            target: dict[str, Any] = face
        elif name in known:
            target = given
        else:
            allowed = ", ".join(sorted(known | face_takes)) or "none"
            raise HttpError(
                400,
                "unknown-parameter",
                f"There is no parameter {name[:80]!r} here.",
                hint=f"There are: {allowed}.",
            )
        if name in known and shape.takes_many(name):
            target.setdefault(name, []).append(value)
        elif name in target:
            raise HttpError(400, "bad-request", f"{name!r} is in the query twice.")
        else:
            target[name] = value
    return given, face


def text(raw: str) -> str:
    """A segment of the path, which is matched as it came: it may have an encoded slash in it."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise HttpError(400, "bad-request", "A part of the path is not UTF-8.") from error


async def _json(request: Request) -> dict[str, Any]:
    content = await body_of(request)
    if not content:
        return {}
    kind = _kind(request)
    if kind != "application/json":
        raise HttpError(
            415,
            "unsupported-media-type",
            f"The body is {kind[:80] or 'of no kind'}.",
            hint="Send application/json.",
        )
    try:
        found = pydantic_core.from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise HttpError(400, "bad-json", f"The body is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise HttpError(400, "bad-json", "The body is not an object.", hint="Send an object.")
    _require_shallow(found)
    return found


def _kind(request: Request) -> str:
    """The kind of content that a body is said to be; empty where nothing is said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_of(request: Request) -> bytes:
    """The body, within bounds of size and time; it is kept as ``request.state.body``."""
    length = _length(request)
    if length is not None and length > MOST_BYTES:
        raise _too_long()
    parts, size = [], 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise _too_long()
                parts.append(part)
    except TimeoutError as error:
        raise HttpError(408, "timeout", f"The body did not come within {_SECONDS:g} s.") from error
    except ClientDisconnect as error:
        raise HttpError(400, "bad-request", "The body was cut off.") from error
    content: bytes = b"".join(parts)
    request.state.body = content
    return content


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """A body of any length, as it comes: each piece of it has so many seconds."""
    stream = aiter(request.stream())
    try:
        while True:
            async with asyncio.timeout(_SECONDS):
                part = await anext(stream, None)
            if part is None:
                return
            if part:
                yield part
    except TimeoutError as error:
        raise HttpError(408, "timeout", f"Nothing came for {_SECONDS:g} s.") from error
    except ClientDisconnect as error:
        raise HttpError(400, "bad-request", "The body was cut off.") from error


def _length(request: Request) -> int | None:
    """The bytes that a body is said to have."""
    length = request.headers.get("content-length", "")
    if not length:
        return None
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise HttpError(400, "bad-request", "The Content-Length is not a number.")
    return int(length)


def _too_long() -> HttpError:
    return HttpError(
        413,
        "too-long",
        f"The body is longer than {MOST_BYTES // 1024 // 1024} MiB.",
        hint="Send less at once.",
        headers={"connection": "close"},
    )


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise HttpError(400, "bad-json", f"The body has more than {_DEPTH} levels.")
