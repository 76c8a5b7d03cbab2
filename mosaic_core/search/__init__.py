"""Full-text search over what is published: which table is searched, what is asked, what comes back.

A product marks one derived table with :func:`searched`. Each persistence strategy keeps an index
of it, exact when it is next asked, and answers ``Persistence.search`` from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table

from mosaic_core.errors import InvalidInput

#: Hits of one answer, and how far one can page, at most.
MOST_HITS: Final = 50
MOST_SKIPPED: Final = 1_000
#: Rows that one search counts and ranks, at most.
MOST_FOUND: Final = 300
#: Characters of a row's text that are searched; what comes after them is not.
MOST_TEXT: Final = 100_000

#: Around the words that were found, in :attr:`SearchHit.title` and ``snippet``. Both are for
#: private use in Unicode, and occur there for no other reason.
OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"

_KEY = "mosaic_search"


@dataclass(frozen=True, slots=True)
class Searchable:
    """The columns of a searched table, by name. All but ``key`` hold text.

    Args:
        title: counts most; ``summary`` counts more than ``text``.
        by: a search finds rows with one value of each of these, and no others.
        key: what a hit gives back of its row.
    """

    title: str
    summary: str
    text: str
    by: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What somebody looks for.

    All words must occur, in any order; the last one may be the beginning of a word. Case and
    accents do not matter. A word that occurs nowhere is looked for as the nearest ones that do.

    Args:
        text: as a visitor typed it: any text at all, of which the beginning counts.
        by: a value for each column of :attr:`Searchable.by`, in its order.
        limit: 1 to ``MOST_HITS``.
        offset: 0 to ``MOST_SKIPPED``.

    Raises:
        InvalidInput: ``limit`` or ``offset`` is outside.
    """

    text: str
    by: tuple[Any, ...]
    limit: int = 10
    offset: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_HITS:
            raise InvalidInput(
                f"A search gives 1 to {MOST_HITS} hits, not {self.limit}.",
                hint="Ask for the next ones with an offset.",
            )
        if not 0 <= self.offset <= MOST_SKIPPED:
            raise InvalidInput(
                f"A search skips 0 to {MOST_SKIPPED} hits, not {self.offset}.",
                hint="Look for more words.",
            )


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row that was found.

    ``title`` is whole and ``snippet`` an excerpt, both plain text that a page must escape, with
    ``OPEN`` and ``CLOSE`` around what was found: see :func:`segments`.
    """

    #: The values of :attr:`Searchable.key`, in its order.
    key: tuple[Any, ...]
    title: str
    snippet: str
    #: More is better; comparable within one answer.
    score: float


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The hits, best first."""

    hits: tuple[SearchHit, ...] = ()
    #: How many rows were found: exact unless there are ``more``.
    total: int = 0
    #: There are more than ``MOST_FOUND``; the best of the others may be missing.
    more: bool = False
    #: For each word that occurs nowhere, the words that were looked for instead.
    instead: dict[str, tuple[str, ...]] = field(default_factory=dict)


def searched(searchable: Searchable) -> dict[str, Any]:
    """``info`` of the table that is searched, beside that of ``derived()``."""
    return {_KEY: searchable}


def searched_table(tables: Iterable[Table]) -> tuple[Table, Searchable] | None:
    """The table among some that is searched, and how; None when there is none."""
    found = [table for table in tables if _KEY in table.info]
    if not found:
        return None
    (table,) = found
    return table, table.info[_KEY]


def segments(text: str) -> Iterator[tuple[str, bool]]:
    """A title or snippet in pieces, each with whether it is what was looked for."""
    for index, piece in enumerate(text.split(OPEN)):
        marked, close, rest = piece.partition(CLOSE)
        if index and close:
            yield marked, True
        elif marked:
            yield marked, False
        if rest:
            yield rest, False
