"""Words as the index has them: how a query is taken apart, and how far one word is from another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

#: Of a query, what counts: characters, words, and characters of a word.
_MOST_QUERY, _MOST_WORDS, _MOST_WORD = 500, 10, 64

#: What the tokenizer leaves as it is and people write either way. Each replaces within a word, so
#: that a text has as many words before as after.
FOLDS = {
    **{"ı": "i", "ß": "ss", "ẞ": "ss", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"},
    **{"đ": "d", "Đ": "d", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe"},
    **{"ά": "α", "έ": "ε", "ή": "η", "ί": "ι", "ό": "ο", "ύ": "υ", "ώ": "ω"},
    **{"Ά": "α", "Έ": "ε", "Ή": "η", "Ί": "ι", "Ό": "ο", "Ύ": "υ", "Ώ": "ω"},
    **{"ϊ": "ι", "ϋ": "υ", "ΐ": "ι", "ΰ": "υ", "ё": "е", "Ё": "е"},
    **{"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه", "ـ": ""},
    **{chr(mark): "" for mark in range(0x64B, 0x653)},
}
_FOLD = str.maketrans(FOLDS)

#: From Thai to Khmer, and from kana on: scripts that put no spaces between words (Korean joins
#: particles to them), and a few harmless ones between. As a class for GLOB and for ``re`` alike.
SPACELESS = "[\u0e01-\u17ff\u3040-\ufffc]"
_SPACELESS = re.compile(SPACELESS)
#: The tokenizer takes accents off Latin letters, and off no others.
_ACCENTED = re.compile("([a-z])[\u0300-\u036f]+")


def words_of(text: str) -> list[str]:
    """The words of a query: letters, digits and marks on them, nothing else."""
    text = unicodedata.normalize("NFC", text[:_MOST_QUERY])
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in text)
    words = dict.fromkeys(word[:_MOST_WORD] for word in kept.split())
    return [word for word in words if _has_letter(fold(word))][-_MOST_WORDS:]


def _has_letter(word: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in word)


def is_spaceless(word: str) -> bool:
    """Whether the word is in a script that does not say where words end."""
    return _SPACELESS.search(word) is not None


def fold(word: str) -> str:
    """The word without case, accents and ways of writing, as the index has it."""
    apart = unicodedata.normalize("NFD", word.translate(_FOLD).lower())
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", apart)).translate(_FOLD)


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
