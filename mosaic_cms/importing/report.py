"""What an import understood and what it did not, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["understood", "note", "problem"]


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One remark on a file (``source`` relative to the folder, ``line`` counted from 1).

    ``understood`` says what was recognised, ``note`` what is kept but differs from what its
    author may expect, ``problem`` what could not be used.
    """

    source: str
    line: int | None
    level: Level
    message: str

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        return f"{where}: {self.message}"


@dataclass(slots=True)
class Report:
    """All remarks on a folder, in the order in which they were made."""

    lines: list[ReportLine] = field(default_factory=list)

    def understood(self, source: str, message: str, line: int | None = None) -> None:
        self.lines.append(ReportLine(source, line, "understood", message))

    def note(self, source: str, message: str, line: int | None = None) -> None:
        self.lines.append(ReportLine(source, line, "note", message))

    def problem(self, source: str, message: str, line: int | None = None) -> None:
        self.lines.append(ReportLine(source, line, "problem", message))

    @property
    def problems(self) -> tuple[ReportLine, ...]:
        return tuple(line for line in self.lines if line.level == "problem")

    def __iter__(self) -> Iterator[ReportLine]:
        return iter(self.lines)
