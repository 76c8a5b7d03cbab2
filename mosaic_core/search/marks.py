"""Marking what was looked for in what is shown of a hit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mosaic_core.search import CLOSE, OPEN
from mosaic_core.search.excerpts import excerpt
from mosaic_core.search.words import fold, separated

_MARKS = str.maketrans({OPEN: " ", CLOSE: " "})
#: Characters of an excerpt; fewer in scripts without spaces, where one says more.
_WORDS_SHOWN, _LETTERS_SHOWN = 200, 80


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in a text: words, folded as an index has them, and those that begin in one
    way; or letters, wherever they stand."""

    words: Collection[str] = ()
    beginning: str | None = None
    letters: tuple[str, ...] = ()

    def shown(self, title: str, summary: str, text: str) -> tuple[str, str]:
        """A hit's title and its excerpt: of the text, unless only the summary has a mark."""
        title, summary, text = (self._in(part) for part in (title, summary, text))
        shows = summary if OPEN in summary and OPEN not in text else text.strip() or summary
        return title.strip(), excerpt(shows, _LETTERS_SHOWN if self.letters else _WORDS_SHOWN)

    def _in(self, text: str) -> str:
        if self.letters:
            return mark_letters(text, self.letters)
        return mark_words(text, self.words, self.beginning)


def mark_words(text: str, words: Collection[str], beginning: str | None = None) -> str:
    """The text with the words marked in it.

    Args:
        words: folded, as an index has them.
        beginning: words that begin so are marked, too.
    """
    bare = text.translate(_MARKS)
    apart = separated(bare)
    # Folded at once, and not word by word: most texts are as long after it as before.
    folded = fold(apart)
    if apart.isascii() or _lengths(folded) == _lengths(apart):
        spans = _places(folded, words, beginning)
    else:
        spans = _numbered(folded, apart, words, beginning)
    pieces, done = [], 0
    for start, end in spans:
        pieces += [bare[done:start], OPEN, bare[start:end], CLOSE]
        done = end
    return "".join([*pieces, bare[done:]])


def _lengths(text: str) -> list[int]:
    return list(map(len, text.split(" ")))


def _places(folded: str, words: Collection[str], beginning: str | None) -> list[tuple[int, int]]:
    """Where the words stand in a text that has a space where its own has none of a word."""
    padded = f" {folded} "
    ends: dict[int, int] = {}
    for word in words:
        at = padded.find(f" {word} ")
        while at >= 0:
            ends[at] = at + len(word)
            at = padded.find(f" {word} ", at + len(word))
    if beginning is not None:
        at = padded.find(f" {beginning}")
        while at >= 0:
            ends[at] = padded.index(" ", at + 1) - 1
            at = padded.find(f" {beginning}", ends[at])
    return sorted(ends.items())


def _numbered(
    folded: str, apart: str, words: Collection[str], beginning: str | None
) -> list[tuple[int, int]]:
    """The same where the folds are of other lengths: they neither make nor take away a space, so
    the n-th word of the one is the n-th word of the other."""
    spans, start = [], 0
    for fold_of, word in zip(folded.split(" "), apart.split(" "), strict=True):
        end = start + len(word)
        if fold_of in words or (beginning is not None and fold_of.startswith(beginning)):
            spans.append((start, end))
        start = end + 1
    return spans


def mark_letters(text: str, words: Iterable[str]) -> str:
    """The text with the words marked wherever their letters stand, inside others too."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    return pattern.sub(lambda found: f"{OPEN}{found[0]}{CLOSE}", text.translate(_MARKS))
