"""One folder of databases, one file for each home.

Two ways lead to a file. Editing sessions and writes go through one SQLAlchemy engine for all files
(so that statements are compiled once), on connections that are lent to one after the other.
Visitors' reads go through kept synchronous connections of their own (:mod:`.reading`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, create_engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import NullPool
from sqlalchemy.util.concurrency import greenlet_spawn

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.database.inline import InlineConnection, InlineSession, driver_of, is_usable
from mosaic_core.database.rights import unwritable
from mosaic_core.ended import ended
from mosaic_core.errors import Conflict, DatabaseError, DatabaseMissing
from mosaic_core.file_databases import disk
from mosaic_core.file_databases.drafts import Drafts
from mosaic_core.file_databases.erased import Emptying
from mosaic_core.file_databases.lending import Lending
from mosaic_core.file_databases.naming import Names
from mosaic_core.file_databases.reading import Reading, subject_of
from mosaic_core.file_databases.room import Room
from mosaic_core.file_databases.search import Searches
from mosaic_core.file_databases.search_definition import TRUSTING
from mosaic_core.file_databases.search_index import IndexedHistory
from mosaic_core.file_databases.strays import strays
from mosaic_core.file_databases.template import template_bytes
from mosaic_core.head import TENANT, WriteLimits, Writer, empty_rows, install_guard
from mosaic_core.head.log import migrate as migrate_with_log
from mosaic_core.persistence import Capabilities, HeadState, Problem, Rows, Stray
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.tenants import TenantContext, Tier

#: A migration may have a hundred megabytes to go through.
_MIGRATING = WriteLimits(function=1800.0)
#: Files that are kept open for sessions that only read, and for those that write.
_KEPT, _KEPT_WRITING = 32, 16


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a process may use of its machine for the files of one folder.

    Attributes:
        max_open: files that it keeps open for reading; the least recently read is closed.
        max_sessions: reading sessions at one time, and as many writes; each is an open file, and
            some stay open for the next one. As many threads wait for the disk at most.
        reserve: bytes beyond a tier's limit, for deleting, exporting and compacting.
    """

    max_open: int = 128
    max_sessions: int = 16
    reserve: int = 8_000_000


class FileDatabases:
    """Implements :class:`mosaic_core.persistence.Persistence` in a folder, which strategies share
    neither with each other nor between two deployments."""

    capabilities = Capabilities(single_host=True, verifies_pages=True)

    def __init__(
        self,
        folder: Path,
        names: Names,
        options: FileOptions,
        schema: TenantSchema,
        tiers: Mapping[str, Tier],
        template: bytes,
    ) -> None:
        self._folder = folder
        self._names = names
        self._schema = schema
        self._drafts = Drafts(template)
        self._turns = sqlite.Turns()
        self._emptying = Emptying()
        # Of their own: no slow work in the event loop's threads delays what waits for the disk.
        self._threads = ThreadPoolExecutor(options.max_sessions, "commit")
        self._sessions = asyncio.Semaphore(options.max_sessions)
        # Of their own: a write may read beside itself, and must not wait for other such writes.
        self._writes = asyncio.Semaphore(options.max_sessions)
        self._reading = Reading(options.max_open, schema, names)
        self._room = Room(tiers, options.reserve, self._reading)
        self._searches = Searches(schema)
        # Sessions come one after another: to open the file costs as much as a query, and on a new
        # connection each statement is prepared anew.
        self._lending = Lending(_KEPT, partial(self._open, writable=False), is_usable)
        self._lending_to_write = Lending(
            _KEPT_WRITING, partial(self._open, writable=True), is_usable
        )
        # Set around a connect and nowhere else: one engine serves every file, so that compiled
        # statements and the guard are shared, and this says what is to be opened.
        driver: ContextVar[Callable[[], InlineConnection]] = ContextVar("driver")
        self._driver = driver
        self._engine = create_engine(
            "sqlite+inline://",
            poolclass=NullPool,
            creator=lambda: driver.get()(),
            hide_parameters=True,  # they are what people wrote
        )
        sqlite.explicit_transactions(self._engine)
        install_guard(self._engine)

    @classmethod
    async def open(
        cls,
        folder: Path,
        names: Names,
        schema: TenantSchema,
        tiers: Mapping[str, Tier],
        *,
        templates: Path,
        options: FileOptions | None = None,
    ) -> FileDatabases:
        """Opens a folder.

        Args:
            names: what the files in it are called.
            schema: the tables of a home.
            tiers: for the limits of their databases.
            templates: the folder in which the file is kept that new ones are copied from.

        Raises:
            DatabaseReadOnly, DiskFull: there is no template yet, and it cannot be made.
        """
        with sqlite.translating(f"The template of new databases in {templates.name}", files=True):
            template = await asyncio.to_thread(template_bytes, templates, schema)
        databases = cls(folder, names, options or FileOptions(), schema, tiers, template)
        # An engine's first connection waits for what it asks, which later ones do not.
        (await greenlet_spawn(databases._connect, sqlite.open_in_memory)).close()
        return databases

    async def close(self) -> None:
        self._reading.close_all()
        self._drafts.close()
        await self._searches.close_all()
        self._lending.close_all()
        self._lending_to_write.close_all()
        self._threads.shutdown(wait=False)  # a commit that hangs holds nobody up

    # Sessions

    @asynccontextmanager
    async def session(self, tenant: TenantContext) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._sessions:
            await self._reading.prove(tenant, path)
            with sqlite.translating(subject_of(tenant)), self._lending.lend(path) as lent:
                async with self._connected(tenant, path, lent) as session:
                    yield session

    @asynccontextmanager
    async def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AsyncIterator[AsyncSession]:
        path = self._path(tenant)
        async with self._turns.take(path.with_suffix(".lock")), self._writes:
            await self._reading.prove(tenant, path)
            with sqlite.translating(subject_of(tenant)), self._lending_to_write.lend(path) as lent:
                driver = driver_of(lent)
                sqlite.limit(driver, self._room.pages(tenant, reserve=reserve))
                if deferred:  # forgotten when a transaction ends
                    driver.execute("PRAGMA defer_foreign_keys = ON")
                async with self._connected(tenant, path, lent) as session:
                    yield session
            await self._emptying.after(session, path)

    @asynccontextmanager
    async def _connected(
        self, tenant: TenantContext, path: Path, connection: Connection
    ) -> AsyncIterator[AsyncSession]:
        try:
            with sqlite.translating(subject_of(tenant)):
                async with InlineSession(connection) as session:
                    yield session
        except sqlite.Full as error:
            raise await self._room.full(tenant, path) from error

    def _open(self, path: Path, *, writable: bool) -> Connection:
        def driver() -> InlineConnection:
            connection = sqlite.open_inline(path, writable=writable, threads=self._threads)
            if writable:
                connection.execute(TRUSTING)
            return connection

        return self._connect(driver)

    def _connect(self, driver: Callable[[], InlineConnection]) -> Connection:
        token = self._driver.set(driver)
        try:
            return self._engine.connect()
        finally:
            self._driver.reset(token)

    # Visitors' reads

    async def head(self, tenant: TenantContext, *, behind: bool = False) -> HeadState:
        path = self._path(tenant)
        if behind:
            return await asyncio.to_thread(self._reading.head_behind, tenant, path)
        return await self._reading.head(tenant, path)

    def glance(self, tenant: TenantContext) -> HeadState | None:
        try:
            return self._reading.glance(f"{self._names.of(tenant)}.db")
        except DatabaseMissing:
            return None

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        return await self._reading.published(tenant, self._path(tenant), query, parameters)

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        path = self._path(tenant)
        turn = partial(self._turns.take, path.with_suffix(".lock"))
        pages = self._room.pages(tenant, reserve=True)
        await self._reading.prove(tenant, path)
        try:
            with sqlite.translating(subject_of(tenant)):
                return await self._searches.search(path, query, turn=turn, pages=pages)
        except sqlite.Full as error:
            raise await self._room.full(tenant, path) from error

    async def size(self, tenant: TenantContext) -> int:
        return await self._reading.size(tenant, self._path(tenant))

    # Life

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        path = self._path(tenant)
        pages = self._room.pages(tenant, reserve=False)
        subject = subject_of(tenant)
        async with self._turns.take(path.with_suffix(".lock")):
            if path.exists():
                raise Conflict(f"{subject} exists already.", hint="Drop it first.")
            try:
                whole = rows or empty_rows(tenant)
                content = self._drafts.make(whole, pages=pages, subject=subject)
                await self._write(content, path, subject)
            except sqlite.Full as error:
                raise await self._room.full(tenant, path) from error

    async def _write(self, content: bytes, path: Path, subject: str) -> None:
        """Makes a file in a thread, whole or, when the caller is cancelled, not at all."""
        with sqlite.translating(subject, files=True), disk.opened(path.parent) as folder:
            # A log without its file, from a process that was killed while it dropped this.
            disk.remove(path)
            # At once: a task would begin at the loop's next turn, which may be a whole write away.
            writing = asyncio.get_running_loop().run_in_executor(
                self._threads, disk.write, content, path, disk.WRITE_AHEAD, folder
            )
            try:
                await ended(writing)
                writing.result()
            except BaseException:
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
            with (
                sqlite.translating(subject_of(tenant)),
                self._open(path, writable=True) as connection,
            ):
                async with self._connected(tenant, path, connection) as session:
                    yield session

        async with self._turns.take(path.with_suffix(".lock")):
            self._close(path)
            writer = Writer(TENANT, tenant.tenant_id, begin, limits=_MIGRATING)
            history = IndexedHistory(self._schema.history)
            schema = replace(self._schema, history=history)
            revision = await migrate_with_log(writer, TENANT, schema, subject_of(tenant))
            if history.dropped:
                with sqlite.translating(subject_of(tenant)):
                    await self._searches.ensure(path, self._room.pages(tenant, reserve=True))
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
                for beside in (".new", ".lock"):
                    path.with_suffix(beside).unlink(missing_ok=True)

    async def check(self, tenant: TenantContext) -> list[Problem]:
        path = self._path(tenant)
        try:
            with sqlite.translating(subject_of(tenant)):
                found = await asyncio.to_thread(disk.integrity, path)
            await self._reading.prove(tenant, path)
        except DatabaseError as error:
            return [Problem(path.name, error.message, error.hint)]
        mend = "Restore the file from a backup, or save what is readable with 'sqlite3 .recover'."
        return [*(Problem(path.name, what, mend) for what in found), *unwritable(path)]

    async def strays(self, known: Collection[str]) -> list[Stray]:
        with sqlite.translating(f"The folder {self._folder.name!r} of databases", files=True):
            return await asyncio.to_thread(strays, self._folder, self._names, known)

    def _close(self, path: Path) -> None:
        self._reading.close(path)
        self._lending.close(path)
        self._lending_to_write.close(path)
        self._searches.close(path)

    def _path(self, tenant: TenantContext) -> Path:
        return self._folder / f"{self._names.of(tenant)}.db"
