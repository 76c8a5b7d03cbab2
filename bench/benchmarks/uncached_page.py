"""A page that is made for every visitor, against the bare function; nothing is compressed."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from bench import bare, tiles
from bench.deployment import READY_PATH, scratch
from bench.figures import Figure, Target, compared
from bench.harness import measure, rounds
from bench.process import BenchError, Server

NAMES = ("uncached_page",)
_AGAINST = "the bare function"


def take() -> list[Figure]:
    with ExitStack() as running:
        folder = running.enter_context(scratch())
        command = tiles.tiles(folder).serve(page_cache=False)
        mosaic = running.enter_context(Server(command, ready_path=READY_PATH))
        response = bare.fetch(mosaic.url, tiles.PATH, tiles.HOST)
        least = running.enter_context(Server(bare.serve(response, folder / "response.json")))
        if bare.fetch(least.url, tiles.PATH, tiles.HOST) != response:
            raise BenchError("the bare function does not return what MOSAIC returns")
        found = rounds(
            {
                name: partial(
                    measure,
                    server,
                    tiles.PATH,
                    contains=tiles.TEXT,
                    headers=tiles.HOST,
                    seconds=3,
                )
                for name, server in ((_AGAINST, least), ("uncached_page", mosaic))
            }
        )
    return compared(
        "uncached_page",
        found["uncached_page"],
        found[_AGAINST],
        _AGAINST,
        target=Target("≥", 0.15),
    )
