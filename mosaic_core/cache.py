"""The cache contract: what the instances of a deployment share, and may lose at any moment.

Nothing relies on it that was not chosen to. What is kept here may be gone, and what was published
may not arrive: then a page is a little older, a limit counts for each process alone, who has their
session here signs in again, and nothing that was revoked counts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: ``limit`` times in ``seconds``, spread evenly, and
    ``burst`` times at once; all are positive."""

    limit: int
    seconds: int
    burst: int

    @property
    def interval(self) -> float:
        """Seconds after which a bucket has one token more."""
        return self.seconds / self.limit


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking a token from a bucket.

    Attributes:
        remaining: whole tokens that are left.
        wait: seconds until there is a token; 0 when one was taken.
        reset: seconds until the bucket is full.
    """

    remaining: int
    wait: float
    reset: float

    @property
    def refused(self) -> bool:
        return self.wait > 0


@runtime_checkable
class Cache(Protocol):
    """Values for a time, buckets of tokens, and channels. Safe to use from any number of tasks.

    Keys and channels are text without control characters, at most 400 characters. Whatever is asked
    may raise ``CacheUnavailable``, soon: the cache is not there, or does not answer.
    """

    async def get(self, key: str) -> bytes | None:
        """What was kept under a key; None when nothing is, or not any more."""
        ...

    async def set(self, key: str, value: bytes, *, seconds: float) -> None:
        """Keeps a value for so many seconds, in place of an earlier one."""
        ...

    async def swap(self, key: str, seen: bytes | None, value: bytes, *, seconds: float) -> bool:
        """Keeps a value in place of the one that the caller has seen, or of none, in one step;
        False when something else is there by now, which stays."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forgets what is kept under some keys."""
        ...

    async def take(self, key: str, rate: Rate) -> Taken:
        """Takes a token from the bucket of a key, in one step whoever else takes one.

        A bucket that nobody took from for long is full. One key is used with one rate.
        """
        ...

    async def publish(self, channel: str, message: str) -> None:
        """Sends a message to those who subscribe to a channel now, in any process."""
        ...

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """The messages of a channel, from when the context is entered on and in order, for ever.

        Raises:
            CacheUnavailable: also while it is read; what came meanwhile is lost.
        """
        ...
