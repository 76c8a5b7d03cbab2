"""A server on which databases are made, one for each tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL

from mosaic_core.database import postgresql
from mosaic_core.server_databases.naming import Home, stamp

_DATABASES = """
    SELECT datname::text, shobj_description(oid, 'pg_database')
      FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname
"""
_EXISTS = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)"
#: For what is asked rarely: making, removing and listing.
_CONNECTIONS = 2


class Server:
    """Makes and removes databases.

    Args:
        url: of any database there, for a user who may make others.
    """

    def __init__(self, url: URL, *, wait: float) -> None:
        self._url = url
        self._where = postgresql.where(url)
        self._engine = postgresql.create_engine(url, connections=_CONNECTIONS, wait=wait)

    async def close(self) -> None:
        await self._engine.dispose()

    def url(self, home: Home) -> URL:
        """The URL of a tenant's database."""
        return self._url.set(database=home.name)

    async def has(self, home: Home) -> bool:
        """Whether the tenant's database is there, empty or not."""
        async with self._driver(home.subject) as driver:
            return bool(await driver.fetchval(_EXISTS, home.name))

    async def make(self, home: Home) -> None:
        """Makes the tenant's database, an empty one.

        Raises:
            Conflict: it is there.
        """
        name = postgresql.quoted(home.name)
        async with self._driver(home.subject) as driver:
            await driver.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            comment = postgresql.literal(stamp(home.tenant))
            await driver.execute(f"COMMENT ON DATABASE {name} IS {comment}")

    async def drop(self, home: Home) -> None:
        """Removes the tenant's database, whoever is connected to it."""
        async with self._driver(home.subject) as driver:
            name = postgresql.quoted(home.name)
            await driver.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def databases(self, prefix: str) -> list[tuple[str, str | None]]:
        """The names of the databases that begin so, and their comments."""
        async with self._driver("The server of the tenants") as driver:
            return [tuple(row) for row in await driver.fetch(_DATABASES, prefix)]

    @asynccontextmanager
    async def _driver(self, subject: str) -> AsyncIterator[Any]:
        """The driver's own connection, outside of any transaction, as these statements must be."""
        with postgresql.translating(subject, self._where):
            connection = await self._engine.connect()
            try:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                yield driver
                if driver.is_closed():
                    await connection.invalidate()
            finally:
                await connection.close()
