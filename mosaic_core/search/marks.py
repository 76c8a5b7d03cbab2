"""Marking in a text what was looked for, word by word, where a database does not do that itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from mosaic_core.search import CLOSE, OPEN
from mosaic_core.search.words import MOST_WORD, fold, spans

_MARKS = str.maketrans({OPEN: " ", CLOSE: " "})


def mark_words(text: str, words: Collection[str], beginning: str | None = None) -> str:
    """The text with the words marked in it.

    Args:
        words: folded, as an index has them.
        beginning: words that begin so are marked, too.
    """
    bare = text.translate(_MARKS)
    known: dict[str, bool] = {}
    pieces, done = [], 0
    for start, end in spans(bare):
        word = bare[start:end]
        if word not in known:
            folded = fold(word)[:MOST_WORD]
            known[word] = folded in words or (
                beginning is not None and folded.startswith(beginning)
            )
        if known[word]:
            pieces += [bare[done:start], OPEN, word, CLOSE]
            done = end
    return "".join([*pieces, bare[done:]])


def mark_letters(text: str, words: Iterable[str]) -> str:
    """The text with the words marked wherever their letters stand, inside others too."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    return pattern.sub(lambda found: f"{OPEN}{found[0]}{CLOSE}", text.translate(_MARKS))
