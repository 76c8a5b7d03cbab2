"""Manual redirects from a CSV file: ``source,target``, one a line.

Comma, semicolon or tab; with or without a header; UTF-8 with or without a byte order mark. Each
line stands alone, so that one quotation mark too many spoils its own line and no other.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from mosaic_cms.content.models import MAX_PATH
from mosaic_cms.content.paths import RESERVED_SEGMENT, normalise_path
from mosaic_cms.importing.report import Report

MAX_ROWS = 50_000
MAX_TARGET = 2_000
#: Characters of a line, at most; other columns may hold remarks.
_MAX_LINE = 20_000
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_SOURCES = ("source", "from", "old", "old url", "old path", "source url", "redirect from", "path")
_TARGETS = (
    "target",
    "to",
    "new",
    "new url",
    "new path",
    "target url",
    "redirect to",
    "destination",
)
_ADDRESS = re.compile(r"(https?)://[^\s/?#@\\]+([/?#].*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RedirectRow:
    """One redirect: ``source`` is a path in its one form, ``target`` such a path, which may have
    a query or a fragment, or an http(s) address. ``line`` counts from 1."""

    line: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class RedirectFile:
    """What a file holds: the redirects that can be used, and a remark on everything else."""

    rows: tuple[RedirectRow, ...]
    report: Report


class _Refused(Exception):
    """What is wrong with a row."""


def read_redirects(name: str, data: bytes, pages: Container[str] = frozenset()) -> RedirectFile:
    """Reads a file of redirects; ``name`` stands for it in the report, ``pages`` are addresses
    that cannot be redirected, because visitors see a page there.

    A redirect to another redirect leads to where that one leads; those that lead in a circle are
    left out, as is every line that cannot be used, with a problem in the report.
    """
    report = Report()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        report.problem(name, "it is UTF-16; save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')")
        return RedirectFile((), report)
    kept: dict[str, RedirectRow] = {}
    for line, cells in _rows(name, data, report):
        try:
            row = RedirectRow(line, _source(cells[0]), _target(cells[1]))
            if _path_of(row.target) == row.source:
                raise _Refused(f"{row.source} would lead to itself")
            if row.source in pages:
                raise _Refused(f"{row.source} is the address of a page")
        except _Refused as problem:
            report.problem(name, f"{problem}; left out", line)
            continue
        there = kept.setdefault(row.source, row)
        if there.target != row.target:
            report.problem(
                name,
                f"{row.source} leads to {there.target} by line {there.line} already; left out",
                line,
            )
        elif there is not row:
            report.note(name, f"it says the same as line {there.line}", line)
    rows = tuple(_straight(name, kept, report))
    report.understood(name, f"{len(rows):,} redirect{'' if len(rows) == 1 else 's'}")
    return RedirectFile(rows, report)


# ---- lines and columns --------------------------------------------------------------------


def _rows(name: str, data: bytes, report: Report) -> Iterator[tuple[int, tuple[str, str]]]:
    """Source and target of each line that has them, with its number."""
    lines = [
        (number, line.decode("utf-8", "surrogateescape"))
        for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1)
        if line.strip(b" \t,;")
    ]
    delimiter = max(_DELIMITERS, key=lambda one: _fit(one, [line for _, line in lines[:20]]))
    columns = (0, 1)
    if lines and (header := _header(name, *lines[0], delimiter, report)):
        columns = header
        del lines[0]
    for number, line in lines[:MAX_ROWS]:
        try:
            cells = _cells(line, delimiter)
            if len(cells) <= max(columns):
                raise _Refused("it has no two columns, source and target")
        except _Refused as problem:
            report.problem(name, f"{problem}; left out", number)
            continue
        yield number, (cells[columns[0]], cells[columns[1]])
    if len(lines) > MAX_ROWS:
        report.problem(
            name,
            f"a file may have {MAX_ROWS:,} redirects; from here on they are left out. "
            f"Divide the file",
            lines[MAX_ROWS][0],
        )


def _cells(line: str, delimiter: str) -> list[str]:
    if len(line) > _MAX_LINE:
        raise _Refused(f"the line has {len(line):,} characters, and {_MAX_LINE:,} fit")
    try:
        rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise _Refused("its quotation marks do not match") from error
    return [cell.strip() for cell in rows[0]] if rows else []


def _fit(delimiter: str, lines: list[str]) -> int:
    """How well a delimiter makes sources and targets of lines."""
    fit = 0
    for line in lines:
        try:
            cells = _cells(line, delimiter)
        except _Refused:
            continue
        fit += len(cells) > 1
        fit += len(cells) > 1 and all(cell.startswith(("/", "http")) for cell in cells[:2])
    return fit


def _header(
    name: str, number: int, line: str, delimiter: str, report: Report
) -> tuple[int, int] | None:
    """Which columns are meant, where the first line names them."""
    try:
        cells = _cells(line, delimiter)
    except _Refused:
        return None
    if any("/" in cell for cell in cells):
        return None
    names = [" ".join(re.split(r"[\s_-]+", cell.casefold())) for cell in cells]
    source = next((names.index(one) for one in _SOURCES if one in names), None)
    target = next((names.index(one) for one in _TARGETS if one in names), None)
    if source is None or target is None:
        report.note(
            name, "the header names no source and target; the first two columns are", number
        )
        return 0, 1
    report.understood(
        name,
        f"columns {cells[source]!r} and {cells[target]!r}, separated by {_DELIMITERS[delimiter]}",
        number,
    )
    return source, target


# ---- addresses ----------------------------------------------------------------------------


def _source(text: str) -> str:
    _require_text(text, MAX_PATH * 4)
    if not text.startswith("/"):
        raise _Refused(f"{text[:80]!r} is no path of the site, such as '/old/'")
    if "?" in text or "#" in text:
        raise _Refused(f"{text[:80]!r} has a query or fragment; redirects go by the path alone")
    path = normalise_path(_decoded(text))
    if path is None:
        raise _Refused(f"{text[:80]!r} can be no page's address, or is too long")
    if path == "/" or path.startswith(f"/{RESERVED_SEGMENT}/"):
        raise _Refused(f"{path[:80]!r} cannot be redirected")
    return path


def _target(text: str) -> str:
    _require_text(text, MAX_TARGET)
    if " " in text or "\\" in text or not text.isprintable():
        raise _Refused(f"the target {text[:80]!r} has a character that no address has")
    address = _ADDRESS.fullmatch(text)
    if address:
        return address[1].lower() + text[len(address[1]) :]
    at = re.search(r"[?#]|$", text)
    assert at is not None
    path = None if text.startswith("//") else normalise_path(text[: at.start()])
    if path is None:
        raise _Refused(
            f"the target {text[:80]!r} is neither a path such as '/new/' nor an http(s) address"
        )
    return path + text[at.start() :]


def _require_text(text: str, most: int) -> None:
    if not text:
        raise _Refused("source or target is empty")
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise _Refused("it is not UTF-8")
    if len(text) > most:
        raise _Refused(f"an address has {len(text):,} characters, and {most:,} fit")


def _decoded(path: str) -> str:
    """A path as requests carry it, without percent-encoding."""
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise _Refused(f"{path[:80]!r} encodes bytes that are not UTF-8") from error


def _path_of(target: str) -> str | None:
    """The path of this site that a target leads to."""
    if not target.startswith("/"):
        return None
    return normalise_path(unquote(re.split("[?#]", target, maxsplit=1)[0]))


# ---- chains -------------------------------------------------------------------------------


def _straight(name: str, rows: dict[str, RedirectRow], report: Report) -> Iterator[RedirectRow]:
    """The rows without circles, each leading to where its chain ends."""
    ends: dict[str, str | None] = {}
    for start in rows:
        way: dict[str, None] = {}
        source: str | None = start
        while source is not None and source in rows and source not in ends and source not in way:
            way[source] = None
            source = _path_of(rows[source].target)
        if source is not None and source in way:
            steps = list(way)
            ring = steps[steps.index(source) :]
            shown = " → ".join([*ring[:5], *(["…"] if len(ring) > 5 else []), ring[0]])
            for step in ring:
                ends[step] = None
                report.problem(name, f"it leads in a circle ({shown}); left out", rows[step].line)
        for step in reversed(way):
            if step not in ends:
                _settle(name, rows, step, ends, report)
    for source, row in rows.items():
        end = ends[source]
        if end is not None:
            yield RedirectRow(row.line, source, end)


def _settle(
    name: str,
    rows: dict[str, RedirectRow],
    source: str,
    ends: dict[str, str | None],
    report: Report,
) -> None:
    """Where a redirect leads in the end; that of the next one is known."""
    row = rows[source]
    following = _path_of(row.target)
    ends[source] = row.target
    if following is None or following not in rows:
        return
    end = ends[following]
    if end is None:
        ends[source] = None
        report.problem(name, f"{source} leads into a circle at {following}; left out", row.line)
    elif "?" in row.target or "#" in row.target:
        report.note(
            name,
            f"{row.target} is redirected to {end} in turn; kept as it is for its query or fragment",
            row.line,
        )
    else:
        ends[source] = end
        report.note(name, f"{row.target} is redirected itself; it leads to {end} at once", row.line)
