"""Finished responses and how they are sent."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import brotli

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_NO_BODY: Message = {"type": "http.response.body", "body": b""}
#: What a ``304`` repeats of the whole response beside its ETag: what RFC 9110, section 15.4.5, asks
#: for, and what a CDN files it under.
_IN_UNCHANGED = frozenset({b"cache-control", b"surrogate-key", b"vary"})
#: Smaller bodies gain nothing from compression.
_WORTH_COMPRESSING = 600

#: For who came by https: for a year they come by nothing else (RFC 6797).
STRICT = (b"strict-transport-security", b"max-age=31536000")
_SAFETY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self' https: data:; style-src 'self' 'unsafe-inline'; "
        # What reads robots.txt from within a page; no script can run, so nothing else connects.
        b"connect-src 'self'; "
        b"font-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'self'",
    ),
]


class Finished:
    """A response, ready to send: each encoding is made once, when it is first asked for.

    Each encoding has an ``ETag`` of its own, the digest and a suffix: it tells a cache which of the
    responses it keeps a ``304`` is about (RFC 9110, sections 8.8.3.3 and 15.4.5).
    """

    __slots__ = (
        "_common",
        "_etags",
        "_full",
        "_unchanged",
        "_wire",
        "body",
        "by_query",
        "size",
        "status",
    )

    def __init__(self, status: int, content_type: str, body: bytes, headers: Headers) -> None:
        self.status = status
        self.body = body
        digest = hashlib.sha256(body).hexdigest()[:20]
        self._etags = {
            "": f'"{digest}"'.encode(),
            "br": f'"{digest}-br"'.encode(),
            "gzip": f'"{digest}-gzip"'.encode(),
        }
        self._common = [
            (b"content-type", content_type.encode()),
            (b"vary", b"accept-encoding"),
            *headers,
            *_SAFETY,
        ]
        self._full: dict[str, tuple[Message, Message]] = {}
        self._unchanged: dict[str, Message] = {}
        self._wire: dict[tuple[str, bool], tuple[bytes, bytes]] = {}
        #: Whether another query gets another response: else the path alone says what it is.
        self.by_query = False
        #: Bytes that it may grow to in memory: text compresses to a third in either way.
        self.size = 7 * len(body) // 4 + 2048

    def full(self, encoding: str) -> tuple[Message, Message]:
        """The two messages of the whole response in an encoding: "", "gzip" or "br"."""
        made = self._full.get(encoding)
        if made is None:
            made = self._full[encoding] = self._make(encoding)
        return made

    def unchanged(self, encoding: str) -> Message:
        """The start of a ``304``; its body is empty."""
        made = self._unchanged.get(encoding)
        if made is None:
            headers = [header for header in self._common if header[0] in _IN_UNCHANGED]
            headers.append((b"etag", self._etags[encoding]))
            made = {"type": "http.response.start", "status": 304, "headers": headers}
            self._unchanged[encoding] = made
        return made

    def answer(self, encoding: str, if_none_match: bytes | None) -> tuple[Message, Message]:
        """The two messages that a visitor gets: the whole response, or that it is unchanged."""
        if if_none_match is not None and self.matches(if_none_match, encoding):
            return self.unchanged(encoding), _NO_BODY
        return self.full(encoding)

    def wire(self, encoding: str, if_none_match: bytes | None) -> tuple[bytes, bytes]:
        """The same as bytes of HTTP/1.1: a head that lacks the empty line at its end, so that the
        server can add to it, and a body."""
        unchanged = if_none_match is not None and self.matches(if_none_match, encoding)
        made = self._wire.get((encoding, unchanged))
        if made is None:
            start, body = self.answer(encoding, if_none_match)
            made = self._wire[(encoding, unchanged)] = (_head(start), body["body"])
        return made

    def matches(self, if_none_match: bytes, encoding: str) -> bool:
        """Whether a visitor has this content already. A list and ``W/`` are as good."""
        return self.status == 200 and (
            self._etags[encoding] in if_none_match or if_none_match.strip() == b"*"
        )

    def _make(self, encoding: str) -> tuple[Message, Message]:
        body = self.body
        headers = list(self._common)
        if len(body) >= _WORTH_COMPRESSING and encoding:
            if encoding == "br":
                body = brotli.compress(body, mode=brotli.MODE_TEXT, quality=5)
            else:
                body = gzip.compress(body, 6, mtime=0)
            headers.append((b"content-encoding", encoding.encode()))
        if self.status == 200:
            headers.append((b"etag", self._etags[encoding]))
        headers.append((b"content-length", str(len(body)).encode()))
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        return start, {"type": "http.response.body", "body": body}


def _head(start: Message) -> bytes:
    status = start["status"]
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%s: %s" % header for header in start["headers"]]
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    if head.count(b"\r") != ends or head.count(b"\n") != ends or b"\0" in head:
        raise ValueError(f"a line of a head has an end in it: {head!r}")
    return head + b"\r\n"


async def send_finished(
    send: Send, finished: Finished, encoding: str, if_none_match: bytes | None, *, head: bool
) -> None:
    """Sends a response, or ``304`` when the visitor has it."""
    start, body = finished.answer(encoding, if_none_match)
    await send(start)
    await send(_NO_BODY if head else body)


def redirect(status: int, location: str, *, seconds: int, vary: bytes = b"") -> Finished:
    """A redirect that a CDN may keep for so many seconds. What was asked leads along."""
    headers = [
        (b"location", location.encode("ascii")),
        (b"cache-control", f"public, max-age=0, s-maxage={seconds}".encode()),
        *([(b"vary", vary)] if vary else []),
    ]
    finished = Finished(status, "text/plain; charset=utf-8", b"", headers)
    finished.by_query = True
    return finished


def html(status: int, text: str, headers: Headers | None = None) -> Finished:
    """A page that nobody may keep: an error, or something about one visitor."""
    kept = [(b"cache-control", b"no-store"), *(headers or [])]
    return Finished(status, "text/html; charset=utf-8", text.encode(), kept)


class Encodings:
    """Which encoding an ``Accept-Encoding`` header gets; the few forms browsers send are kept."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def choose(self, header: bytes) -> str:
        found = self._known.get(header)
        if found is None:
            found = _choose(header)
            if len(self._known) < 256:
                self._known[header] = found
        return found


def _choose(header: bytes) -> str:
    accepted = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        quality = parameters.strip().removeprefix("q=")
        try:
            accepted[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            continue
    for encoding in ("br", "gzip"):
        if accepted.get(encoding, 0.0) > 0:
            return encoding
    return ""
