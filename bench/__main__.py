"""`python -m bench [NAME …]`: takes all figures, or those named; prints and writes them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.benchmarks import (
    api,
    bundle,
    cached_page,
    demo,
    fleet,
    lighthouse,
    migration,
    new_tenant,
    pictures,
    publishing,
    search,
    uncached_page,
    visibility,
    wagtail,
)
from bench.figures import Figure, show, write
from bench.process import BenchError
from bench.progress import tell
from mosaic_core.errors import MosaicError

_BENCHMARKS = (
    # First: a file system without a journal makes files slowly for minutes after many others were
    # removed, as every benchmark does at its end.
    new_tenant,
    cached_page,
    uncached_page,
    wagtail,
    demo,
    fleet,
    visibility,
    search,
    publishing,
    lighthouse,
    migration,
    pictures,
    api,
    bundle,
)
_RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """0 when every figure was taken; whether targets were met is for the reader."""
    known = [name for benchmark in _BENCHMARKS for name in benchmark.NAMES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(known)}")
    names = parser.parse_args().names
    if strange := sorted(set(names) - set(known)):
        parser.error(f"there is no figure {', '.join(strange)}; there are {', '.join(known)}")
    figures: list[Figure] = []
    faults = []
    for benchmark in _BENCHMARKS:
        if names and not set(names) & set(benchmark.NAMES):
            continue
        name = benchmark.__name__.rpartition(".")[2]
        tell(f"{name}: {', '.join(benchmark.NAMES)}")
        try:
            taken = benchmark.take()
        except (BenchError, MosaicError) as error:
            faults.append(f"{name}: {error}")
            tell(faults[-1])
            continue
        figures += [figure for figure in taken if not names or _wanted(figure, names)]
        write(figures, _RESULTS)
    show(figures)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def _wanted(figure: Figure, names: list[str]) -> bool:
    """A figure by its name, with what stands beside it."""
    return any(figure.name == name or figure.name.startswith(f"{name}.") for name in names)


if __name__ == "__main__":
    sys.exit(main())
