"""A form that was posted: whether a page of the same site did, and its body, read within bounds and
taken apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.message import Message
from urllib.parse import parse_qsl

from mosaic_cms.web.responses import Receive

#: Bytes that are read, and fields that are looked at.
MOST_BYTES = 64_000
_MOST_FIELDS = 200
_MOST_DIGITS = 18
_SECONDS = 20.0


class Unreadable(Exception):
    """It cannot be taken as a form. ``status`` is the response's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def of_this_site(headers: Mapping[bytes, bytes], host: bytes) -> bool:
    """Whether a form was sent from this site. What sends neither header is no browser, and has no
    visitor's rights to misuse."""
    fetched = headers.get(b"sec-fetch-site")
    if fetched is not None:
        return fetched in {b"same-origin", b"none"}
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2].lower() == host.lower()


async def read_form(headers: dict[bytes, bytes], receive: Receive) -> dict[str, str]:
    """The fields by name, the first value of each; files are left out.

    Raises:
        Unreadable: it is too long or too slow, is cut off, or is no form.
    """
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise Unreadable(400)
    if len(length) > _MOST_DIGITS or int(length) > MOST_BYTES:
        raise Unreadable(413)
    kind = Message()
    kind["content-type"] = headers.get(b"content-type", b"").decode("latin-1")
    body = await _read(receive)
    if kind.get_content_type() == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    if kind.get_content_type() == "multipart/form-data":
        boundary = kind.get_param("boundary")
        if isinstance(boundary, str) and 0 < len(boundary) <= 70:
            return _multipart(body, boundary.encode("latin-1", "replace"))
        raise Unreadable(400)
    raise Unreadable(415)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Unreadable(400)
                part = message.get("body", b"")
                size += len(part)
                if size > MOST_BYTES:
                    raise Unreadable(413)
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Unreadable(408) from None


def _urlencoded(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Unreadable(400) from None
    return dict(reversed(pairs))


def _multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    """RFC 7578: pieces between lines of the boundary, each with headers and an empty line."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]
    if not pieces or len(pieces) > _MOST_FIELDS or not pieces[-1].startswith(b"--"):
        raise Unreadable(400)
    fields: dict[str, str] = {}
    for piece in pieces[:-1]:
        head, gap, value = piece.partition(b"\r\n\r\n")
        name = _name(head)
        if gap and name is not None:
            fields.setdefault(name, value.decode("utf-8", "replace"))
    return fields


def _name(head: bytes) -> str | None:
    """The name of a piece; None for a file."""
    for line in head.split(b"\r\n"):
        header, _, value = line.partition(b":")
        if header.strip().lower() == b"content-disposition":
            told = Message()
            told["content-disposition"] = value.decode("utf-8", "replace").strip()
            if told.get_param("filename", header="content-disposition") is not None:
                return None
            name = told.get_param("name", header="content-disposition")
            return name if isinstance(name, str) else None
    return None
