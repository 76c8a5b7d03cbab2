"""SQL Server and Azure SQL, as homes need them.

A home has no role of its own here. What a connection runs as (``EXECUTE AS``) outlives a
transaction: whatever takes the connection next would have to trust that somebody ended it, and
isolation must not depend on that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

from sqlalchemy import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mosaic_core.database import History, Tables, TenantSchema, mssql, odbc
from mosaic_core.database.mssql import quoted
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Statements as AnyStatements
from mosaic_core.server_databases.backend import Transaction
from mosaic_core.server_databases.mssql import catalog
from mosaic_core.server_databases.mssql.making import Making, alone
from mosaic_core.server_databases.mssql.search_index import Index, IndexedHistory
from mosaic_core.server_databases.mssql.searching import WordSearch
from mosaic_core.server_databases.mssql.server import Server
from mosaic_core.server_databases.mssql.statements import Statements


class SQLServer:
    """Implements :class:`mosaic_core.server_databases.backend.Backend`.

    Args:
        token: gives an access token, for URLs that say nothing of who signs in.
    """

    has_roles = False
    #: How a transaction reads is said when it begins.
    reading: ClassVar[dict[str, Any]] = {}

    def __init__(self, token: odbc.Token | None = None) -> None:
        self._token = token

    def where(self, url: URL) -> str:
        return mssql.where(url)

    def create_engine(self, url: URL, *, connections: int, wait: float) -> AsyncEngine:
        return odbc.create_engine(url, connections=connections, wait=wait, token=self._token)

    def translating(
        self, subject: str, server: str = "", missing: str = ""
    ) -> AbstractContextManager[None]:
        return mssql.translating(subject, server, missing or mssql.MISSING)

    def beginning(self, transaction: Transaction) -> list[str]:
        """How it reads, which a connection remembers, so each transaction says it; and the turn at
        writing among processes: the lock on the head's row, taken by a change that changes nothing.
        Those who read see the row as it was."""
        level = "SNAPSHOT" if transaction.reads else "READ COMMITTED"
        # A snapshot is refused in a transaction that began otherwise, and a driver may begin one.
        statements = [
            f"SET TRANSACTION ISOLATION LEVEL {level}; IF @@TRANCOUNT > 0 COMMIT TRANSACTION"
        ]
        if transaction.alone is not None:
            head = f"{quoted(transaction.alone)}.head"
            statements.append(f"UPDATE {head} SET status = status")  # noqa: S608 - a name, quoted
        if transaction.deferred is not None:
            statements += catalog.foreign_keys(transaction.deferred, transaction.tables, "NOCHECK")
        return statements

    def ending(self, transaction: Transaction) -> list[str]:
        """What was deferred is looked at."""
        if transaction.deferred is None:
            return []
        return catalog.foreign_keys(transaction.deferred, transaction.tables, "WITH CHECK CHECK")

    def statements(self, driver: Any) -> Statements:
        return Statements(driver)

    @asynccontextmanager
    async def transaction(self, driver: Any, transaction: Transaction) -> AsyncIterator[None]:
        """The kernel's own reads are of what is committed, each by itself: a snapshot would be lost
        when an index is made. The pool undoes what is not committed here."""
        for statement in self.beginning(replace(transaction, reads=False)):
            await driver.execute(statement)
        yield
        if not transaction.reads:
            await driver.commit()

    async def make_schema(
        self, connection: AsyncConnection, driver: AnyStatements, name: str
    ) -> None:
        await connection.begin()
        await alone(driver)
        if not await catalog.exists(driver, name):
            await driver.execute(f"CREATE SCHEMA {quoted(name)}")

    def making(self, schema: TenantSchema, dialect: Dialect, *, roles: bool) -> Making:
        return Making(schema, dialect)

    def history(self, history: History, name: str, *, roles: bool) -> History:
        return IndexedHistory(history, name)

    def search_index(self, metadata: Tables, dialect: Dialect, *, roles: bool) -> WordSearch | None:
        index = Index.of(metadata, dialect)
        return None if index is None else WordSearch(index, dialect)

    async def exists(self, driver: AnyStatements, name: str) -> bool:
        return await catalog.exists(driver, name)

    async def schemas(self, driver: AnyStatements, prefix: str) -> Sequence[tuple[str, str | None]]:
        return await catalog.schemas(driver, prefix)

    async def tables(self, driver: AnyStatements, name: str) -> list[str]:
        return await catalog.tables(driver, name)

    async def size(self, driver: AnyStatements, name: str) -> int:
        return await catalog.size(driver, name)

    async def faults(self, driver: AnyStatements, name: str) -> list[Problem]:
        return await catalog.faults(driver, name)

    async def compact(self, driver: Any, name: str) -> None:
        """Whoever reads or writes a table waits while it is written anew."""
        async with self.transaction(driver, Transaction()):
            statements = await catalog.compacting(driver, name)
        for statement in statements:
            async with self.transaction(driver, Transaction()):
                await driver.execute(statement)

    async def drop(self, driver: AnyStatements, name: str, *, roles: bool) -> None:
        await catalog.drop(driver, name)

    def server(self, url: URL, *, wait: float) -> Server:
        return Server(url, wait=wait, token=self._token)

    def removal(self, name: str) -> str:
        return f"DROP SCHEMA {quoted(name)} there, after the tables in it"
