"""What visitors read: through kept connections, in the event loop's thread.

The head of a *file at rest* is known without opening it: nobody has the file open, and it is the
same as when its head was last read. That is certain. Every program that opens the database has a
write-ahead log beside it, and the last to close it copies the log into the file, which gives the
file another time of change, before it takes the log away. So without a log all that was committed
is in the file; and the same time of change means that nothing came since, given that the head was
read well after that time, so that no later change could have the same one.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Select

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.database.inline import InlineDialect
from mosaic_core.database.prepared import Prepared
from mosaic_core.errors import DatabaseBusy, DatabaseDamaged, DatabaseError, DatabaseMissing
from mosaic_core.file_databases import disk
from mosaic_core.file_databases.naming import Names
from mosaic_core.file_databases.readers import Readers
from mosaic_core.persistence import HeadState, HeadStatus
from mosaic_core.tenants import TenantContext

_HEAD = "SELECT version, published, status, epoch, owner FROM head"
#: Nanoseconds after which a change has another time than the one before it, on any file system.
_SETTLED = 3_000_000_000

Stamp = tuple[int, int, int]


class Reading:
    """Reads tenants' files, of which at most ``max_open`` are open."""

    def __init__(self, max_open: int, schema: TenantSchema, names: Names) -> None:
        self._schema = schema
        self._names = names
        self._readers = Readers(max_open, self._check)
        self._dialect = InlineDialect()
        self._prepared: dict[Select[Any], Prepared] = {}
        #: By the names of the files.
        self._at_rest: dict[str, tuple[str, Stamp, HeadState]] = {}

    def close(self, path: Path) -> None:
        """Closes one file, if it is open, and knows nothing of it any more."""
        self._readers.close(path)
        self._at_rest.pop(path.name, None)

    def close_all(self) -> None:
        self._readers.close_all()

    async def prove(self, tenant: TenantContext, path: Path) -> None:
        """Raises unless the file is this tenant's, whole as far as one sees, and current."""
        await self._reader(tenant, path)

    def glance(self, name: str) -> HeadState | None:
        """The head of a file at rest, by its name."""
        # Kept short: most looks at the heads of a large fleet are no more than this.
        known = self._at_rest.get(name)
        if known is None:
            return None
        path, stamp, state = known
        return state if _stamp(path) == stamp else None

    async def head(self, tenant: TenantContext, path: Path) -> HeadState:
        """The head row, as it is now."""
        known = self.glance(path.name)
        if known is not None:
            return known
        stamp = _stamp(str(path))
        settled = time.time_ns() - _SETTLED
        with sqlite.translating(subject_of(tenant)):
            reader = await self._reader(tenant, path, verify=True)
            state = _state(self._head_row(path, reader))
        if stamp is not None and stamp[2] < settled:
            self._at_rest[path.name] = (str(path), stamp, state)
        return state

    def head_behind(self, tenant: TenantContext, path: Path) -> HeadState:
        """The head row at whatever revision, for which nothing is kept. Blocks."""
        with (
            sqlite.translating(subject_of(tenant)),
            closing(sqlite.connect(path, writable=False)) as connection,
        ):
            return _state(self._head_row(path, connection))

    async def published(
        self,
        tenant: TenantContext,
        path: Path,
        query: Select[Any],
        parameters: Mapping[str, Any],
    ) -> Sequence[tuple[Any, ...]]:
        """The rows of a query that is compiled once."""
        prepared = self._prepared.get(query)
        if prepared is None:
            prepared = self._prepared[query] = Prepared.compile(query, self._dialect, "main")
        reader = await self._reader(tenant, path)
        try:
            with sqlite.translating(subject_of(tenant)):
                found = reader.execute(prepared.sql, prepared.values(parameters)).fetchall()
                return prepared.rows(found)
        except DatabaseError:
            self._readers.close(path)
            raise

    async def size(self, tenant: TenantContext, path: Path) -> int:
        """Bytes in use, free pages not among them."""
        pages, free = await self.pages(tenant, path)
        return (pages - free) * sqlite.PAGE_SIZE

    async def pages(self, tenant: TenantContext, path: Path) -> tuple[int, int]:
        """How many pages the database has, those in its log among them, and how many are free."""
        reader = await self._reader(tenant, path)
        with sqlite.translating(subject_of(tenant)):
            pages: int = self._read(path, reader, "PRAGMA page_count")[0]
            free: int = self._read(path, reader, "PRAGMA freelist_count")[0]
        return pages, free

    async def _reader(
        self, tenant: TenantContext, path: Path, *, verify: bool = False
    ) -> sqlite3.Connection:
        """The kept connection; opening it proves that the file is this tenant's and current.

        Another process that opens or closes the file locks it for a moment, so that opening is
        tried again, without stopping the event loop.
        """
        for pause in (0.01, 0.05, 0.2):
            try:
                return self._opened(tenant, path, verify)
            except DatabaseBusy:
                await asyncio.sleep(pause)
        return self._opened(tenant, path, verify)

    def _opened(self, tenant: TenantContext, path: Path, verify: bool) -> sqlite3.Connection:
        try:
            with sqlite.translating(subject_of(tenant), files=True):
                return self._readers.get(path, verify=verify)
        except DatabaseMissing:
            if os.access(path, os.R_OK) and not os.access(path.parent, os.W_OK):
                # Even a reader needs the shared memory beside the file.
                folder = f"The folder of the database of {tenant.slug!r}"
                raise sqlite.read_only(folder) from None
            raise

    def _check(self, reader: sqlite3.Connection, path: Path) -> None:
        revision = disk.revision(reader, path)
        history = self._schema.history
        if revision != history.current:
            subject = f"The database {path.name}"
            history.require_servable(revision, disk.applied(reader), subject)
        self._head_row(path, reader)

    def _head_row(self, path: Path, reader: sqlite3.Connection) -> tuple[Any, ...]:
        row = self._read(path, reader, _HEAD)
        home = self._names.home(path.stem)
        if home is None or row[4] != home.tenant_id:
            self._readers.close(path)
            raise DatabaseDamaged(
                f"The database {path.name} belongs to another tenant.",
                hint="A file was renamed or copied: put each tenant's own file back.",
            )
        return row

    def _read(self, path: Path, reader: sqlite3.Connection, sql: str) -> tuple[Any, ...]:
        try:
            row: tuple[Any, ...] | None = reader.execute(sql).fetchone()
        except sqlite3.Error:
            self._readers.close(path)
            raise
        if row is None:
            raise DatabaseDamaged(
                f"{path.name} has no head row.", hint="Restore the file from a backup."
            )
        return row


def subject_of(tenant: TenantContext) -> str:
    """What an error about a tenant's database calls it."""
    return f"The database of {tenant.slug!r}"


def _state(row: tuple[Any, ...]) -> HeadState:
    return HeadState(row[0], row[1], HeadStatus(row[2]), row[3])


def _stamp(path: str) -> Stamp | None:
    """What is another after any change to a file at rest; None when it is not at rest."""
    # In this order: what is committed between the two questions may be seen or not.
    if os.access(f"{path}-wal", os.F_OK):
        return None
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_ctime_ns
