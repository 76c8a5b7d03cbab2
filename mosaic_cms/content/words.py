"""How two texts differ, word by word, in bounded time and memory.

Lines are compared first, then the words of lines that differ. The method is that of Eugene W.
Myers, "An O(ND) Difference Algorithm and Its Variations" (Algorithmica 1, 1986), cut off where
texts have too little in common to be worth showing side by side.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

#: What happens to a piece of text. The ``equal`` and ``delete`` ones make up the old text, the
#: ``equal`` and ``insert`` ones the new text.
Run = tuple[Literal["equal", "delete", "insert"], str]

#: Insertions and deletions that are looked for between two lists of lines or words.
_MOST_EDITS = 800
#: Steps of one differ, in all.
_MOST_STEPS = 2_000_000
#: Of the letters of two changed passages, the share that must be equal to show them word by word.
_LEAST_EQUAL = 0.25
#: Scripts that put no spaces between words: a character is a word.
_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_PIECES = re.compile(
    rf"[{_DENSE}]|[^\W{_DENSE}]+(?:['’][^\W{_DENSE}]+)*|\n|[^\S\n]+"
    r"|[\U0001f1e6-\U0001f1ff]{2}|[^\w\s]"
)
#: From this length on, marks are words of their own.
_LONGEST = 200
_JOINER = "\u200d"


def words(text: str) -> list[str]:
    """A text in words, spaces and signs, which make it up. A mark stays with its letter."""
    pieces: list[str] = []
    for piece in _PIECES.findall(text):
        if (
            pieces
            and len(pieces[-1]) < _LONGEST
            and (_extends(piece) or _continues(pieces[-1], piece))
        ):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


class Differ:
    """Compares texts; the more it has compared, the less effort is left for the next ones."""

    def __init__(self) -> None:
        self._steps = _MOST_STEPS

    def runs(self, old: str, new: str) -> tuple[Run, ...]:
        """What makes ``new`` of ``old``; neighbours are of different kinds, and none is empty."""
        return tuple(_joined(self._lines(old, new)))

    def _lines(self, old: str, new: str) -> Iterator[Run]:
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
        for equal, one, two in self._passages(before, after):
            if equal:
                yield "equal", "".join(one)
            else:
                yield from self._words("".join(one), "".join(two))

    def _words(self, old: str, new: str) -> Iterator[Run]:
        """The words of lines that differ."""
        if not old or not new or self._steps <= 0:
            yield from (("delete", old), ("insert", new))
            return
        passages = list(self._passages(words(old), words(new)))
        kept = sum(len(word) for equal, one, _ in passages if equal for word in one)
        if kept < _LEAST_EQUAL * min(len(old), len(new)):
            yield from (("delete", old), ("insert", new))
            return
        for number, (equal, one, two) in enumerate(passages):
            text = "".join(one)
            # A space alone between two changes would only tear them apart.
            if equal and (not text.isspace() or number in (0, len(passages) - 1)):
                yield "equal", text
            else:
                yield from (("delete", text), ("insert", "".join(two)))

    def _passages(
        self, old: Sequence[str], new: Sequence[str]
    ) -> Iterator[tuple[bool, Sequence[str], Sequence[str]]]:
        """Equal passages and, between them, those that differ."""
        least = min(len(old), len(new))
        start = next((n for n in range(least) if old[n] != new[n]), least)
        end = next((n for n in range(least - start) if old[-1 - n] != new[-1 - n]), least - start)
        if start:
            yield True, old[:start], new[:start]
        one, two = old[start : len(old) - end], new[start : len(new) - end]
        x = y = 0
        for at, other, length in [*self._snakes(one, two), (len(one), len(two), 0)]:
            if x < at or y < other:
                yield False, one[x:at], two[y:other]
            x, y = at + length, other + length
            if length:
                yield True, one[at:x], two[other:y]
        if end:
            yield True, old[len(old) - end :], new[len(new) - end :]

    def _snakes(self, old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
        """Equal passages as (place in old, place in new, length); none when it takes too long."""
        if not old or not new:
            return []
        goal = len(old) - len(new)
        # For each number of edits, by diagonal (place in old - place in new, from -edits to edits
        # by twos): how far in old one comes.
        trace: list[list[int]] = []
        for edits in range(min(_MOST_EDITS, len(old) + len(new)) + 1):
            reached: list[int] = []
            for at in range(edits + 1):
                k = 2 * at - edits
                begin = x = _step(trace, edits, at)[0]
                while x < len(old) and x - k < len(new) and old[x] == new[x - k]:
                    x += 1
                reached.append(x)
                self._steps -= x - begin + 1
                if k == goal and x >= len(old):
                    return _back([*trace, reached], at)
            if self._steps <= 0:
                break
            trace.append(reached)
        return []


def _step(trace: list[list[int]], edits: int, at: int) -> tuple[int, int]:
    """Where the last edit leads on a diagonal, and the diagonal's number among those before."""
    if edits == 0:
        return 0, 0
    before = trace[edits - 1]
    if at == 0 or (at < edits and before[at - 1] < before[at]):
        return before[at], at  # an insertion
    return before[at - 1] + 1, at - 1  # a deletion


def _back(trace: list[list[int]], at: int) -> list[tuple[int, int, int]]:
    """The equal passages on the way that was found, which ends on a diagonal."""
    found: list[tuple[int, int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        end, k = trace[edits][at], 2 * at - edits
        begin, at = _step(trace, edits, at)
        if end > begin:
            found.append((begin, begin - k, end - begin))
    return found[::-1]


def _joined(runs: Iterator[Run]) -> Iterator[Run]:
    """Runs without empty ones; of neighbours that change, the deletions first, as one each."""
    equal = deleted = inserted = ""
    parts: list[Run] = []
    for op, text in runs:
        if not text:
            continue
        if op == "equal":
            parts += _flushed(deleted, inserted)
            deleted = inserted = ""
            equal += text
        else:
            if equal:
                parts.append(("equal", equal))
                equal = ""
            deleted += text if op == "delete" else ""
            inserted += text if op == "insert" else ""
    if equal:
        parts += _flushed(deleted, inserted)
        deleted = inserted = ""
        parts.append(("equal", equal))
    yield from parts
    yield from _flushed(deleted, inserted)


def _flushed(deleted: str, inserted: str) -> list[Run]:
    changes: list[Run] = [("delete", deleted), ("insert", inserted)]
    return [change for change in changes if change[1]]


def _extends(piece: str) -> bool:
    """Whether a piece begins with what belongs to the letter before it."""
    first = piece[0]
    return not first.isascii() and (
        unicodedata.category(first)[0] == "M"
        or first == _JOINER
        or "\U0001f3fb" <= first <= "\U0001f3ff"
    )


def _continues(before: str, piece: str) -> bool:
    """Whether a piece goes on with a word that a mark or a joiner has cut."""
    last = before[-1]
    if last.isascii() or piece[0].isspace():
        return False
    if last == _JOINER:
        return True
    return (
        unicodedata.category(last)[0] == "M"
        and piece[0].isalnum()
        and not re.match(f"[{_DENSE}]", piece)
        and not re.match(f"[{_DENSE}]", before)
    )
