"""A file that comes in one stream: small ones in one request, others as blocks of a draft."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient

from mosaic_storage_azureblob.errors import translated
from mosaic_storage_azureblob.layout import Space
from mosaic_storage_azureblob.ledger import Ledger
from mosaic_storage_azureblob.placing import (
    DRAFTS,
    Send,
    block_of,
    copying,
    discard,
    find,
    made,
    new_draft,
    sending,
)


class Receiving:
    """What has come of a file; at most one block of it is in memory."""

    def __init__(self, space: Space, ledger: Ledger, key: str, block_size: int) -> None:
        self._space, self._ledger, self._key = space, ledger, key
        self._block_size = block_size
        self._buffer = bytearray()
        self._found = hashlib.sha256()
        self._room = ledger.limit
        self._blocks: list[BlobBlock] = []
        self.size = 0
        #: The name of the draft, once there is one.
        self.draft: str | None = None

    @property
    def digest(self) -> str:
        """The hex SHA-256 of what has come."""
        return self._found.hexdigest()

    async def take(self, chunk: bytes) -> None:
        """Takes what comes next.

        Raises:
            QuotaExceeded: there is no room for so much.
        """
        self.size += len(chunk)
        if self._room is not None and self.size > self._room:
            raise self._ledger.full()
        self._found.update(chunk)
        self._buffer += chunk
        while len(self._buffer) > self._block_size:
            await self._send_block(self._block_size)

    async def complete(self) -> Send:
        """How all of it gets into its place."""
        if self.draft is None:
            return sending(bytes(self._buffer))
        if self._buffer:
            await self._send_block(len(self._buffer))
        blob = self._blob()
        with translated(self._key):
            await blob.commit_block_list(self._blocks)
        return copying(blob, self._space, self.size)

    async def _send_block(self, length: int) -> None:
        if self.draft is None:
            self.draft = new_draft()
            if self._ledger.limit is not None:
                await self._look_for_room(self._ledger.limit)
        blob, block = self._blob(), block_of(len(self._blocks) + 1)
        content = bytes(memoryview(self._buffer)[:length])
        with translated(self._key):
            await made(self._space, blob, lambda: blob.stage_block(block, content))
        del self._buffer[:length]
        self._blocks.append(BlobBlock(block_id=block))

    async def _look_for_room(self, limit: int) -> None:
        """A large file is refused on its way, not when all of it is here."""
        old = await find(self._space.file(self._key), self._key)
        used = (await self._ledger.read()).total
        self._room = limit - used + (0 if old is None else int(old.size))
        if self.size > self._room:
            raise self._ledger.full()

    def _blob(self) -> BlobClient:
        return self._space.aside(f"{DRAFTS}{self.draft}")


@asynccontextmanager
async def stream(
    space: Space, ledger: Ledger, key: str, block_size: int
) -> AsyncIterator[Receiving]:
    """Receives a file; its draft, if it needed one, is gone when this ends."""
    receiving = Receiving(space, ledger, key, block_size)
    try:
        yield receiving
    finally:
        if receiving.draft is not None:
            await discard(space, receiving.draft)
