"""What a benchmark finds out: figures with their targets, as a table and as JSON."""

from __future__ import annotations

import json
import operator
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.harness import Result, Spread, ratio

_MEETS = {"≥": operator.ge, ">": operator.gt, "≤": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to be: `relation` is one of ≥ > ≤ <."""

    relation: str
    value: float

    def met_by(self, value: float) -> bool:
        return bool(_MEETS[self.relation](value, self.value))

    def __str__(self) -> str:
        return f"{self.relation} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the median of its rounds with the lowest and the highest; `note` is for people.

    Without a target it is reported beside the others.
    """

    name: str
    spread: Spread
    unit: str
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.target.met_by(self.spread.median)


def compared(
    name: str,
    over: Result,
    under: Result,
    against: str,
    *,
    target: Target | None = None,
    cpu_target: Target | None = None,
) -> list[Figure]:
    """How many times `under` a subject is: in requests per second, and in requests per CPU second.

    The second is named `<name>.cpu`. More is better in both.
    """
    by_rate = ratio(over, under, lambda sample: sample.rps)
    by_cpu = ratio(under, over, lambda sample: sample.cpu_us_per_request)
    rates = f"{over.rps.median:,.0f} against {under.rps.median:,.0f} requests/s"
    costs = (
        f"{over.cpu_us_per_request.median:,.1f} against "
        f"{under.cpu_us_per_request.median:,.1f} µs of CPU a request"
    )
    unit = f"× {against}"
    return [
        Figure(name, by_rate, unit, target, rates),
        Figure(f"{name}.cpu", by_cpu, unit, cpu_target, costs),
    ]


def show(figures: Sequence[Figure]) -> None:
    """Prints the table."""
    table = Table(box=None, header_style="bold blue", pad_edge=False)
    for column in ("figure", "value", "unit", "target", "met", "low–high", "note"):
        table.add_column(column, justify="right" if column == "value" else "left")
    marks = {True: "[green]yes[/]", False: "[bold red]no[/]", None: ""}
    for figure in figures:
        spread = figure.spread
        table.add_row(
            figure.name,
            _number(spread.median),
            figure.unit,
            str(figure.target or ""),
            marks[figure.met],
            f"{_number(spread.low)}–{_number(spread.high)}",
            figure.note,
        )
    # A file or a pipe has no width: then nothing is folded.
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, width=width).print(table)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Puts the figures into a JSON file; those that it has of other names stay."""
    try:
        kept: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {}
    found = {figure.name: _plain(figure) for figure in figures}
    text = json.dumps({**kept, **found}, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(figure: Figure) -> dict[str, Any]:
    return {
        "value": figure.spread.median,
        "unit": figure.unit,
        "target": None if figure.target is None else str(figure.target),
        "met": figure.met,
        "low": figure.spread.low,
        "high": figure.spread.high,
        "note": figure.note,
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
