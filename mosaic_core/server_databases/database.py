"""One database of a server, and the homes in it.

All homes share one pool of connections, bounded for each process. A write waits its turn among
those of its tenant before it takes a connection, so that no tenant's writers hold connections that
others could use; and writes take at most half of them, so that a write may read beside itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import URL, Select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database import TenantSchema
from mosaic_core.database.prepared import Prepared
from mosaic_core.errors import (
    ConfigurationError,
    Conflict,
    DatabaseDamaged,
    DatabaseError,
    DatabaseMissing,
)
from mosaic_core.head import TENANT, WriteLimits, Writer, empty_rows
from mosaic_core.head.guard import migrating
from mosaic_core.head.log import migrate as migrate_with_log
from mosaic_core.persistence import HeadState, HeadStatus, Problem, Rows
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases import looking
from mosaic_core.server_databases.backend import Backend, Statements, Transaction
from mosaic_core.server_databases.connections import Connections
from mosaic_core.server_databases.naming import MARK, Home
from mosaic_core.server_databases.quota import Quota
from mosaic_core.server_databases.search import Searches
from mosaic_core.server_databases.whole import whole
from mosaic_core.tenants import Tier

#: A migration may have gigabytes to go through.
_MIGRATING = WriteLimits(function=1800.0)


class ServerDatabase:
    """Does what :class:`mosaic_core.persistence.Persistence` asks for, for homes of one database.

    Args:
        backend: what its kind of server does in its own way.
        url: with the driver; of a user who may make schemas there, and roles if ``roles``.
        schema: the tables of a home.
        tiers: for the limits of their databases.
        connections: that this process opens at most.
        wait: seconds to wait for one.
        roles: each home has a role of its own, and its statements run as that: the database itself
            refuses what reaches into another home.

    Raises:
        ConfigurationError: there are no such roles on its kind of server.
    """

    def __init__(
        self,
        backend: Backend,
        url: URL,
        schema: TenantSchema,
        tiers: Mapping[str, Tier],
        *,
        connections: int,
        wait: float,
        roles: bool = False,
    ) -> None:
        if roles and not backend.has_roles:
            raise ConfigurationError(
                f"The server at {backend.where(url)} has no roles for single tenants.",
                hint="Leave out roles in [plugins.tenancy_sqlschema], or use PostgreSQL.",
            )
        self._backend = backend
        self._schema = schema
        self._roles = roles
        self._connections = Connections(backend, url, connections=connections, wait=wait)
        dialect = self._connections.dialect
        self._making = backend.making(schema, dialect, roles=roles)
        self._quota = Quota(tiers)
        index = backend.search_index(schema.metadata, dialect, roles=roles)
        self._searches = Searches(index, self.raw)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._writes = asyncio.Semaphore(max(connections // 2, 1))
        self._prepared: dict[Select[Any], Prepared] = {}
        #: Homes that were seen to be their tenant's, and current.
        self._proved: set[str] = set()

    async def close(self) -> None:
        await self._searches.close()
        await self._connections.close()

    # Sessions

    @asynccontextmanager
    async def session(self, home: Home) -> AsyncIterator[AsyncSession]:
        await self._prove(home)
        transaction = Transaction(reads=True, role=self._role(home))
        async with self._session(home, transaction) as session:
            yield session

    @asynccontextmanager
    async def exclusive(
        self, home: Home, *, reserve: bool = False, deferred: bool = False
    ) -> AsyncIterator[AsyncSession]:
        async with self._turn(home), self._writes:
            await self._prove(home)
            if not reserve:
                await self._quota.require(home.name, home.tenant, lambda: self.size(home))
            if deferred:  # as the owner of the tables
                async with self._driver(home) as driver:
                    tables = tuple(await self._backend.tables(driver, home.name))
                transaction = Transaction(alone=home.name, deferred=home.name, tables=tables)
            else:
                transaction = Transaction(alone=home.name, role=self._role(home))
            async with self._session(home, transaction) as session:
                yield session

    def _role(self, home: Home) -> str | None:
        return home.name if self._roles else None

    @asynccontextmanager
    async def _session(self, home: Home, transaction: Transaction) -> AsyncIterator[AsyncSession]:
        with self._translating(home):
            schemas = {"tenant": home.name}
            async with self._connections.session(home.subject, schemas, transaction) as session:
                yield session

    @asynccontextmanager
    async def raw(self, home: Home, *, writable: bool = False) -> AsyncIterator[Statements]:
        """A connection of the driver's own, in a transaction: for text that has the home's name
        compiled in. One that cannot write sees one snapshot, where the server makes it easy."""
        role = None if writable else self._role(home)
        transaction = Transaction(reads=not writable, role=role)
        async with self._driver(home) as driver, self._backend.transaction(driver, transaction):
            yield driver

    @asynccontextmanager
    async def _driver(self, home: Home) -> AsyncIterator[Statements]:
        with self._translating(home):
            async with self._connections.driver(home.subject) as driver:
                yield driver

    @contextmanager
    def _translating(self, home: Home) -> Iterator[None]:
        try:
            with self._connections.translating(home.subject):
                yield
        except DatabaseMissing:
            self._forget(home)
            raise

    @asynccontextmanager
    async def _turn(self, home: Home) -> AsyncIterator[None]:
        lock = self._turns.setdefault(home.name, asyncio.Lock())
        async with lock:
            yield

    async def _prove(self, home: Home) -> None:
        """Raises unless the home is this tenant's, whole as far as one sees, and current."""
        if home.name in self._proved:
            return
        async with self.raw(home) as driver:
            await looking.prove(self._backend, driver, home.name, home.tenant, self._schema.history)
        self._proved.add(home.name)

    def _forget(self, home: Home) -> None:
        self._proved.discard(home.name)
        self._quota.forget(home.name)
        self._searches.forget(home.name)

    # Visitors' reads

    async def head(self, home: Home, *, behind: bool = False) -> HeadState:
        if behind:
            async with self.raw(home) as driver:
                await looking.prove_owner(driver, home.name, home.tenant)
        else:
            await self._prove(home)
        (row,) = await self._fetch(home, looking.HEAD.replace(MARK, home.name)) or [None]
        if row is None:
            raise DatabaseDamaged(
                f"{home.subject} has no head row.", hint="Restore the database from a backup."
            )
        version, published, status, epoch = row
        return HeadState(version, published, HeadStatus(status), epoch)

    async def published(
        self, home: Home, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        await self._prove(home)
        prepared = self._prepared.get(query)
        if prepared is None:
            dialect = self._connections.dialect
            prepared = self._prepared[query] = Prepared.compile(query, dialect, MARK)
        sql = prepared.sql.replace(MARK, home.name)
        return prepared.rows(await self._fetch(home, sql, *prepared.values(parameters)))

    async def search(self, home: Home, query: SearchQuery) -> SearchResults:
        await self._prove(home)
        return await self._searches.search(home, query)

    async def size(self, home: Home) -> int:
        """Bytes of the tables, their indexes and long values, on the server's disk."""
        await self._prove(home)
        async with self._driver(home) as driver:
            return await self._backend.size(driver, home.name)

    async def _fetch(self, home: Home, sql: str, *values: Any) -> list[Any]:
        """The rows of one statement that reads: a transaction of its own, unless it has a role."""
        if self._roles:
            async with self.raw(home) as driver:
                return list(await driver.fetch(sql, *values))
        async with self._driver(home) as driver:
            return list(await driver.fetch(sql, *values))

    # Life

    async def provision(self, home: Home, rows: Sequence[Rows] = ()) -> None:
        """All of it or nothing, whatever becomes of the caller."""
        making = self._make(home, rows or empty_rows(home.tenant))
        await whole(making, lambda: self.drop(home))

    async def _make(self, home: Home, rows: Sequence[Rows]) -> None:
        self._forget(home)
        try:
            with self._translating(home):
                schemas, connections = {"tenant": home.name}, self._connections
                connected = connections.connected(home.subject, schemas, **migrating())
                async with connected as connection:
                    driver = await connections.statements(connection)
                    await self._making.make(connection, driver, home.name, home.tenant, rows)
                    await connection.commit()
        except Conflict:
            async with self._driver(home) as driver:
                if not await self._backend.exists(driver, home.name):
                    raise
            raise Conflict(f"{home.subject} exists already.", hint="Drop it first.") from None

    async def revision(self, home: Home) -> str:
        rows = await self._fetch(home, looking.REVISIONS.replace(MARK, home.name))
        return ",".join(sorted(row[0] for row in rows))

    async def migrate(self, home: Home) -> str:
        @asynccontextmanager
        async def begin(*, reserve: bool) -> AsyncIterator[AsyncSession]:
            # As the owner of the tables, and beyond the tier's limit.
            async with self._session(home, Transaction(alone=home.name)) as session:
                yield session

        async with self._turn(home), self._writes:
            self._forget(home)
            writer = Writer(TENANT, home.tenant.tenant_id, begin, limits=_MIGRATING)
            history = self._schema.history
            indexed = self._backend.history(history, home.name, roles=self._roles)
            schema = replace(self._schema, history=indexed)
            return await migrate_with_log(writer, TENANT, schema, home.subject)

    async def compact(self, home: Home) -> None:
        """Writes each table anew; whoever reads or writes it waits meanwhile."""
        async with self._turn(home), self._writes:
            await self._prove(home)
            await self._searches.respell(home)
            async with self._driver(home) as driver:
                await self._backend.compact(driver, home.name)
            self._quota.forget(home.name)

    async def drop(self, home: Home) -> None:
        async with self._turn(home):
            self._forget(home)
            async with self.raw(home, writable=True) as driver:
                await self._backend.drop(driver, home.name, roles=self._roles)

    async def check(self, home: Home) -> list[Problem]:
        try:
            self._proved.discard(home.name)
            await self._prove(home)
            async with self.raw(home) as driver:
                return await looking.check(self._backend, driver, home.name, self._schema)
        except DatabaseError as error:
            return [Problem(home.name, error.message, error.hint)]

    async def schemas(self, prefix: str) -> list[tuple[str, str | None]]:
        """The names of the schemas that begin so, and what was stamped on them."""
        subject = "The database of the tenants"
        with self._connections.translating(subject):
            async with self._connections.driver(subject) as driver:
                return list(await self._backend.schemas(driver, prefix))

    def removal(self, name: str) -> str:
        """What somebody runs to remove a home that is no tenant's."""
        return self._backend.removal(name)
