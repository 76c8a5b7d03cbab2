"""Passwords: which ones are good enough, and how they are kept.

A password is kept as an argon2id hash with the second of the parameters that RFC 9106 recommends
(section 4), and is compared in the form of RFC 8265, so that it counts however a keyboard writes
its letters.
"""

from __future__ import annotations

import asyncio
import base64
import os
import unicodedata
from collections.abc import Iterable

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from mosaic_core.errors import InvalidInput

#: Characters of a password.
SHORTEST, LONGEST = 12, 1_000
#: The lowest score of zxcvbn that is good enough: 10⁸ guesses do not find it.
_GOOD = 3
#: Characters at each end that are looked at. One end that is hard to guess makes all of it so.
_LOOKED_AT = 32
#: zxcvbn tries each way to read signs as letters, and their number is the product of those of each
#: letter: for all of these, some hundred times as many. One of each kind is enough.
_ALIKE = str.maketrans("{[<|", "(((!")
#: Hashes that are made at one time: each takes a processor and 64 MiB.
_AT_ONCE = 4


class Passwords:
    """Judges, hashes and compares passwords, off the event loop.

    Args:
        parameters: the cost of a hash. Those in a hash that was kept may be others.
    """

    def __init__(self, parameters: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._nobodys = _matches_nothing(parameters)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def require_good(self, password: str, *, about: Iterable[str] = ()) -> None:
        """Refuses a password that can be guessed.

        Args:
            about: what an attacker knows too, such as the address and the name.

        Raises:
            InvalidInput: it is too short, too long, or can be guessed; it says why.
        """
        given = _prepared(password)
        problem = None
        if len(given) < SHORTEST:
            problem = f"It has {len(given)} characters; it needs {SHORTEST} at least"
        elif len(given) > LONGEST:
            problem = f"It has more than {LONGEST:,} characters"
        else:
            known = [word for text in about for word in (text, *_words(text))]
            async with self._room:
                problem = await asyncio.to_thread(_guessable, given, known)
        if problem is not None:
            raise InvalidInput(
                f"This password is not good enough: {problem}.",
                hint="Four or five words that have nothing to do with each other make a good one.",
                problems=(("password", problem),),
            )

    async def hash(self, password: str) -> str:
        """What is kept of a password; at most 200 characters."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that was kept. It takes the same work when none was."""
        async with self._room:
            return await asyncio.to_thread(self._matches, kept, _bytes(password))

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(kept)

    def _matches(self, kept: str | None, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept or self._nobodys, password) and kept is not None
        except (VerifyMismatchError, InvalidHashError):
            return False


def _prepared(password: str) -> str:
    """The OpaqueString profile of RFC 8265, 4.2.2: spaces are ASCII's, and it is in NFC."""
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in password)
    return unicodedata.normalize("NFC", spaced)


def _bytes(password: str) -> bytes:
    return _prepared(password).encode("utf-8", "surrogatepass")


def _matches_nothing(parameters: Parameters) -> str:
    """A hash of no password, which takes as long to compare as any."""
    salt, made = (
        base64.b64encode(os.urandom(length)).decode().rstrip("=")
        for length in (parameters.salt_len, parameters.hash_len)
    )
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={parameters.version}${cost}${salt}${made}"


def _words(text: str) -> list[str]:
    """The parts of an address or a name."""
    parted = "".join(sign if sign.isalnum() else " " for sign in text)
    return [word for word in parted.split() if len(word) > 2]


def _guessable(password: str, known: list[str]) -> str | None:
    """Why a password can be guessed; None when it cannot. It takes half a second at most, whatever
    the password is."""
    from zxcvbn import zxcvbn

    ends = dict.fromkeys((password[:_LOOKED_AT], password[-_LOOKED_AT:]))
    why = ""
    for end in ends:
        found = zxcvbn(end.translate(_ALIKE), user_inputs=known)
        if found["score"] >= _GOOD:
            return None
        why = why or found["feedback"]["warning"].rstrip(".")
    return why or "It is easy to guess"
