"""The isolation harness for an ASGI application: whatever one tenant's people ask for, nothing of
another's comes back.

Two tenants have content that nobody can mistake: canaries. The calls are made first as the people
of the one that is watched, which fills every cache; then as the other's, with whatever names of
the first they could know. No byte of a canary may be in what they get, nor in the log.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

Application = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request; ``name`` says in failures what it is about.

    Attributes:
        target: path and query, as they are sent.
    """

    name: str
    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is decoded."""

    call: Call
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Leak:
    """A canary where it must not be: ``place`` is the body, a header or the log."""

    call: Call
    place: str
    canary: str
    shown: str

    def __str__(self) -> str:
        call = self.call
        return (
            f"{call.name}: {call.method} {call.host}{call.target} gave away {self.canary!r} of "
            f"another tenant in {self.place}: …{self.shown}…"
        )


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    kept, root = _Kept(), logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    try:
        yield kept.lines
    finally:
        root.removeHandler(kept)
        root.setLevel(level)


async def send(app: Application, call: Call) -> Answer:
    """Makes one call."""
    path, _, query = call.target.partition("?")
    headers = [("host", call.host), ("content-length", str(len(call.body))), *call.headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "https",
        "path": unquote(path, errors="replace"),
        "raw_path": path.encode("latin-1", "replace"),
        "root_path": "",
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 443),
        "extensions": {},
    }
    sent: list[dict[str, Any]] = []
    given = iter([{"type": "http.request", "body": call.body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(given, {"type": "http.disconnect"})

    async def take(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, take)
    start = sent[0]
    found = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(call, start["status"], found, _unpacked(_decoded(body, dict(found)), dict(found)))


def _decoded(body: bytes, headers: dict[str, str]) -> bytes:
    encoding = headers.get("content-encoding", "")
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    assert not encoding, f"the harness cannot read {encoding!r}; it asked for none"
    return body


def _unpacked(body: bytes, headers: dict[str, str]) -> bytes:
    """What is in an archive: it would hide what it has."""
    if headers.get("content-type") != "application/zip" or not body:
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = [(name.encode(), archive.read(name)) for name in archive.namelist()]
    return b"\n".join(part for pair in parts for part in pair)


def _forms(canary: str) -> list[bytes]:
    """A canary as it may be written: as it is, in JSON, in addresses, in Base64 at each offset."""
    raw = canary.encode()
    forms = {raw, json.dumps(canary)[1:-1].encode(), quote(canary, safe="").encode()}
    for offset in range(3):  # of Base64, the characters that only depend on the canary
        text = base64.b64encode(b"\0" * offset + raw + b"\0\0")
        start = (offset * 8 + 5) // 6
        forms.add(text[start : (offset + len(raw)) * 8 // 6])
    return sorted(form.lower() for form in forms if len(form) >= 8)


def leaks(answer: Answer, log: Sequence[str], canaries: Iterable[str]) -> list[Leak]:
    """Every canary in an answer, or in what was logged meanwhile.

    What somebody sent themselves may come back to them.
    """
    call = answer.call
    own = f"{call.target} {dict(call.headers)}".lower().encode() + call.body.lower()
    places = {"the body": answer.body, "the log": "\n".join(log).encode()}
    places |= {f"the header {name}": value.encode() for name, value in answer.headers}
    found: list[Leak] = []
    for canary in canaries:
        for form in _forms(canary):
            if form in own:
                continue
            for place, content in places.items():
                at = content.lower().find(form)
                if at >= 0:
                    shown = content[max(0, at - 60) : at + len(form) + 60]
                    found.append(Leak(call, place, canary, shown.decode("utf-8", "replace")))
    return found


@dataclass(slots=True)
class Findings:
    """What the harness saw: how many calls it made, how they were answered, and all leaks."""

    calls: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)
    #: Calls that ended in an error of the application's own.
    failures: list[str] = field(default_factory=list)


async def check_asgi_isolation(
    app: Application,
    calls: Iterable[Call],
    canaries: Iterable[str],
    *,
    before: Iterable[Call] = (),
) -> Findings:
    """Makes all the calls of one tenant's people and looks for what is another's.

    Args:
        calls: as whoever must not see the canaries.
        canaries: words of at least eight characters that only the other tenant's content has.
        before: as the other tenant's own people, so that caches have what is theirs; at least one
            of these answers must have a canary, or nothing would be tested.

    Raises:
        AssertionError: naming each call that gave something away, or failed.
    """
    words = list(canaries)
    assert words, "the harness needs canaries"
    warm = [await send(app, call) for call in before]
    if warm:
        everything = b"\n".join(answer.body for answer in warm)
        assert any(word.encode() in everything for word in words), "no canary is to be seen at all"
    findings = Findings()
    for call in calls:
        with _listening() as log:
            answer = await send(app, call)
        findings.calls += 1
        findings.statuses[answer.status] = findings.statuses.get(answer.status, 0) + 1
        if answer.status == 500:
            findings.failures.append(f"{call.name}: {call.method} {call.target} failed")
        findings.leaks += leaks(answer, log, words)
    told = "\n".join([*map(str, findings.leaks[:20]), *findings.failures[:20]])
    assert not told, f"\n{told}"
    assert findings.calls, "the harness made no call"
    return findings
