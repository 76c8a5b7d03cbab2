"""What a kind of server does in its own way; all else of a home is the same on each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mosaic_core.database import History, Tables, TenantSchema
from mosaic_core.persistence import Problem, Rows
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases.naming import Home
from mosaic_core.tenants import TenantContext


class Statements(Protocol):
    """A connection as the kernel's own statements use it: asyncpg's interface, as far as needed.

    Parameters are written as the server's driver takes them.
    """

    async def fetch(self, sql: str, /, *values: Any) -> Sequence[Any]: ...

    async def fetchval(self, sql: str, /, *values: Any) -> Any: ...

    async def execute(self, sql: str, /, *values: Any) -> Any: ...

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any: ...

    def is_closed(self) -> bool:
        """Whether the connection is known to be no more."""
        ...


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction is for. Names are those of homes."""

    #: It sees one snapshot, and does not write.
    reads: bool = False
    #: The home whose turn at writing it takes, among all processes.
    alone: str | None = None
    #: The home as whose role it runs.
    role: str | None = None
    #: The home whose foreign keys are looked at when it ends.
    deferred: str | None = None
    #: The names of that home's tables.
    tables: tuple[str, ...] = ()


class Making(Protocol):
    """Makes homes of one schema's tables, at the revision that the code needs."""

    async def make(
        self,
        connection: AsyncConnection,
        driver: Statements,
        name: str,
        tenant: TenantContext,
        rows: Sequence[Rows],
    ) -> None:
        """Makes a home in the connection's transaction, which the caller commits.

        Args:
            connection: whose schemas are translated, and which may change all tables.
            driver: the same one.

        Raises:
            Conflict: something of this name is there, or the rows contradict each other.
        """
        ...


class SearchIndex(Protocol):
    """The index of the table that is searched. Everything is done in the driver's transaction."""

    async def is_made(self, driver: Statements, name: str) -> bool:
        """Whether a home has this very index, and not another version's or none."""
        ...

    async def is_behind(self, driver: Statements, name: str) -> bool:
        """Whether rows were changed that the index has not seen; asked first in a transaction, in
        which it answers if there are none."""
        ...

    async def make(self, driver: Statements, name: str) -> None:
        """Makes the index with all rows to be seen, unless another process just did."""
        ...

    async def step(self, driver: Statements, name: str) -> bool:
        """Puts in some of what was changed; whether there may be more."""
        ...

    async def respell(self, driver: Statements, name: str) -> None:
        """Forgets the words that are nowhere any more."""
        ...

    async def answer(self, driver: Statements, name: str, query: SearchQuery) -> SearchResults:
        """The hits of a query; none when it has no word.

        Raises:
            InvalidInput: a value of the scope does not fit its column.
        """
        ...


class Server(Protocol):
    """A server on which databases are made."""

    async def close(self) -> None: ...

    def url(self, home: Home) -> URL:
        """The URL of a tenant's database."""
        ...

    async def has(self, home: Home) -> bool:
        """Whether the tenant's database is there, empty or not."""
        ...

    async def make(self, home: Home) -> None:
        """Makes the tenant's database, an empty one.

        Raises:
            Conflict: it is there.
        """
        ...

    async def drop(self, home: Home) -> None:
        """Removes the tenant's database, whoever is connected to it."""
        ...

    async def databases(self, prefix: str) -> list[tuple[str, str | None]]:
        """The names of the databases that begin so, and since when they are there, as
        :func:`~mosaic_core.server_databases.naming.age` reads it."""
        ...


class Backend(Protocol):
    """One kind of server."""

    @property
    def has_roles(self) -> bool:
        """Whether a home may have a role of its own."""
        ...

    @property
    def reading(self) -> Mapping[str, Any]:
        """Execution options of a connection that reads."""
        ...

    def where(self, url: URL) -> str:
        """The server of a URL as an error names it."""
        ...

    def create_engine(self, url: URL, *, connections: int, wait: float) -> AsyncEngine: ...

    def translating(
        self, subject: str, server: str = "", missing: str = ""
    ) -> AbstractContextManager[None]:
        """Raises the driver's errors as ours; with ``server``, the network's too.

        Args:
            missing: what to do when the database is not there; by default as a tenant's.
        """
        ...

    def beginning(self, transaction: Transaction) -> list[str]:
        """What a transaction begins with, which ends with it."""
        ...

    def ending(self, transaction: Transaction) -> list[str]:
        """What comes before its commit."""
        ...

    def statements(self, driver: Any) -> Statements:
        """The driver's own connection, for the kernel's statements."""
        ...

    def transaction(
        self, driver: Statements, transaction: Transaction
    ) -> AbstractAsyncContextManager[Any]:
        """A transaction of the driver's own: committed at its end, undone by an error."""
        ...

    async def make_schema(self, connection: AsyncConnection, driver: Statements, name: str) -> None:
        """Makes an empty schema, unless it is there, in the connection's transaction: one process
        at a time, until that ends.

        Args:
            connection: that may run any text.
            driver: the same one.
        """
        ...

    def making(self, schema: TenantSchema, dialect: Dialect, *, roles: bool) -> Making: ...

    def history(self, history: History, name: str, *, roles: bool) -> History:
        """A home's migrations, which take its index away before they change what it stands on."""
        ...

    def search_index(
        self, metadata: Tables, dialect: Dialect, *, roles: bool
    ) -> SearchIndex | None:
        """None when nothing is searched."""
        ...

    async def exists(self, driver: Statements, name: str) -> bool:
        """Whether there is a schema of this name."""
        ...

    async def schemas(self, driver: Statements, prefix: str) -> Sequence[tuple[str, str | None]]:
        """The schemas whose names begin so, and what was stamped on them."""
        ...

    async def tables(self, driver: Statements, name: str) -> list[str]:
        """The names of a home's tables."""
        ...

    async def size(self, driver: Statements, name: str) -> int:
        """Bytes of a home's tables, their indexes and long values."""
        ...

    async def faults(self, driver: Statements, name: str) -> list[Problem]:
        """What is wrong with a home, or with the database that it is in."""
        ...

    async def compact(self, driver: Statements, name: str) -> None:
        """Gives back the room that deleted rows left; outside of a transaction."""
        ...

    async def drop(self, driver: Statements, name: str, *, roles: bool) -> None:
        """Removes a home, if it is there."""
        ...

    def server(self, url: URL, *, wait: float) -> Server: ...

    def removal(self, name: str) -> str:
        """What somebody runs to remove a home that is no tenant's."""
        ...
