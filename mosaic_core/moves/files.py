"""A tenant's files, where its two homes keep them in different places."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mosaic_core.errors import FileMissing
from mosaic_core.moves.home import Home
from mosaic_core.moves.progress import Progress

#: Files that are copied at a time: a cloud takes its time for each, however small.
_TOGETHER = 4


@dataclass(slots=True)
class FileCopies:
    """Copies what is missing and removes what is gone; each time it is cheaper.

    Attributes:
        there: digests of what the target has, by their keys, once it was asked.
        stays: both homes keep the files in one place.
    """

    source: Home
    target: Home
    there: dict[str, str] | None = None
    stays: bool = field(init=False)

    def __post_init__(self) -> None:
        self.stays = place_of(self.source) == place_of(self.target)

    async def level(self, progress: Progress) -> int:
        """Brings the target to what the source has; how many files that were.

        Raises:
            QuotaExceeded, StorageError: of what is written.
        """
        if self.stays:
            return 0
        if self.there is None:
            listed = self.target.storage.list(self.target.tenant)
            self.there = {info.key: info.digest async for info in listed}
        there, total = self.there, await self.source.storage.usage(self.source.tenant)
        seen: set[str] = set()
        size, changed = 0, 0
        going: set[asyncio.Task[bool]] = set()
        try:
            async for info in self.source.storage.list(self.source.tenant):
                seen.add(info.key)
                if there.get(info.key) != info.digest:
                    if len(going) == _TOGETHER:
                        changed += await _first(going)
                    going.add(asyncio.create_task(self._copy(info.key)))
                size += info.size
                await progress("bytes of files", size, max(size, total))
            while going:
                changed += await _first(going)
        finally:
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)
        for key in there.keys() - seen:
            await self._require()
            await self.target.storage.delete(self.target.tenant, key)
            del there[key]
            changed += 1
        return changed

    async def _copy(self, key: str) -> bool:
        await self._require()
        source, target = self.source, self.target
        try:
            info = await source.storage.stat(source.tenant, key)
            chunks = source.storage.read(source.tenant, key)
            await target.storage.write(
                target.tenant, key, chunks, size=info.size, digest=info.digest
            )
        except FileMissing:  # it was deleted meanwhile
            return False
        assert self.there is not None
        self.there[key] = info.digest
        return True

    async def _require(self) -> None:
        await self.target.require()


async def _first(going: set[asyncio.Task[bool]]) -> bool:
    """What came of one of several, which is taken out: the first to end."""
    done, _ = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
    task = done.pop()
    going.remove(task)
    return task.result()


def place_of(home: Home) -> str:
    """Where a home keeps files; the same for two homes that keep them together."""
    return home.storage.place(home.tenant)
