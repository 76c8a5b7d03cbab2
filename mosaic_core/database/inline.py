"""SQLite for SQLAlchemy's asyncio, without a thread for each connection: ``sqlite+inline://``.

SQLite is a library: a statement on one tenant's rows takes microseconds, less than handing it to
another thread and back (measured: a write of 40 statements took 21 ms of CPU through threads and
a third of that without), and less than pretending to wait for it. So the driver is Python's own
:mod:`sqlite3`, statements run where they are called, and only what waits for the disk, the commit
of a durable transaction, runs in a thread. Locks are never waited for here: a busy database is an
error at once, and whoever called tries again.
"""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import Any, Self, cast

from sqlalchemy.dialects.sqlite.base import SQLiteExecutionContext, SQLiteIdentifierPreparer
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.util.concurrency import await_

from mosaic_core.ended import ended


class _AtOnce:
    """Something to wait for that is there already."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_AT_ONCE = _AtOnce()


class RowByRow(sqlite3.Cursor):
    """A cursor whose rows are read as they are asked for: for streams."""

    connection: InlineConnection

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        self.connection.require_begun()
        self.connection.streams.add(self)
        super().execute(sql, parameters)
        self._wait()
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Self:
        self.connection.require_begun()
        super().executemany(sql, parameters)
        self._wait()
        return self

    def _wait(self) -> None:
        """Waits in SQLAlchemy's way, which refuses a driver that never does. Where nobody waits it
        raises, as any asynchronous driver does: an attribute that asks the database by itself would
        work with this one and with no other."""
        if not self.connection.awaited:
            await_(_AT_ONCE)


class InlineCursor(RowByRow):
    """A cursor that has all its rows at once. A query that is left half read would keep its
    snapshot, and the log behind it, for whoever uses the connection next."""

    _rows: Iterator[Any] = iter(())

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        self.connection.require_begun()
        sqlite3.Cursor.execute(self, sql, parameters)
        if self.description is not None:
            self._rows = iter(super().fetchall())
        self._wait()
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(islice(self._rows, self.arraysize if size is None else size))

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    async def _async_soft_close(self) -> None:
        """For SQLAlchemy, which asks this of the cursors of its asynchronous drivers."""


class InlineConnection(sqlite3.Connection):
    """A connection in autocommit mode, on which SQLAlchemy begins and ends transactions."""

    #: A session waits for what is executed now.
    awaited = False
    #: SQLAlchemy has begun a transaction.
    begun = False
    #: SQLAlchemy has no more use for it, though a commit may still be under way.
    closed = False
    #: In which commits wait for the disk; those of the event loop, where there are none.
    threads: Executor | None = None
    _committing: asyncio.Future[None] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: Cursors that may be half read.
        self.streams: weakref.WeakSet[RowByRow] = weakref.WeakSet()

    def cursor(self, factory: Any = InlineCursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """For whoever uses the connection past SQLAlchemy."""
        return super().cursor().execute(sql, parameters)

    def begin(self) -> None:
        self.execute("BEGIN")
        self.begun = True

    def require_begun(self) -> None:
        """Raises when an error has ended the transaction, as that of a full disk does: what came
        after it would be committed by itself."""
        if self.begun and not self.in_transaction:
            raise sqlite3.OperationalError("the transaction was ended by an error")

    def commit(self) -> None:
        """Commits in a thread, for which the caller's task waits."""
        self.require_begun()
        self.begun = False
        if not self.in_transaction:
            return
        loop = asyncio.get_running_loop()
        try:
            self._committing = loop.run_in_executor(self.threads, self._commit)
        except RuntimeError as error:  # the database is closed, or there is no thread to be had
            super().rollback()  # which the pool would not
            raise sqlite3.OperationalError(f"no thread takes the commit: {error}") from error
        # Whoever is cancelled here leaves the commit to finish, and the connection to wait for it.
        await_(asyncio.shield(self._committing))
        self._committing = None

    def rollback(self) -> None:
        self.begun = False
        if self._committing is not None:
            await_(self.commit_ended())
        super().rollback()

    def settle(self) -> None:
        """Leaves it without a transaction, for whoever uses it next."""
        if self.closed:  # by SQLAlchemy, after what it cannot know the end of
            return
        self.begun = False
        while self.streams:  # one that is left half read keeps its snapshot
            self.streams.pop().close()
        if self.in_transaction:
            super().rollback()

    def let_go(self) -> None:
        """Closes it; a commit that is under way does so when it ends."""
        self.closed = True
        if self._committing is None or self._committing.done():
            self.close()
        else:
            self._committing.add_done_callback(lambda _: self.close())

    async def commit_ended(self) -> None:
        """Waits for a commit that is under way, also when the waiting task is cancelled."""
        committing, self._committing = self._committing, None
        if committing is not None:
            try:
                await ended(committing)
            finally:
                committing.exception()  # whether it happened, the database is asked

    def _commit(self) -> None:
        """A commit that fails may leave its transaction open, and the pool would not end it."""
        try:
            super().commit()
        except BaseException:
            if self.in_transaction:
                super().rollback()
            raise


class _Context(SQLiteExecutionContext):
    def create_server_side_cursor(self) -> Any:
        return self._dbapi_connection.cursor(RowByRow)


class _Names(SQLiteIdentifierPreparer):
    """A file is one schema, which SQLite calls so, whatever tables say of theirs. So nothing has to
    be put in its place in the text of each statement, each time that it is executed."""

    schema_for_object = staticmethod(lambda table: table.schema and "main")


class InlineDialect(SQLiteDialect_pysqlite):
    """The dialect of :class:`InlineConnection`. Engines are given what makes the connections."""

    driver = "inline"
    supports_statement_cache = True
    is_async = True
    has_terminate = True
    supports_server_side_cursors = True
    execution_ctx_cls = _Context
    preparer = _Names

    def on_connect(self) -> Any:
        """No functions of Python's: each that is defined has the connection's statements prepared
        anew, and no query of ours calls one."""

    def do_close(self, dbapi_connection: Any) -> None:
        dbapi_connection.let_go()

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.let_go()


def driver_of(connection: Connection) -> InlineConnection:
    """What a connection of SQLAlchemy's runs its statements on."""
    return cast("InlineConnection", connection.connection.dbapi_connection)


def is_usable(connection: Connection) -> bool:
    """Whether another session may have it."""
    broken = connection.closed or connection.invalidated
    return not broken and connection.get_transaction() is None


class InlineSession(AsyncSession):
    """A session that asks its connection in the caller's greenlet, and ends without a task. It
    leaves the connection open and without a transaction: to make one anew, with what listens to it,
    takes as long as many an answer.

    Args:
        connected: to :class:`InlineDialect`, and nobody else's until the session has ended.
    """

    def __init__(self, connected: Connection) -> None:
        super().__init__(expire_on_commit=False)
        self.sync_session.bind = connected
        # Whoever kept the connection of a session before this one may have begun something on it,
        # and a session that finds a transaction would leave it to its owner to commit.
        connected.rollback()
        self.sync_session.join_transaction_mode = "control_fully"
        self._connected = connected
        self._options = connected.get_execution_options()
        self._driver = driver_of(connected)
        self._handed_out: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._driver.commit_ended()
        finally:
            self._run(self._end)

    async def connection(self, *args: Any, **options: Any) -> AsyncConnection:
        """The connection, for as long as the session lasts: afterwards it is another session's."""
        found = self._run(self.sync_session.connection, *args, **options)
        if self._handed_out is None:
            self._handed_out = AsyncConnection(AsyncEngine(found.engine), found)
        return self._handed_out

    async def run_sync(self, fn: Any, *args: Any, **options: Any) -> Any:
        return self._run(fn, self.sync_session, *args, **options)

    async def execute(self, *args: Any, **options: Any) -> Any:
        return self._run(self.sync_session.execute, *args, **options)

    async def scalar(self, *args: Any, **options: Any) -> Any:
        return self._run(self.sync_session.scalar, *args, **options)

    async def scalars(self, *args: Any, **options: Any) -> Any:
        return self._run(self.sync_session.scalars, *args, **options)

    async def get(self, *args: Any, **options: Any) -> Any:
        return self._run(self.sync_session.get, *args, **options)

    async def get_one(self, *args: Any, **options: Any) -> Any:
        return self._run(self.sync_session.get_one, *args, **options)

    async def flush(self, *args: Any, **options: Any) -> None:
        self._run(self.sync_session.flush, *args, **options)

    def _run(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        outer, self._driver.awaited = self._driver.awaited, True
        try:
            return fn(*args, **options)
        finally:
            self._driver.awaited = outer

    def _end(self) -> None:
        try:
            self.sync_session.close()
        finally:
            # Whoever uses either still would be in another session.
            self.sync_session.bind = None
            if self._handed_out is not None:
                self._handed_out.sync_connection = None
            try:
                self._connected.rollback()  # what is left of a commit that failed
            finally:
                # A write's permit, and what else was said of this session only.
                self._connected._execution_options = self._options
                self._driver.settle()
