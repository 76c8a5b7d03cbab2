"""Excerpts of texts in which is marked what was found.

FTS5's own ``snippet`` compares each place with each other one, which takes seconds in a long text
that is full of what was looked for.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from itertools import islice

from mosaic_core.search import CLOSE, OPEN

#: Places of a text that are looked at, from its beginning.
_MOST_PLACES = 200
_MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")


def excerpt(text: str, length: int) -> str:
    """So many characters of a text, where the most of what was looked for stands together."""
    if len(text) <= length:
        return text.strip()
    first, last = _densest(text, length)
    start = max(0, min(first - length // 4, len(text) - length))
    if start:
        start = _after_space(text, start - 1, first)
    end = start + length
    if end < len(text):
        space = text.rfind(" ", last, end)
        end = space if space > 0 else end
    piece = text[start:end].strip()
    if piece.rfind(OPEN) > piece.rfind(CLOSE):
        piece += CLOSE
    if CLOSE in piece and OPEN not in piece[: piece.find(CLOSE)]:
        piece = OPEN + piece
    return f"{'…' if start else ''}{piece}{'…' if end < len(text.rstrip()) else ''}"


def _densest(text: str, length: int) -> tuple[int, int]:
    """Where the first mark of the place begins, and where its last one ends that has room."""
    room = length - length // 4
    best, most = (0, 0), 0
    places: deque[tuple[int, int, str]] = deque()
    words: Counter[str] = Counter()
    for found in islice(_MARKED.finditer(text), _MOST_PLACES):
        word = found[1].lower()
        places.append((found.start(), found.end(), word))
        words[word] += 1
        while found.end() - places[0][0] > room and len(places) > 1:
            left = places.popleft()[2]
            words[left] -= 1
            if not words[left]:
                del words[left]
        if len(words) > most:
            best, most = (places[0][0], places[-1][1]), len(words)
    return best


def _after_space(text: str, start: int, before: int) -> int:
    """Where a word begins, after ``start`` in any case."""
    return max(text.find(" ", start, before), start) + 1
