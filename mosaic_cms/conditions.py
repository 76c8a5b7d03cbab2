"""On which conditions something is written for a caller: once, and over nothing unseen."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mosaic_core.errors import Stale
from mosaic_core.head import Write

T = TypeVar("T")


class SeenBefore(Stale):
    """Somebody wrote since a caller looked, perhaps to something else."""


@dataclass(slots=True)
class Conditions:
    """What a caller says of the writes that are done for them.

    Attributes:
        key: makes the ids of the writes, so that what is sent twice is done once.
        look: looks whether what is to be changed is what the caller has seen, notes the versions at
            which it is, and raises Stale when it is not.
        seen: the version of the tenant at that look, and
        platform: that of the platform database; None when anybody may have written since.
        named: they said what they have seen, not only that it be there.
    """

    key: bytes | None = None
    look: Callable[[], Awaitable[None]] | None = None
    seen: int | None = None
    platform: int | None = None
    named: bool = False
    writes: int = 0

    def next_id(self) -> uuid.UUID | None:
        """The id of the next write; None for any."""
        if self.key is None:
            return None
        self.writes += 1
        made = hashlib.sha256(self.key + self.writes.to_bytes(4)).digest()
        return uuid.UUID(bytes=made[:16], version=5)

    async def attempt(self, write: Callable[[], Awaitable[T]]) -> T:
        """A write that begins with one of the two checks below; as often as somebody else wrote
        before it to something that is not the caller's matter.

        Raises:
            Stale: it is not any more what the caller has seen.
        """
        while True:
            try:
                return await write()
            except SeenBefore:
                if self.look is None:
                    raise
                await self.look()

    def require(self, write: Write) -> None:
        """Raises SeenBefore when somebody else wrote to the tenant since the look."""
        _require_next(write, self.seen)

    async def require_on_platform(self, write: Write) -> None:
        """Raises SeenBefore when somebody else wrote to the platform database since the look."""
        _require_next(write, self.platform)

    def committed(self, version: int) -> None:
        """What the caller wrote themselves they have seen."""
        if self.seen is not None:
            self.seen = version

    def committed_on_platform(self) -> None:
        """The same; there everybody writes all the time, and what was looked at is done."""
        self.platform = None


def _require_next(write: Write, seen: int | None) -> None:
    if seen is not None and write.version != seen + 1:
        raise SeenBefore("Somebody wrote meanwhile.", hint="Look again.")
