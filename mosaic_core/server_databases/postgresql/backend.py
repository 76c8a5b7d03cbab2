"""PostgreSQL, as homes need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mosaic_core.database import History, Tables, TenantSchema, postgresql
from mosaic_core.database.postgresql import literal, quoted
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Statements, Transaction
from mosaic_core.server_databases.postgresql import catalog
from mosaic_core.server_databases.postgresql.making import Making, foreign_keys
from mosaic_core.server_databases.postgresql.search_index import Index, IndexedHistory
from mosaic_core.server_databases.postgresql.searching import TextSearch
from mosaic_core.server_databases.postgresql.server import Server


class PostgreSQL:
    """Implements :class:`mosaic_core.server_databases.backend.Backend`."""

    has_roles = True
    reading: ClassVar[dict[str, Any]] = {
        "isolation_level": "REPEATABLE READ",
        "postgresql_readonly": True,
    }

    def where(self, url: URL) -> str:
        return postgresql.where(url)

    def create_engine(self, url: URL, *, connections: int, wait: float) -> AsyncEngine:
        return postgresql.create_engine(url, connections=connections, wait=wait)

    def translating(
        self, subject: str, server: str = "", missing: str = ""
    ) -> AbstractContextManager[None]:
        return postgresql.translating(subject, server, missing or postgresql.MISSING)

    def beginning(self, transaction: Transaction) -> list[str]:
        """The turn at writing among processes (the lock on the head comes only with what moves it),
        and the tenant's role."""
        statements = []
        if transaction.alone is not None:
            statements.append(_turn(transaction.alone))
        if transaction.role is not None:
            statements.append(f"SET LOCAL ROLE {quoted(transaction.role)}")
        if transaction.deferred is not None:
            statements.append(foreign_keys(transaction.deferred, "DEFERRABLE INITIALLY DEFERRED"))
        return statements

    def ending(self, transaction: Transaction) -> list[str]:
        """What was deferred is looked at, and looked at at once from then on."""
        if transaction.deferred is None:
            return []
        immediate = foreign_keys(transaction.deferred, "NOT DEFERRABLE")
        return ["SET CONSTRAINTS ALL IMMEDIATE", immediate]

    def statements(self, driver: Any) -> Statements:
        statements: Statements = driver
        return statements

    @asynccontextmanager
    async def transaction(self, driver: Any, transaction: Transaction) -> AsyncIterator[None]:
        reads = transaction.reads
        kind = {"isolation": "repeatable_read", "readonly": True} if reads else {}
        async with driver.transaction(**kind):
            for statement in self.beginning(transaction):
                await driver.execute(statement)
            yield

    async def make_schema(self, connection: AsyncConnection, driver: Statements, name: str) -> None:
        await connection.exec_driver_sql(_turn(name))
        if not await catalog.exists(driver, name):
            await connection.exec_driver_sql(f"CREATE SCHEMA {quoted(name)}")

    def making(self, schema: TenantSchema, dialect: Dialect, *, roles: bool) -> Making:
        return Making(schema, dialect, roles=roles)

    def history(self, history: History, name: str, *, roles: bool) -> History:
        return IndexedHistory(history, name, roles=roles)

    def search_index(self, metadata: Tables, dialect: Dialect, *, roles: bool) -> TextSearch | None:
        index = Index.of(metadata, dialect)
        return None if index is None else TextSearch(index, dialect, roles=roles)

    async def exists(self, driver: Statements, name: str) -> bool:
        return await catalog.exists(driver, name)

    async def schemas(self, driver: Statements, prefix: str) -> Sequence[tuple[str, str | None]]:
        return await catalog.schemas(driver, prefix)

    async def tables(self, driver: Statements, name: str) -> list[str]:
        return await catalog.tables(driver, name)

    async def size(self, driver: Statements, name: str) -> int:
        return await catalog.size(driver, name)

    async def faults(self, driver: Statements, name: str) -> list[Problem]:
        return await catalog.faults(driver, name)

    async def compact(self, driver: Statements, name: str) -> None:
        """Writes each table anew; whoever reads or writes it waits meanwhile."""
        for table in await catalog.tables(driver, name):
            await driver.execute(f"VACUUM (FULL, ANALYZE) {quoted(name)}.{quoted(table)}")

    async def drop(self, driver: Statements, name: str, *, roles: bool) -> None:
        await driver.execute(f"DROP SCHEMA IF EXISTS {quoted(name)} CASCADE")
        if roles:
            await driver.execute(f"DROP ROLE IF EXISTS {quoted(name)}")

    def server(self, url: URL, *, wait: float) -> Server:
        return Server(url, wait=wait)

    def removal(self, name: str) -> str:
        return f"DROP SCHEMA {quoted(name)} CASCADE there, and DROP ROLE IF EXISTS {quoted(name)}"


def _turn(name: str) -> str:
    """Takes the turn at writing to a schema, until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock(hashtextextended({literal(f'write {name}')}, 0))"
