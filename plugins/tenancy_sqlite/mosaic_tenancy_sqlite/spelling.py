"""Words that are meant by one that was typed wrongly: those of the index that are few slips away.

A slip is a letter left out, put in, replaced, or swapped with the next.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator

#: Words that are tried for one that occurs nowhere, and that are looked for instead.
_CANDIDATES, _NEAREST = 24, 4

#: Words by how they begin, of some lengths.
_SPELLED = """
    SELECT s.term FROM json_each(?) b
     CROSS JOIN search_spelling s ON s.term >= b.value AND s.term < b.value || char(1114111)
     WHERE length(s.term) BETWEEN ? AND ?
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
    near: list[list[str]] = [[] for _ in range(most + 1)]
    starts = json.dumps(sorted(set(beginnings(word))))
    terms = connection.execute(_SPELLED, (starts, len(word) - most, len(word) + most))
    for term in {term for (term,) in terms}:
        slips = distance(word, term, most)
        if slips <= most:
            near[slips].append(term)
    for candidates in near:
        found = [term for term in _frequent(connection, candidates) if occurs(term)]
        if found:
            return tuple(found[:_NEAREST])
    return ()


def errors_in(word: str) -> int:
    """How many slips a word may have."""
    if len(word) < 4 or word.isdigit():
        return 0
    return 1 if len(word) <= 5 else 2


def beginnings(word: str) -> Iterator[str]:
    """How a word may begin that is meant by this one, of four letters or more.

    Its first three letters may have one slip; nobody forgets the first one.
    """
    a, b, c, d = list(word[:4])
    yield from (a + b + c, b + a + c, a + c + b, a + b + d + c)
    yield from (b + c + d, a + c + d, a + b + d)  # a letter too many
    for other in _letters_like(a):
        yield other + b + c + d
    for other in _letters_like(b):
        yield from (a + other + c, a + other + b + c)
    for other in _letters_like(c):
        yield from (a + b + other + d, a + b + other + c)


def _letters_like(letter: str) -> Iterator[str]:
    """The alphabet around a letter; the scripts' own lie close together in Unicode."""
    for code in range(max(ord(letter) - 31, 0), ord(letter) + 32):
        other = chr(code)
        if other.isalpha() and other.lower() == other:
            yield other


def distance(one: str, other: str, most: int) -> int:
    """Letters inserted, left out, replaced or swapped with the next, or ``most + 1`` if more."""
    if abs(len(one) - len(other)) > most or len(set(one) ^ set(other)) > 2 * most:
        return most + 1
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    one, other = one[same:], other[same:]
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def _frequent(connection: sqlite3.Connection, terms: list[str]) -> list[str]:
    """The words that are in the most rows, the first of them first."""
    if len(terms) < 2:
        return terms
    counted = connection.execute(_ROWS, (json.dumps(terms),))
    return [term for _, term in sorted((-rows, term) for term, rows in counted)][:_CANDIDATES]
