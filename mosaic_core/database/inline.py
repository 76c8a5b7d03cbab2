"""SQLite as a driver for asyncio, without a thread for each connection.

SQLite is a library: a statement on one tenant's rows takes microseconds, less than handing it to
another thread and back (measured: a write of 40 statements took 21 ms of CPU through threads and
a third of that without). So statements run where they are called, and only what waits for
the disk, the commit of a durable transaction, runs in a thread. Locks are never waited for here:
a busy database is an error at once, and whoever called tries again.

The classes have the parts of aiosqlite's interface that SQLAlchemy's dialect calls.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self


class InlineCursor:
    """A cursor whose coroutines never wait."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._cursor.close()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    @property
    def arraysize(self) -> int:
        return self._cursor.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._cursor.arraysize = value

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        self._cursor.execute(sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        self._cursor.executemany(sql, parameters)
        return self

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        return self._cursor.fetchmany(self.arraysize if size is None else size)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class InlineConnection:
    """A connection in autocommit mode, on which SQLAlchemy begins and ends transactions.

    Args:
        connection: made with ``check_same_thread=False``.
        lent: it is left open, without a transaction, when this is closed: somebody else has it.
    """

    def __init__(self, connection: sqlite3.Connection, *, lent: bool = False) -> None:
        self._lent = lent
        #: Named as the dialect looks for it; None once it is closed.
        self._connection: sqlite3.Connection | None = connection
        self._committing: asyncio.Future[None] | None = None

    @property
    def isolation_level(self) -> str | None:
        return None

    def cursor(self) -> InlineCursor:
        return InlineCursor(self._open.cursor())

    async def create_function(self, *args: Any, **options: Any) -> None:
        self._open.create_function(*args, **options)

    async def commit(self) -> None:
        connection = self._open
        if not connection.in_transaction:
            _commit(connection)
            return
        loop = asyncio.get_running_loop()
        self._committing = loop.run_in_executor(None, _commit, connection)
        # Whoever is cancelled here leaves the commit to finish, and the connection to wait for it.
        await asyncio.shield(self._committing)
        self._committing = None

    async def rollback(self) -> None:
        await self._commit_ended()
        self._open.rollback()

    async def close(self) -> None:
        await self._commit_ended()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            if not self._lent:
                connection.close()
            elif connection.in_transaction:
                connection.rollback()

    def stop(self) -> None:
        """Lets go of the connection at once; a commit that is under way closes it when it ends."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        if self._committing is None or self._committing.done():
            connection.close()
        else:
            self._committing.add_done_callback(lambda _: connection.close())

    async def _commit_ended(self) -> None:
        if self._committing is not None:
            await asyncio.wait([self._committing])
            self._committing = None

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("connection closed")  # the dialect knows this text
        return self._connection


def _commit(connection: sqlite3.Connection) -> None:
    """A commit that fails may leave its transaction open, and the pool would not end it."""
    try:
        connection.commit()
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
