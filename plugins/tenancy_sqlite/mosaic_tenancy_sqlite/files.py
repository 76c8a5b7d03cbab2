"""The strategy itself: ``<data>/tenants/<tenant id>.db``, one file per tenant.

Two ways lead to a file. Editing sessions and writes go through one SQLAlchemy engine for all files
(so that statements are compiled once) and open the file for as long as they last. Visitors' reads
go through kept synchronous connections (:mod:`.readers`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.database.inline import InlineConnection
from mosaic_core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseError,
    DatabaseMissing,
    DiskFull,
    QuotaExceeded,
)
from mosaic_core.head import TENANT, WriteLimits, Writer, first_head, install_guard
from mosaic_core.head.log import migrate as migrate_with_log
from mosaic_core.persistence import Capabilities, Fill, HeadState, HeadStatus, Problem
from mosaic_core.tenants import TenantContext, Tier
from mosaic_tenancy_sqlite.plugin import SQLiteSettings
from mosaic_tenancy_sqlite.readers import Prepared, Readers
from mosaic_tenancy_sqlite.template import template_bytes

#: Where a database file says how it is journalled, and the two ways (sqlite.org/fileformat.html,
#: section 1.3.3). A draft does without the write-ahead log, whose files would be made and removed.
_JOURNAL_AT = 18
_ROLLBACK, _WRITE_AHEAD = b"\1\1", b"\2\2"
_FIRST_HEAD = (
    "INSERT INTO head (owner, status, epoch, version, published, digest, base_version) "
    "VALUES (:owner, :status, :epoch, :version, :published, :digest, :base_version)"
)
#: A migration may have a hundred megabytes to go through.
_MIGRATING = WriteLimits(function=1800.0)
_HEAD = "SELECT version, published, status, epoch, owner FROM head"


@dataclass(frozen=True, slots=True)
class _Target:
    """The file that the engine's next connection opens."""

    path: Path
    writable: bool
    pages: int | None = None
    durable: bool = True


class TenantFiles:
    """Implements :class:`mosaic_core.persistence.Persistence`."""

    capabilities = Capabilities(single_host=True, verifies_pages=True)

    def __init__(
        self,
        folder: Path,
        settings: SQLiteSettings,
        schema: TenantSchema,
        tiers: Mapping[str, Tier],
        template: bytes,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._schema = schema
        self._tiers = tiers
        self._template = template
        self._turns = sqlite.Turns()
        self._sessions = asyncio.Semaphore(settings.max_sessions)
        self._readers = Readers(settings.max_open, self._check_reader)
        self._prepared: dict[Select[Any], Prepared] = {}
        # Set around a connect and nowhere else: one engine serves every file, so that compiled
        # statements and the guard are shared, and this says which file the pool is to open.
        self._target: ContextVar[_Target] = ContextVar("target")
        self._engine = create_async_engine(
            "sqlite+aiosqlite://",
            poolclass=NullPool,
            async_creator=self._connect,
            execution_options={"schema_translate_map": {"tenant": None}},
        )
        sqlite.explicit_transactions(self._engine.sync_engine)
        install_guard(self._engine.sync_engine)

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: SQLiteSettings,
        schema: TenantSchema,
        tiers: Mapping[str, Tier],
    ) -> TenantFiles:
        with sqlite.translating(f"The folder {folder.name!r} of tenant databases", files=True):
            folder.mkdir(parents=True, exist_ok=True)
            template = await asyncio.to_thread(template_bytes, folder.parent / "templates", schema)
        return cls(folder, settings, schema, tiers, template)

    async def close(self) -> None:
        self._readers.close_all()
        await self._engine.dispose()

    # Sessions

    @asynccontextmanager
    async def session(self, tenant: TenantContext) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._sessions:
            await self._reader(tenant, path)
            async with self._connected(tenant, _Target(path, writable=False)) as session:
                yield session

    @asynccontextmanager
    async def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False
    ) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._turns.take(path.with_suffix(".lock")), self._sessions:
            await self._reader(tenant, path)
            target = _Target(path, writable=True, pages=self._pages(tenant, reserve=reserve))
            async with self._connected(tenant, target) as session:
                yield session

    @asynccontextmanager
    async def _connected(
        self, tenant: TenantContext, target: _Target
    ) -> AsyncIterator[AsyncSession]:
        try:
            with sqlite.translating(_subject(tenant)):
                async with AsyncExitStack() as stack:
                    token = self._target.set(target)
                    try:
                        connection = await stack.enter_async_context(self._engine.connect())
                    finally:
                        self._target.reset(token)
                    session = AsyncSession(connection, expire_on_commit=False)
                    yield await stack.enter_async_context(session)
        except sqlite.Full as error:
            raise self._full(tenant, target) from error

    async def _connect(self) -> InlineConnection:
        target = self._target.get()
        return await sqlite.connect_inline(
            target.path, writable=target.writable, pages=target.pages, durable=target.durable
        )

    # Visitors' reads

    async def head(self, tenant: TenantContext) -> HeadState:
        path = self._path(tenant)
        with sqlite.translating(_subject(tenant)):
            reader = await self._reader(tenant, path, verify=True)
            row = self._head_row(path, reader)
        return HeadState(row[0], row[1], HeadStatus(row[2]), row[3])

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        prepared = self._prepared.get(query)
        if prepared is None:
            prepared = Prepared.compile(query, self._engine.dialect)
            self._prepared[query] = prepared
        path = self._path(tenant)
        reader = await self._reader(tenant, path)
        try:
            with sqlite.translating(_subject(tenant)):
                return prepared.run(reader, parameters)
        except DatabaseError:
            self._readers.close(path)
            raise

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
            with sqlite.translating(_subject(tenant), files=True):
                return self._readers.get(path, verify=verify)
        except DatabaseMissing:
            if os.access(path, os.R_OK) and not os.access(path.parent, os.W_OK):
                # Even a reader needs the shared memory beside the file.
                raise sqlite.read_only(f"The folder of the database of {tenant.slug!r}") from None
            raise

    def _check_reader(self, reader: sqlite3.Connection, path: Path) -> None:
        self._schema.history.require_current(_revision(reader, path), f"The database {path.name}")
        self._head_row(path, reader)

    def _head_row(self, path: Path, reader: sqlite3.Connection) -> tuple[Any, ...]:
        row = self._read(path, reader, _HEAD)
        if row[4] != path.name.partition(".")[0]:
            self._readers.close(path)
            raise DatabaseDamaged(
                f"The database {path.name} belongs to another tenant.",
                hint="A file was renamed or copied: put each tenant's own file back.",
            )
        return row

    # Life

    async def provision(self, tenant: TenantContext, fill: Fill | None = None) -> None:
        path = self._path(tenant)
        draft = path.with_suffix(".new")
        subject = _subject(tenant)
        async with self._turns.take(path.with_suffix(".lock")):
            if path.exists():
                raise Conflict(f"{subject} exists already.", hint="Drop it first.")
            try:
                with sqlite.translating(subject, files=True):
                    self._draft(draft, tenant)
                if fill is not None:
                    await fill(partial(self._filling, tenant, draft))
                with sqlite.translating(subject, files=True):
                    _settle(draft, path)
            finally:
                _remove(draft)

    def _draft(self, draft: Path, tenant: TenantContext) -> None:
        _remove(draft)  # from a process that was killed: its log would be replayed into ours
        draft.write_bytes(_with_journal(self._template, _ROLLBACK))
        connection = sqlite3.connect(sqlite.uri(draft), uri=True)
        try:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_FIRST_HEAD, first_head(tenant.tenant_id, tenant.epoch))
            connection.commit()
        finally:
            connection.close()

    @asynccontextmanager
    async def _filling(
        self, tenant: TenantContext, draft: Path, *, reserve: bool
    ) -> AsyncIterator[AsyncSession]:
        pages = self._pages(tenant, reserve=reserve)
        target = _Target(draft, writable=True, pages=pages, durable=False)
        async with self._connected(tenant, target) as session:
            yield session

    async def revision(self, tenant: TenantContext) -> str:
        path = self._path(tenant)

        def read() -> str:
            connection = sqlite.connect(path, writable=False)
            try:
                return _revision(connection, path)
            finally:
                connection.close()

        with sqlite.translating(_subject(tenant)):
            return await asyncio.to_thread(read)

    async def migrate(self, tenant: TenantContext) -> str:
        path = self._path(tenant)

        @asynccontextmanager
        async def begin(*, reserve: bool) -> AsyncIterator[AsyncSession]:
            target = _Target(path, writable=True, pages=self._pages(tenant, reserve=True))
            async with self._connected(tenant, target) as session:
                yield session

        async with self._turns.take(path.with_suffix(".lock")):
            self._readers.close(path)
            writer = Writer(TENANT, tenant.tenant_id, begin, limits=_MIGRATING)
            return await migrate_with_log(writer, TENANT, self._schema, _subject(tenant))

    async def compact(self, tenant: TenantContext) -> None:
        path = self._path(tenant)

        def vacuum() -> None:
            connection = sqlite.connect(path, writable=True)
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

        async with self._turns.take(path.with_suffix(".lock")):
            with sqlite.translating(_subject(tenant)):
                await asyncio.to_thread(vacuum)

    async def drop(self, tenant: TenantContext) -> None:
        path = self._path(tenant)
        async with self._turns.take(path.with_suffix(".lock")):
            self._readers.close(path)
            with sqlite.translating(_subject(tenant), files=True):
                _remove(path)
                path.with_suffix(".lock").unlink(missing_ok=True)

    async def size(self, tenant: TenantContext) -> int:
        path = self._path(tenant)
        reader = await self._reader(tenant, path)
        with sqlite.translating(_subject(tenant)):
            pages: int = self._read(path, reader, "PRAGMA page_count")[0]
            free: int = self._read(path, reader, "PRAGMA freelist_count")[0]
        return (pages - free) * sqlite.PAGE_SIZE

    async def check(self, tenant: TenantContext) -> list[Problem]:
        path = self._path(tenant)
        try:
            with sqlite.translating(_subject(tenant)):
                found = await asyncio.to_thread(_integrity, path)
            await self._reader(tenant, path)
        except DatabaseError as error:
            return [Problem(path.name, error.message, error.hint)]
        mend = "Restore the file from a backup, or save what is readable with 'sqlite3 .recover'."
        return [Problem(path.name, what, mend) for what in found]

    # Limits

    def _pages(self, tenant: TenantContext, *, reserve: bool) -> int | None:
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.database is None:
            return None
        limit = int(tier.limits.database) + (int(self._settings.reserve) if reserve else 0)
        return max(limit // sqlite.PAGE_SIZE, 1)

    def _full(self, tenant: TenantContext, target: _Target) -> DatabaseError:
        """Which of the two was it: the tier's limit, or the disk?"""
        used = target.path.stat().st_size if target.path.exists() else 0
        disk = os.statvfs(target.path.parent)
        room = disk.f_bavail * disk.f_frsize
        if target.pages is None or room < target.pages * sqlite.PAGE_SIZE - used:
            return DiskFull(
                f"The disk has no room for {_subject(tenant)}.",
                hint="Free some space; what was saved before is safe.",
            )
        return QuotaExceeded(
            f"{_subject(tenant)} is at the {tenant.tier} tier's limit "
            f"({used / 1e6:.0f} of {target.pages * sqlite.PAGE_SIZE / 1e6:.0f} MB).",
            hint="Delete something, or move up a tier; deleting always works.",
        )

    def _path(self, tenant: TenantContext) -> Path:
        if not tenant.tenant_id.isalnum() or not tenant.tenant_id.isascii():
            raise DatabaseMissing(f"{tenant.tenant_id!r} is not a tenant's id.")
        suffix = "" if tenant.epoch == 1 else f".{tenant.epoch}"
        return self._folder / f"{tenant.tenant_id}{suffix}.db"


def _subject(tenant: TenantContext) -> str:
    return f"The database of {tenant.slug!r}"


def _revision(connection: sqlite3.Connection, path: Path) -> str:
    try:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise DatabaseDamaged(  # a database, but not one that was made by the migrations
            f"The database {path.name} is empty.", hint="Restore the file from a backup."
        ) from error
    return ",".join(sorted(row[0] for row in rows))


def _files(path: Path) -> tuple[Path, ...]:
    return (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))


def _remove(path: Path) -> None:
    """Removes a database, and the log that one may have left that is gone already."""
    for file in _files(path):
        file.unlink(missing_ok=True)


def _with_journal(content: bytes, kind: bytes) -> bytes:
    return content[:_JOURNAL_AT] + kind + content[_JOURNAL_AT + len(kind) :]


def _settle(draft: Path, path: Path) -> None:
    """Makes a draft durable under its name. Nobody has it open, so its log is in the file."""
    _remove(path)  # a log without its file, from a process that was killed while it dropped this
    handle = os.open(draft, os.O_RDWR)
    try:
        os.pwrite(handle, _WRITE_AHEAD, _JOURNAL_AT)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _integrity(path: Path) -> list[str]:
    connection = sqlite.connect(path, writable=False)
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
        found = [] if found == ["ok"] else found
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            found.append(f"row {row} of {table} points to a missing row of {parent}")
    finally:
        connection.close()
    return found
