"""ODBC's connection with asyncpg's interface, as far as the kernel's own statements need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mosaic_core.database.mssql import is_lost

T = TypeVar("T")


class Statements:
    """Implements :class:`mosaic_core.server_databases.backend.Statements`.

    All that one statement needs is done in one go, in the connection's own thread. It is finished
    there when the caller is cancelled, and what comes after waits for it.

    Args:
        connection: aioodbc's.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lost = False

    def is_closed(self) -> bool:
        return self._lost or bool(self._connection.closed)

    async def fetch(self, sql: str, /, *values: Any) -> list[Any]:
        return await self._run(lambda native: _executed(native, sql, values))

    async def fetchval(self, sql: str, /, *values: Any) -> Any:
        rows = await self.fetch(sql, *values)
        return rows[0][0] if rows else None

    async def execute(self, sql: str, /, *values: Any) -> None:
        await self._run(lambda native: _executed(native, sql, values))

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        given = list(rows)

        def run(native: Any) -> None:
            for values in given:
                _executed(native, sql, values)

        await self._run(run)

    async def commit(self) -> None:
        await self._run(lambda native: native.commit())

    async def rollback(self) -> None:
        await self._run(lambda native: native.rollback())

    async def _run(self, function: Callable[[Any], T]) -> T:
        connection = self._connection
        try:
            found: T = await connection._execute(function, connection._conn)
        except Exception as error:
            self._lost = self._lost or is_lost(error)
            raise
        return found


def _executed(native: Any, sql: str, values: Sequence[Any]) -> list[Any]:
    """The rows of the first result that has some. An error of a later statement of the same text
    comes with its result, so all are asked for."""
    cursor = native.cursor()
    try:
        cursor.execute(sql, *values)
        rows: list[Any] = []
        more = True
        while more:
            if cursor.description is not None and not rows:
                rows = cursor.fetchall()
            more = cursor.nextset()
        return rows
    finally:
        cursor.close()
