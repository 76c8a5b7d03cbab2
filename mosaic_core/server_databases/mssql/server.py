"""A server on which databases are made, one for each tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import URL

from mosaic_core.database import mssql, odbc
from mosaic_core.server_databases.mssql.catalog import SETTINGS
from mosaic_core.server_databases.mssql.statements import Statements
from mosaic_core.server_databases.naming import Home
from mosaic_core.types import MSSQL_BINARY

#: When a database was made is told by the server's own clock, so its age is asked for.
_DATABASES = """
    SELECT name, DATEDIFF(minute, create_date, GETDATE())
      FROM sys.databases WHERE LEFT(name, LEN(?)) = ? ORDER BY name
"""
_EXISTS = "SELECT COUNT(*) FROM sys.databases WHERE name = ?"
_SETTINGS = """
    SELECT is_read_committed_snapshot_on, snapshot_isolation_state
      FROM sys.databases WHERE name = ?
"""
#: For what is asked rarely: making, removing and listing.
_CONNECTIONS = 2


class Server:
    """Implements :class:`mosaic_core.server_databases.backend.Server`.

    Args:
        url: of any database there, for a user who may make others; on Azure SQL, of ``master``.
    """

    def __init__(self, url: URL, *, wait: float, token: odbc.Token | None = None) -> None:
        self._url = url
        self._where = mssql.where(url)
        self._engine = odbc.create_engine(
            url, connections=_CONNECTIONS, wait=wait, token=token, autocommit=True
        )

    async def close(self) -> None:
        await self._engine.dispose()

    def url(self, home: Home) -> URL:
        return self._url.set(database=home.name)

    async def has(self, home: Home) -> bool:
        async with self._statements(home.subject) as driver:
            return bool(await driver.fetchval(_EXISTS, home.name))

    async def make(self, home: Home) -> None:
        """It lets readers read while others write, as Azure SQL's do by themselves."""
        name = mssql.quoted(home.name)
        async with self._statements(home.subject) as driver:
            await driver.execute(f"CREATE DATABASE {name} COLLATE {MSSQL_BINARY}")
            try:
                for states in await driver.fetch(_SETTINGS, home.name):
                    for setting, is_on in zip(SETTINGS, states, strict=True):
                        if not is_on:
                            await driver.execute(f"ALTER DATABASE {name} SET {setting} ON")
            except BaseException:
                await driver.execute(f"DROP DATABASE IF EXISTS {name}")
                raise

    async def drop(self, home: Home) -> None:
        name = mssql.quoted(home.name)
        async with self._statements(home.subject) as driver:
            try:
                await driver.execute(f"DROP DATABASE IF EXISTS {name}")
            except Exception as error:
                if not mssql.is_in_use(error):
                    raise
                alone = f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"
                await driver.execute(alone)
                await driver.execute(f"DROP DATABASE IF EXISTS {name}")

    async def databases(self, prefix: str) -> list[tuple[str, str | None]]:
        async with self._statements("The server of the tenants") as driver:
            rows = await driver.fetch(_DATABASES, prefix, prefix)
        now = datetime.now(UTC)
        return [(name, (now - timedelta(minutes=age)).isoformat()) for name, age in rows]

    @asynccontextmanager
    async def _statements(self, subject: str) -> AsyncIterator[Statements]:
        """Outside of any transaction, as these statements must be."""
        with mssql.translating(subject, self._where):
            connection = await self._engine.connect()
            try:
                raw = await connection.get_raw_connection()
                driver = Statements(raw.driver_connection)
                yield driver
                if driver.is_closed():
                    await connection.invalidate()
            finally:
                await connection.close()
