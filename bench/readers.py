"""Visitors who read a site in the process that serves it, and look whether each page is whole."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.process import BenchError
from mosaic_cms.web.site_app import SiteApp

#: What each theme leaves in its shell, in what it puts around a page's own text, and in no other.
_MARKS = {
    "iznik": (b"data-palette=", b'class="prose wrap"'),
    "folio": (b"data-accent=", b'class="prose set"'),
}
_SHEET = re.compile(rb'<link rel="stylesheet" href="([^"]+)"')
#: Seconds between an answer and the next question of the same visitor.
_THINKING = 0.01


@dataclass(slots=True)
class Reading:
    """What visitors saw: milliseconds that each answer took, and how many were of each theme."""

    waits: list[float] = field(default_factory=list)
    themes: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def reading(
    site: SiteApp, host: str, paths: Sequence[str], visitors: int
) -> AsyncIterator[Reading]:
    """So many visitors ask for pages at random until the block ends.

    BenchError when an answer is no page, or not of one theme with its style sheets there.
    """
    found, ended = Reading(), asyncio.Event()
    sheets: set[bytes] = set()

    async def visit(seed: int) -> None:
        chance = random.Random(seed)
        while not ended.is_set():
            path = chance.choice(paths)
            asked = time.perf_counter()
            page = await _ask(site, host, path)
            found.waits.append((time.perf_counter() - asked) * 1e3)
            theme = _theme_of(path, page)
            found.themes[theme] = found.themes.get(theme, 0) + 1
            for sheet in set(_SHEET.findall(page)) - sheets:
                await _ask(site, host, sheet.decode())
                sheets.add(sheet)
            await asyncio.sleep(_THINKING)

    async with asyncio.TaskGroup() as group:
        for seed in range(visitors):
            group.create_task(visit(seed))
        try:
            yield found
        finally:
            ended.set()


def _theme_of(path: str, page: bytes) -> str:
    shells = [theme for theme, (mark, _) in _MARKS.items() if mark in page]
    bodies = [theme for theme, (_, mark) in _MARKS.items() if mark in page]
    if len(shells) != 1 or shells != bodies:
        raise BenchError(f"{path} is not whole: a shell of {shells}, a body of {bodies}")
    return shells[0]


async def _ask(site: SiteApp, host: str, path: str) -> bytes:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", host.encode())],
        "client": ("192.0.2.1", 4711),
    }
    await site(scope, receive, send)
    if sent[0]["status"] != 200:
        raise BenchError(f"{path} was answered with {sent[0]['status']}")
    return b"".join(message.get("body", b"") for message in sent)
