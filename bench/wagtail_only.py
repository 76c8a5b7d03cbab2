"""Measures Wagtail by itself: `python -m bench.wagtail_only [--rounds 5] [--seconds 4]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.harness import Result, Sample, measure, rounds
from bench.process import Server
from bench.wagtail.content import MEASURED_PATH, MEASURED_TEXT
from bench.wagtail.prepare import DEFAULT_FOLDER, Environment, prepare
from bench.wagtail.servers import commands

UNCACHED = "wagtail uncached"
CACHED = "wagtail cached"


def subjects(
    environment: Environment, running: ExitStack, *, seconds: int = 4, connections: int = 4
) -> dict[str, Callable[[], Sample]]:
    """Each server with and without the page cache, started on `running`; for `harness.rounds`.

    The names are `<UNCACHED or CACHED>, <server>`. Cached pages are asked for gzipped.
    """
    found: dict[str, Callable[[], Sample]] = {}
    for variant, page_cache in ((UNCACHED, False), (CACHED, True)):
        for name, command in commands(environment, page_cache=page_cache).items():
            found[f"{variant}, {name}"] = partial(
                measure,
                running.enter_context(Server(command, ready_path=MEASURED_PATH)),
                MEASURED_PATH,
                contains=MEASURED_TEXT,
                headers={"Accept-Encoding": "gzip"},
                seconds=seconds,
                connections=connections,
            )
    return found


def fastest(results: Mapping[str, Result], variant: str) -> str:
    """The name with the highest median of requests per second among those of one variant."""
    names = [name for name in results if name.startswith(variant)]
    return max(names, key=lambda name: results[name].rps.median)


def cheapest(results: Mapping[str, Result], variant: str) -> str:
    """The name with the lowest median of CPU time per request among those of one variant."""
    names = [name for name in results if name.startswith(variant)]
    return min(names, key=lambda name: results[name].cpu_us_per_request.median)


def measure_wagtail(
    folder: Path = DEFAULT_FOLDER, *, n: int = 5, seconds: int = 4
) -> dict[str, Result]:
    """All results by name; the environment is prepared first."""
    with ExitStack() as running:
        return rounds(subjects(prepare(folder), running, seconds=seconds), n)


def main() -> None:
    """Prints a line for each server and names the fastest of both variants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    results = measure_wagtail(options.folder, n=options.rounds, seconds=options.seconds)
    print(f"{'':36}{'rps':>8}{'low':>8}{'high':>8}{'CPU us':>9}{'low':>8}{'high':>8}{'p95 ms':>9}")
    for name, result in results.items():
        rps, cpu = result.rps, result.cpu_us_per_request
        p95 = result.spread(lambda sample: sample.load.p95_ms).median
        print(
            f"{name:36}{rps.median:8.0f}{rps.low:8.0f}{rps.high:8.0f}"
            f"{cpu.median:9.0f}{cpu.low:8.0f}{cpu.high:8.0f}{p95:9.2f}"
        )
    for variant in (UNCACHED, CACHED):
        print(f"fastest: {fastest(results, variant)}; cheapest: {cheapest(results, variant)}")


if __name__ == "__main__":
    main()
