"""Words that are meant by one that was typed wrongly: those of the index that are few slips away.

A slip is a letter left out, put in, replaced, or swapped with the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

#: Words that are compared with one that occurs nowhere; of those that are as near, the words whose
#: rows are counted; of these, the words that are tried, and that are looked for instead.
MOST_COMPARED: Final = 2_000
MOST_COUNTED: Final = 64
MOST_TRIED: Final = 24
MOST_NEAREST: Final = 4
#: Characters of a word that is worth looking for when another one was typed.
SPELLED: Final = (3, 66)


def by_slips(word: str, terms: Iterable[str]) -> list[list[str]]:
    """The terms that may be meant by a word: those no slip away, those one slip away, and so on."""
    most = errors_in(word)
    letters = frozenset(word)
    near: list[list[str]] = [[] for _ in range(most + 1)]
    for term in set(terms):
        if len(letters.symmetric_difference(term)) <= 2 * most:  # a slip changes two at most
            slips = distance(word, term, most)
            if slips <= most:
                near[slips].append(term)
    return near


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
    """The slips from one word to the other, or ``most + 1`` if there are more."""
    if one == other:
        return 0
    if most == 0 or abs(len(one) - len(other)) > most:
        return most + 1
    same = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        same += 1
    one, other = one[same:], other[same:]
    ways = [(one[1:], other[1:]), (one[1:], other), (one, other[1:])]
    if one[:2] == other[1::-1]:
        ways.append((one[2:], other[2:]))
    return 1 + min(distance(left, right, most - 1) for left, right in ways)
