"""What counts towards a tenant's limit, in one blob that any number of processes change.

Whoever changes what is stored claims its bytes first, then changes it, then settles the claim: the
bytes of the files are what they are now, and the claim is gone. Each step is a compare-and-swap on
the blob's ETag. Whoever is killed between leaves a claim: the number is too high, never too low,
and a sweep removes claims that are old and counts anew.

An upload is a claim as well, one that lasts: it has the key and the digest that were announced.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from pydantic import BaseModel

from mosaic_core.errors import FileMissing, QuotaExceeded, StorageBusy
from mosaic_core.tenants import TenantContext
from mosaic_storage_azureblob.errors import code_of, translated
from mosaic_storage_azureblob.layout import Space

_NAME = "usage.json"
#: Attempts at one change, with random pauses: others change it as well.
_MOST_TRIES = 40


class Claim(BaseModel):
    """Bytes that will be stored: of a change that goes on, or of an upload (then with its key)."""

    size: int
    since: float
    key: str | None = None
    digest: str | None = None
    part_size: int = 0
    #: Of an upload: whoever is making it a file, or was stopped at that.
    placer: str | None = None


class Book(BaseModel):
    """What is in the blob: bytes of files, and claims by id."""

    files: int = 0
    claims: dict[str, Claim] = {}

    @property
    def total(self) -> int:
        return self.files + sum(claim.size for claim in self.claims.values())


class Ledgers:
    """The ledgers that are in use in this process, one for each tenant, so that its own changes do
    not compete."""

    def __init__(self) -> None:
        self._open: WeakValueDictionary[tuple[str, str, str], Ledger] = WeakValueDictionary()

    def of(
        self,
        space: Space,
        tenant: TenantContext,
        limit: int | None,
        count: Callable[[], Awaitable[int]],
    ) -> Ledger:
        key = str(space.account.service.account_name), space.home, space.base
        ledger = self._open.get(key)
        if ledger is None:
            ledger = self._open[key] = Ledger(space)
        ledger.tenant, ledger.limit, ledger.recount = tenant, limit, count
        return ledger


class Ledger:
    """One tenant's ledger; ``recount`` sums up the tenant's files."""

    tenant: TenantContext
    limit: int | None
    recount: Callable[[], Awaitable[int]]

    def __init__(self, space: Space) -> None:
        self._space = space
        self._blob = space.aside(_NAME)
        self._turn = asyncio.Lock()
        self._keys: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        #: What was last seen, and its ETag; None as ETag where there is no blob.
        self._seen: tuple[Book, str | None] | None = None

    def turn(self, key: str) -> asyncio.Lock:
        """Held while the blob of a key is changed, so that changes in this process wait for each
        other instead of trying again."""
        return self._keys.setdefault(key, asyncio.Lock())

    async def read(self) -> Book:
        """The book as it is now."""
        async with self._turn:
            self._seen = await self._load()
            return self._seen[0]

    @asynccontextmanager
    async def claimed(self, size: int, *, replaced: int = 0) -> AsyncIterator[Settling]:
        """Claims bytes for a change, which then says how many more (or less) there are of files.

        Raises:
            QuotaExceeded: they do not fit, not even when ``replaced`` bytes go.
        """
        claim_id = uuid.uuid4().hex

        def claim(book: Book) -> None:
            self._require_room(book, size - replaced)
            book.claims[claim_id] = Claim(size=size, since=time.time())

        await self.change(claim)
        settling = Settling()
        try:
            yield settling
        finally:
            # A request that was sent may have been carried out: then nobody knows, and the claim
            # stays until a sweep counts anew.
            if settling.known:
                await asyncio.shield(self.settle(claim_id, settling.difference or 0))

    @asynccontextmanager
    async def placing(self, upload_id: str, *, replaced: int) -> AsyncIterator[Settling]:
        """Makes an upload a file, instead of one of ``replaced`` bytes; it goes on if nothing
        comes of that.

        Whoever was stopped at it may have made the file, and others may have replaced it since.
        What was claimed then stands for that one until a sweep, and its bytes are claimed again.

        Raises:
            FileMissing: the upload is over.
            QuotaExceeded: somebody was stopped at it, and there is no room for both.
        """
        placer = uuid.uuid4().hex

        def begin(book: Book) -> None:
            claim = book.claims.get(upload_id)
            if claim is None or claim.key is None:
                raise FileMissing("There is no such upload.", hint="Begin it anew.")
            if claim.placer not in (None, placer):
                self._require_room(book, claim.size - replaced)
                book.claims[placer] = Claim(size=claim.size, since=time.time())
            claim.placer, claim.since = placer, time.time()

        def go_on(book: Book) -> None:
            claim = book.claims.get(upload_id)
            if claim is not None and claim.placer == placer:
                claim.placer = None
                if claim.key is None:  # it was ended meanwhile
                    del book.claims[upload_id]

        await self.change(begin)
        settling = Settling()
        try:
            yield settling
        finally:
            if settling.known and settling.difference is None:
                await asyncio.shield(self.change(go_on))
            elif settling.known:
                await asyncio.shield(self.settle(upload_id, settling.difference or 0))

    async def settle(self, claim_id: str, difference: int) -> None:
        """Ends a claim; there are so many more bytes of files. Once: when the answer to a first
        attempt was lost, the claim is gone, and the bytes are counted."""

        def end(book: Book) -> None:
            if book.claims.pop(claim_id, None) is not None:
                book.files += difference

        await self.change(end)

    async def begin(self, upload_id: str, claim: Claim) -> None:
        """Notes an upload, if it fits."""

        def note(book: Book) -> None:
            self._require_room(book, claim.size)
            book.claims[upload_id] = claim

        await self.change(note)

    async def end(self, upload_id: str) -> bool:
        """Ends an upload; whether there was one. If it is just being made a file, its bytes count
        until that is known."""
        found = False

        def note(book: Book) -> None:
            nonlocal found
            claim = book.claims.get(upload_id)
            found = claim is not None and claim.key is not None
            if claim is not None and claim.placer:
                claim.key = None
            elif found:
                del book.claims[upload_id]

        await self.change(note)
        return found

    async def sweep(self, before: float) -> list[str]:
        """Removes claims that are older than an instant and counts anew, unless somebody is just
        changing something; returns the ids of the uploads that were removed."""
        removed: list[str] = []
        for _ in range(_MOST_TRIES):
            async with self._turn:
                book, etag = await self._load()
                old = {name: c for name, c in book.claims.items() if c.since <= before}
                removed += [name for name, claim in old.items() if claim.key is not None]
                kept = {name: c for name, c in book.claims.items() if name not in old}
                if etag is None and not kept:
                    return removed
                busy = any(claim.key is None or claim.placer for claim in kept.values())
                # Nobody began in between if the blob is the same still when it is replaced.
                files = book.files if busy else await self.recount()
                if await self._store(Book(files=files, claims=kept), etag):
                    return removed
        return removed

    async def change(self, edit: Callable[[Book], None]) -> None:
        """Changes the book as ``edit`` does; it may be called again."""
        for tries in range(_MOST_TRIES):
            async with self._turn:
                if self._seen is None:
                    self._seen = await self._load()
                book, etag = self._seen
                edited = book.model_copy(deep=True)
                try:
                    edit(edited)
                except (QuotaExceeded, FileMissing):
                    # Perhaps not any more: what was seen last may be old.
                    fresh = await self._load()
                    if fresh == self._seen:
                        raise
                    self._seen = fresh
                    continue
                if await self._store(edited, etag):
                    return
            await asyncio.sleep(random.uniform(0, 0.02 * min(tries + 1, 10)))  # noqa: S311
        raise StorageBusy(
            f"Too many change the files of {self.tenant.slug!r} at once.", hint="Try again."
        )

    async def _load(self) -> tuple[Book, str | None]:
        with translated(self.tenant.slug):
            try:
                found = await self._blob.download_blob()
                content = await found.readall()
            except ResourceNotFoundError:
                return Book(files=await self.recount()), None
        return Book.model_validate_json(content), str(found.properties.etag)

    async def _store(self, book: Book, etag: str | None) -> bool:
        """Whether the blob was still the one with this ETag; then it is replaced."""
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if etag is not None:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        content = json.dumps(book.model_dump(mode="json", exclude_defaults=True)).encode()
        self._seen = None
        with translated(self.tenant.slug):
            try:
                stored = await self._upload(content, condition)
            except (ResourceModifiedError, ResourceExistsError):
                return False
        self._seen = book, str(stored["etag"])
        return True

    async def _upload(self, content: bytes, condition: dict[str, Any]) -> dict[str, Any]:
        for attempt in (1, 2):
            try:
                return await self._blob.upload_blob(content, overwrite=True, **condition)
            except HttpResponseError as error:
                if attempt == 2 or code_of(error) != "ContainerNotFound":
                    raise
                await self._space.account.make_container(self._space.home)
        raise AssertionError

    def _require_room(self, book: Book, size: int) -> None:
        if self.limit is not None and size > 0 and book.total + size > self.limit:
            raise self.full()

    def full(self) -> QuotaExceeded:
        """The error of what does not fit."""
        return QuotaExceeded(
            f"The files of {self.tenant.slug!r} are at the {self.tenant.tier} tier's limit.",
            hint="Delete some, or move up a tier.",
        )


class Settling:
    """What came of a change, unless that is not known: ``difference`` in bytes of files; None where
    nothing was changed."""

    def __init__(self) -> None:
        self.known = True
        self.difference: int | None = None
