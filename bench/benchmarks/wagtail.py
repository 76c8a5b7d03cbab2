"""The like page of the like site in Wagtail, on every server that it is run on."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from bench import tiles
from bench.deployment import READY_PATH, scratch
from bench.figures import Figure, Target, compared
from bench.harness import measure, rounds
from bench.process import Server
from bench.progress import tell
from bench.wagtail.prepare import prepare
from bench.wagtail_only import CACHED, UNCACHED, cheapest, fastest, subjects

NAMES = ("wagtail_uncached", "wagtail_cached")
_SECONDS = 2
#: Visitors at once: with a few, a server waits for its next request as long as it works.
_CONNECTIONS = 32


def take() -> list[Figure]:
    tell("Wagtail's environment and its site")
    environment = prepare()
    with ExitStack() as running:
        deployment = tiles.tiles(running.enter_context(scratch()))
        taken = subjects(environment, running, seconds=_SECONDS, connections=_CONNECTIONS)
        for name, page_cache, headers in (
            ("uncached", False, tiles.HOST),
            ("cached", True, {**tiles.HOST, "Accept-Encoding": "gzip"}),
        ):
            command = deployment.serve(page_cache=page_cache)
            taken[f"MOSAIC {name}"] = partial(
                measure,
                running.enter_context(Server(command, ready_path=READY_PATH)),
                tiles.PATH,
                contains=tiles.TEXT,
                headers=headers,
                seconds=_SECONDS,
                connections=_CONNECTIONS,
            )
        found = rounds(taken)
    least = cheapest(found, UNCACHED)
    best = fastest(found, CACHED)
    return [
        *compared(
            "wagtail_uncached",
            found["MOSAIC uncached"],
            found[least],
            least,
            cpu_target=Target("≥", 50),
        ),
        *compared(
            "wagtail_cached", found["MOSAIC cached"], found[best], best, target=Target("≥", 6)
        ),
    ]
