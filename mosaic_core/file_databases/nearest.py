"""Words of one file's index that are meant by one that was typed wrongly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from itertools import islice

from mosaic_core.search.spelling import (
    MOST_COMPARED,
    MOST_COUNTED,
    MOST_NEAREST,
    MOST_TRIED,
    beginnings,
    by_slips,
    errors_in,
)

#: Words by how they begin, of some lengths.
_SPELLED = """
    SELECT s.term FROM json_each(?) b
     CROSS JOIN search_spelling s ON s.term >= b.value AND s.term < b.value || char(1114111)
     WHERE length(s.term) BETWEEN ? AND ? LIMIT ?
"""
#: In how many rows each of some words occurs; of a word that is nowhere any more, nothing.
_ROWS = """
    SELECT v.term, v.doc FROM json_each(?) b CROSS JOIN search_vocabulary v ON v.term = b.value
"""


def nearest(
    connection: sqlite3.Connection, word: str, occurs: Callable[[str], bool]
) -> tuple[str, ...]:
    """The words that are the fewest slips away, the most frequent ones first.

    Args:
        word: as the index would have it.
        occurs: whether a word of the index is in what is searched.
    """
    most = errors_in(word)
    if most == 0:
        return ()
    starts = json.dumps(list(dict.fromkeys(beginnings(word))))
    rows = connection.execute(_SPELLED, (starts, len(word) - most, len(word) + most, MOST_COMPARED))
    for candidates in by_slips(word, (term for (term,) in rows)):
        found = (term for term in _frequent(connection, candidates) if occurs(term))
        if fewest := tuple(islice(found, MOST_NEAREST)):
            return fewest
    return ()


def _frequent(connection: sqlite3.Connection, terms: list[str]) -> list[str]:
    """The words that are in the most rows, the first of them first."""
    if len(terms) < 2:
        return terms
    counted = connection.execute(_ROWS, (json.dumps(sorted(terms)[:MOST_COUNTED]),))
    return [term for _, term in sorted((-rows, term) for term, rows in counted)][:MOST_TRIED]
