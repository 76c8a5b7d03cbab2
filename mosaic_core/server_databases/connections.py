"""The connections of this process to one database, and what their transactions begin and end with.

They are all alike: what one transaction is for is said in its execution options, and where its
tables are by the translation of their schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from sqlalchemy import URL, Connection, Dialect, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.head import install_guard
from mosaic_core.server_databases.backend import Backend, Statements, Transaction

#: The execution option that says what a connection's transactions are for.
_TRANSACTION = "mosaic_transaction"


class Connections:
    """A pool of at most so many connections, with the guard on them.

    Args:
        backend: what its kind of server does in its own way.
        url: with the driver.
        connections: that this process opens at most.
        wait: seconds to wait for one.
        missing: what to do when the database is not there; by default as a tenant's.
    """

    def __init__(
        self, backend: Backend, url: URL, *, connections: int, wait: float, missing: str = ""
    ) -> None:
        self.backend = backend
        self._missing = missing
        #: The server, as an error names it.
        self.server = backend.where(url)
        self._engine = backend.create_engine(url, connections=connections, wait=wait)
        install_guard(self._engine.sync_engine)
        event.listen(self._engine.sync_engine, "begin", self._begin)
        event.listen(self._engine.sync_engine, "commit", self._commit)

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def connected(
        self,
        subject: str,
        schemas: Mapping[str, str],
        transaction: Transaction | None = None,
        **options: Any,
    ) -> AsyncIterator[AsyncConnection]:
        """A connection.

        Args:
            subject: what an error calls the database.
            schemas: where the tables are of each symbolic schema.
            options: for its execution.

        Raises:
            DatabaseError: nobody answers, or nobody lets this user in. What goes wrong inside is
                not translated.
        """
        with self.backend.translating(subject, self.server, self._missing):
            connection = await self._engine.connect()
        try:
            await connection.execution_options(
                schema_translate_map=dict(schemas),
                **{_TRANSACTION: transaction or Transaction()},
                **options,
            )
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def session(
        self, subject: str, schemas: Mapping[str, str], transaction: Transaction
    ) -> AsyncIterator[AsyncSession]:
        """A session in a transaction of this kind."""
        options = self.backend.reading if transaction.reads else {}
        async with (
            self.connected(subject, schemas, transaction, **options) as connection,
            AsyncSession(connection, expire_on_commit=False) as session,
        ):
            yield session

    @asynccontextmanager
    async def driver(self, subject: str) -> AsyncIterator[Statements]:
        """A connection of the driver's own, for text that has the schema's name in it."""
        async with self.connected(subject, {}) as connection:
            driver = await self.statements(connection)
            try:
                yield driver
            except BaseException:
                if driver.is_closed():  # the pool does not see what happens here
                    await connection.invalidate()
                raise

    async def statements(self, connection: AsyncConnection) -> Statements:
        """The driver's own, of a connection."""
        raw = await connection.get_raw_connection()
        return self.backend.statements(raw.driver_connection)

    def translating(self, subject: str) -> AbstractContextManager[None]:
        """Raises the driver's errors as ours."""
        return self.backend.translating(subject, missing=self._missing)

    def _begin(self, connection: Connection) -> None:
        _run(connection, self.backend.beginning(_transaction(connection)))

    def _commit(self, connection: Connection) -> None:
        _run(connection, self.backend.ending(_transaction(connection)))


def _transaction(connection: Connection) -> Transaction:
    found: Transaction = connection.get_execution_options().get(_TRANSACTION, Transaction())
    return found


def _run(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        cursor.close()
