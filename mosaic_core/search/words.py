"""Words as an index has them, and how texts and queries are taken apart into such."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Of a query, what counts: characters, words, and characters of a word.
_MOST_QUERY, _MOST_WORDS = 500, 10
MOST_WORD: Final = 64

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
    words = dict.fromkeys(word[:MOST_WORD] for word in separated(text).split())
    return [word for word in words if _has_letter(fold(word))][-_MOST_WORDS:]


def separated(text: str) -> str:
    """The text with a space for each character that is in no word."""
    return text.translate(_Separated())


class _Separated(dict[int, int]):
    """For ``str.translate``: what is in no word becomes a space, one for each character."""

    def __missing__(self, code: int) -> int:
        kept = self[code] = code if unicodedata.category(chr(code))[0] in "LNM" else 0x20
        return kept


def _has_letter(word: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in word)


def is_spaceless(word: str) -> bool:
    """Whether the word is in a script that does not say where words end."""
    return _SPACELESS.search(word) is not None


def fold(word: str) -> str:
    """The word without case, accents and ways of writing, as the index has it."""
    if word.isascii():  # most are
        return word.lower()
    apart = unicodedata.normalize("NFD", word.translate(_FOLD).lower())
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", apart)).translate(_FOLD)
