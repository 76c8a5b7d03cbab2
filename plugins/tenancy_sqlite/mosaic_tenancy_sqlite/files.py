"""The strategy itself: ``<data>/tenants/<tenant id>.db``, one file per tenant.

Two ways lead to a file. Editing sessions and writes go through one SQLAlchemy engine for all files
(so that statements are compiled once): a write opens the file for as long as it lasts, and a
session that only reads borrows a connection. Visitors' reads go through kept synchronous
connections of their own (:mod:`.reading`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
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
    DatabaseError,
    DatabaseMissing,
    DiskFull,
    QuotaExceeded,
)
from mosaic_core.head import TENANT, WriteLimits, Writer, empty_rows, install_guard
from mosaic_core.head.log import migrate as migrate_with_log
from mosaic_core.persistence import Capabilities, HeadState, Problem, Rows
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.tenants import TenantContext, Tier
from mosaic_tenancy_sqlite import disk
from mosaic_tenancy_sqlite.drafts import Drafts
from mosaic_tenancy_sqlite.lending import Lending
from mosaic_tenancy_sqlite.plugin import SQLiteSettings
from mosaic_tenancy_sqlite.reading import Reading, subject_of
from mosaic_tenancy_sqlite.search import Searches
from mosaic_tenancy_sqlite.search_definition import TRUSTING
from mosaic_tenancy_sqlite.search_index import IndexedHistory
from mosaic_tenancy_sqlite.strays import strays
from mosaic_tenancy_sqlite.template import template_bytes

#: A migration may have a hundred megabytes to go through.
_MIGRATING = WriteLimits(function=1800.0)
#: Files that are kept open for sessions that only read.
_KEPT = 32


@dataclass(frozen=True, slots=True)
class _Target:
    """The file that the engine's next connection opens."""

    path: Path
    writable: bool
    pages: int | None = None
    #: Foreign keys are looked at when the transaction ends.
    deferred: bool = False
    #: A connection to it that is open already.
    lent: sqlite3.Connection | None = None


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
        self._drafts = Drafts(template)
        self._turns = sqlite.Turns()
        self._sessions = asyncio.Semaphore(settings.max_sessions)
        # Of their own: a write may read beside itself, and must not wait for other such writes.
        self._writes = asyncio.Semaphore(settings.max_sessions)
        self._reading = Reading(settings.max_open, schema)
        self._searches = Searches(schema)
        # Sessions that only read come one after another: to open the file costs as much as a query.
        self._lending = Lending(_KEPT, partial(sqlite.open_inline, writable=False))
        # Set around a connect and nowhere else: one engine serves every file, so that compiled
        # statements and the guard are shared, and this says which file the pool is to open.
        self._target: ContextVar[_Target] = ContextVar("target")
        self._engine = create_async_engine(
            "sqlite+aiosqlite://",
            poolclass=NullPool,
            async_creator=self._connect,
            hide_parameters=True,  # they are what people wrote
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
        self._reading.close_all()
        self._drafts.close()
        await self._searches.close_all()
        self._lending.close_all()
        await self._engine.dispose()

    # Sessions

    @asynccontextmanager
    async def session(self, tenant: TenantContext) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._sessions:
            await self._reading.prove(tenant, path)
            with sqlite.translating(subject_of(tenant)), self._lending.lend(path) as lent:
                target = _Target(path, writable=False, lent=lent)
                async with self._connected(tenant, target) as session:
                    yield session

    @asynccontextmanager
    async def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._turns.take(path.with_suffix(".lock")), self._writes:
            await self._reading.prove(tenant, path)
            pages = self._pages(tenant, reserve=reserve)
            target = _Target(path, writable=True, pages=pages, deferred=deferred)
            async with self._connected(tenant, target) as session:
                yield session

    @asynccontextmanager
    async def _connected(
        self, tenant: TenantContext, target: _Target
    ) -> AsyncIterator[AsyncSession]:
        try:
            with sqlite.translating(subject_of(tenant)):
                async with AsyncExitStack() as stack:
                    token = self._target.set(target)
                    try:
                        connection = await stack.enter_async_context(self._engine.connect())
                    finally:
                        self._target.reset(token)
                    session = AsyncSession(connection, expire_on_commit=False)
                    yield await stack.enter_async_context(session)
        except sqlite.Full as error:
            raise await self._full(tenant, target.path) from error

    async def _connect(self) -> InlineConnection:
        target = self._target.get()
        if target.lent is not None:
            return InlineConnection(target.lent, lent=True)
        connection = await sqlite.connect_inline(
            target.path, writable=target.writable, pages=target.pages
        )
        if target.writable:
            await connection.cursor().execute(TRUSTING)
        if target.deferred:  # it is forgotten when a transaction ends, so it is said last
            await connection.cursor().execute("PRAGMA defer_foreign_keys = ON")
        return connection

    # Visitors' reads

    async def head(self, tenant: TenantContext) -> HeadState:
        return await self._reading.head(tenant, self._path(tenant))

    def glance(self, tenant: TenantContext) -> HeadState | None:
        return self._reading.glance(_name(tenant))

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        return await self._reading.published(tenant, self._path(tenant), query, parameters)

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        path = self._path(tenant)
        turn = partial(self._turns.take, path.with_suffix(".lock"))
        pages = self._pages(tenant, reserve=True)
        await self._reading.prove(tenant, path)
        try:
            with sqlite.translating(subject_of(tenant)):
                return await self._searches.search(path, query, turn=turn, pages=pages)
        except sqlite.Full as error:
            raise await self._full(tenant, path) from error

    async def size(self, tenant: TenantContext) -> int:
        return await self._reading.size(tenant, self._path(tenant))

    # Life

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        path = self._path(tenant)
        pages = self._pages(tenant, reserve=False)
        subject = subject_of(tenant)
        async with self._turns.take(path.with_suffix(".lock")):
            if path.exists():
                raise Conflict(f"{subject} exists already.", hint="Drop it first.")
            try:
                whole = rows or empty_rows(tenant)
                content = self._drafts.make(whole, pages=pages, subject=subject)
                await self._write(content, path, subject)
            except sqlite.Full as error:
                raise await self._full(tenant, path) from error

    async def _write(self, content: bytes, path: Path, subject: str) -> None:
        """Makes a file in a thread, whole or, when the caller is cancelled, not at all."""
        # At once: a task would begin at the loop's next turn, which may be a whole write away.
        writing = asyncio.get_running_loop().run_in_executor(
            None, disk.write, content, path, disk.WRITE_AHEAD
        )
        with sqlite.translating(subject, files=True):
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                disk.remove(path)
                raise

    async def revision(self, tenant: TenantContext) -> str:
        path = self._path(tenant)

        def read() -> str:
            connection = sqlite.connect(path, writable=False)
            try:
                return disk.revision(connection, path)
            finally:
                connection.close()

        with sqlite.translating(subject_of(tenant)):
            return await asyncio.to_thread(read)

    async def migrate(self, tenant: TenantContext) -> str:
        path = self._path(tenant)

        @asynccontextmanager
        async def begin(*, reserve: bool) -> AsyncIterator[AsyncSession]:
            # Without the tier's limit: while tables are made anew, their rows are there twice.
            async with self._connected(tenant, _Target(path, writable=True)) as session:
                yield session

        async with self._turns.take(path.with_suffix(".lock")):
            self._close(path)
            writer = Writer(TENANT, tenant.tenant_id, begin, limits=_MIGRATING)
            history = IndexedHistory(self._schema.history)
            schema = replace(self._schema, history=history)
            revision = await migrate_with_log(writer, TENANT, schema, subject_of(tenant))
            if history.dropped:
                with sqlite.translating(subject_of(tenant)):
                    await self._searches.ensure(path, self._pages(tenant, reserve=True))
            return revision

    async def compact(self, tenant: TenantContext) -> None:
        path = self._path(tenant)

        def vacuum() -> None:
            connection = sqlite.connect(path, writable=True)
            try:
                self._searches.compact(connection)
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

        async with self._turns.take(path.with_suffix(".lock")):
            with sqlite.translating(subject_of(tenant)):
                await asyncio.to_thread(vacuum)

    async def drop(self, tenant: TenantContext) -> None:
        path = self._path(tenant)
        async with self._turns.take(path.with_suffix(".lock")):
            self._close(path)
            with sqlite.translating(subject_of(tenant), files=True):
                disk.remove(path)
                path.with_suffix(".lock").unlink(missing_ok=True)

    async def check(self, tenant: TenantContext) -> list[Problem]:
        path = self._path(tenant)
        try:
            with sqlite.translating(subject_of(tenant)):
                found = await asyncio.to_thread(disk.integrity, path)
            await self._reading.prove(tenant, path)
        except DatabaseError as error:
            return [Problem(path.name, error.message, error.hint)]
        mend = "Restore the file from a backup, or save what is readable with 'sqlite3 .recover'."
        return [Problem(path.name, what, mend) for what in found]

    async def strays(self, known: Collection[str]) -> list[Problem]:
        with sqlite.translating(f"The folder {self._folder.name!r} of databases", files=True):
            return await asyncio.to_thread(strays, self._folder, known)

    def _close(self, path: Path) -> None:
        self._reading.close(path)
        self._lending.close(path)
        self._searches.close(path)

    # Limits

    def _pages(self, tenant: TenantContext, *, reserve: bool) -> int | None:
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.database is None:
            return None
        limit = int(tier.limits.database) + (int(self._settings.reserve) if reserve else 0)
        return max(limit // sqlite.PAGE_SIZE, 1)

    async def _full(self, tenant: TenantContext, path: Path) -> DatabaseError:
        """Which of the two was it: the tier's limit, or the disk?"""
        try:
            pages, free = await self._reading.pages(tenant, path)
        except DatabaseError:  # there is none yet, or a full disk has no room for opening it
            pages, free = path.stat().st_size // sqlite.PAGE_SIZE if path.exists() else 0, 0
        limit = self._pages(tenant, reserve=False)
        disk = os.statvfs(path.parent)
        room = disk.f_bavail * disk.f_frsize // sqlite.PAGE_SIZE
        if limit is None or room < max(limit - pages, 1):
            return DiskFull(
                f"{subject_of(tenant)} cannot grow: the disk is full.",
                hint="Free some space; what was saved before is safe.",
            )
        used, most = ((n * sqlite.PAGE_SIZE / 1e6) for n in (pages - free, limit))
        return QuotaExceeded(
            f"{subject_of(tenant)} is at the {tenant.tier} tier's limit "
            f"({used:.1f} of {most:.1f} MB are in use).",
            hint="Delete something for good, which always works, or move up a tier; "
            f"'mosaic tenant compact {tenant.slug}' forgets older changes.",
        )

    def _path(self, tenant: TenantContext) -> Path:
        if not tenant.tenant_id.isalnum() or not tenant.tenant_id.isascii():
            raise DatabaseMissing(f"{tenant.tenant_id!r} is not a tenant's id.")
        return self._folder / _name(tenant)


def _name(tenant: TenantContext) -> str:
    """The name of the file of a tenant's present home."""
    return (
        f"{tenant.tenant_id}.db" if tenant.epoch == 1 else f"{tenant.tenant_id}.{tenant.epoch}.db"
    )
