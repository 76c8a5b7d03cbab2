"""A SQL Server for the tests, where one is given: none can be had from a registry."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from mosaic_core.server_databases import Home, ServerDatabase, backend_of
from mosaic_core.server_databases.mssql.catalog import SETTINGS
from mosaic_core.server_databases.mssql.server import Server
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import toy_schema

#: A SQLAlchemy URL, ``mssql+aioodbc://…``, of a database whose user may do everything there.
_VARIABLE = "MOSAIC_TEST_MSSQL_URL"


async def no_token() -> str:
    """The URL says who signs in."""
    raise AssertionError("a token was asked for")


@dataclass(frozen=True, slots=True)
class SQLServer:
    """A server that runs, and a database there."""

    url: str

    def allow_snapshots(self) -> None:
        """The database does for readers what MOSAIC needs."""

        async def main(server: Server) -> None:
            async with server._statements("The database of the tests") as driver:
                (states,) = await driver.fetch(
                    "SELECT is_read_committed_snapshot_on, snapshot_isolation_state "
                    "FROM sys.databases WHERE name = DB_NAME()"
                )
                for setting, is_on in zip(SETTINGS, states, strict=True):
                    if not is_on:
                        await driver.execute(f"ALTER DATABASE CURRENT SET {setting} ON")

        self._run(main)

    def remove_schemas(self, prefix: str) -> None:
        async def main() -> None:
            backend, url = backend_of(self.url, _VARIABLE, no_token)
            database = ServerDatabase(backend, url, toy_schema(), {}, connections=1, wait=20)
            try:
                for name, _ in await database.schemas(prefix):
                    await database.drop(Home(make_tenant(), name))
            finally:
                await database.close()

        asyncio.run(main())

    def remove_databases(self, prefix: str) -> None:
        async def main(server: Server) -> None:
            for name, _ in await server.databases(prefix):
                await server.drop(Home(make_tenant(), name))

        self._run(main)

    def _run(self, fn: Callable[[Server], Awaitable[None]]) -> None:
        async def main() -> None:
            _, url = backend_of(self.url, _VARIABLE, no_token)
            server = Server(url, wait=20)
            try:
                await fn(server)
            finally:
                await server.close()

        asyncio.run(main())


def is_given() -> bool:
    """Whether the environment names a server."""
    return bool(os.environ.get(_VARIABLE))


def given() -> SQLServer:
    """The server that the environment names. Skips the test where it names none."""
    url = os.environ.get(_VARIABLE)
    if not url:
        pytest.skip(f"no SQL Server: {_VARIABLE} is not set")
    server = SQLServer(url)
    server.allow_snapshots()
    return server
