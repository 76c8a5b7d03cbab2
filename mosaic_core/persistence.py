"""The persistence contract: where a tenant's rows live and how they are reached.

A strategy (a file, a schema, a database of its own) implements :class:`Persistence`. Everything
takes the tenant explicitly; what one tenant's session can see is decided when it is opened and by
nothing that could be left over from another's.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Select, Table
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.problem import Problem as Problem
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.tenants import TenantContext
from mosaic_core.types import made_at

#: In the ``info`` of a write's session: it erases what is to be found nowhere in the database any
#: more, its files included, where they are ours.
ERASED = "mosaic_erased"


class HeadStatus(enum.StrEnum):
    """Whether this home takes writes: yes, not now (a move is ending), or never again.

    A home that is followed takes them, and its log says of derived rows, too, which ones changed:
    a move reads it. So it is with one whose files are settled: whoever changed one waits until
    the move has ended, and sees to it that the file is where the tenant lives then.
    """

    OPEN = "open"
    FOLLOWED = "followed"
    SETTLED = "settled"
    FENCED = "fenced"
    MOVED = "moved"

    @property
    def followed(self) -> bool:
        """Whether it takes writes, and a move reads its log."""
        return self in {HeadStatus.FOLLOWED, HeadStatus.SETTLED}


@dataclass(frozen=True, slots=True)
class HeadState:
    """What one look at a head says."""

    #: Moves with every write.
    version: int
    #: Moves only with changes that a visitor can see.
    published: int
    status: HeadStatus = HeadStatus.OPEN
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a strategy can do beyond the contract; nothing here may be assumed."""

    #: Served by one host only, since the database is a local file.
    single_host: bool
    #: ``check`` looks at the pages of the file, not just at its rows.
    verifies_pages: bool


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Stray:
    """A database of no tenant: what a process leaves that is killed while it makes one.

    Attributes:
        problem: what `mosaic doctor` says of it.
        since: when it was made or last written; None when nobody can tell.
        home: the tenant whose it would be, known by its id and epoch alone: dropping that home
            removes it. None when that would be no help.
    """

    problem: Problem
    since: datetime | None = None
    home: TenantContext | None = None

    @classmethod
    def of(
        cls, name: str, what: str, since: datetime | None, home: TenantContext | None, by_hand: str
    ) -> Stray:
        """One that is called ``name`` where it is, and that an operator removes ``by_hand``. Where
        it does not say since when it is there, it is as old as its tenant's id."""
        if since is None and home is not None:
            since = made_at(home.tenant_id)
        mend = (
            "A process was killed before it made the tenant known. It is never read: run "
            "'mosaic doctor --remove-strays', or, if no tenant is being made right now and "
            f"the platform database is not from an old backup, {by_hand}"
        )
        return cls(Problem(name, f"{what}; it {_told(_age(since))}.", mend), since, home)

    @property
    def age(self) -> float | None:
        """In seconds, by this machine's clock; None when nobody can tell."""
        return _age(self.since)


def _age(since: datetime | None) -> float | None:
    return None if since is None else (datetime.now(UTC) - since).total_seconds()


def _told(seconds: float | None) -> str:
    if seconds is None:
        return "does not say how old it is"
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"is {count} {unit}{'s' if count > 1 else ''} old"
    return "is less than a minute old"


class Begin(Protocol):
    """Opens the session of one write; leaving it rolls back what was not committed."""

    def __call__(self, *, reserve: bool) -> AbstractAsyncContextManager[AsyncSession]: ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table; each has a value for every column, by its name."""

    table: Table
    values: Sequence[Mapping[str, Any]]


@runtime_checkable
class Persistence(Protocol):
    """Where the rows of tenants live. Safe to use from any number of tasks and processes.

    Every method raises the :class:`~mosaic_core.errors.DatabaseError` that fits:
    ``DatabaseMissing``, ``DatabaseDamaged``, ``DatabaseNewer``, ``DatabaseBehind``,
    ``DatabaseBusy``, ``DatabaseReadOnly``, ``DiskFull``, ``QuotaExceeded``.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        """Makes the tenant's database at the current revision; all of it or nothing.

        Args:
            rows: everything that is in it when somebody first sees it, its head among them, each
                row after those that it points to (see :mod:`mosaic_core.head.first`). Without
                any, the head alone.

        Raises:
            Conflict: the tenant has a database here already; it is left as it is. Or the rows
                contradict each other.
            InvalidInput: a value does not fit its column.
        """
        ...

    def session(self, tenant: TenantContext) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that sees one snapshot and cannot write."""
        ...

    def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """A session for one write, held by one process at a time; used by the head alone.

        With ``reserve`` it may go beyond the tier's limit a little, so that deleting, exporting and
        compacting always work. With ``deferred``, rows may come and go in any order: what they
        point to is looked for at the commit. That is for a home that nobody else uses yet. Leaving
        it rolls back what was not committed.
        """
        ...

    async def head(self, tenant: TenantContext, *, behind: bool = False) -> HeadState:
        """One indexed read of the tenant's head; with ``behind``, also where this code serves
        nothing else of the database, which waits to be migrated."""
        ...

    def glance(self, tenant: TenantContext) -> HeadState | None:
        """The tenant's head as it is now, where that is known without waiting for anything.

        None where it is not, or where something is wrong: :meth:`head` says what.
        """
        ...

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        """The rows of a query on derived tables: the fast way, for visitors.

        ``query`` is a constant: it is compiled once, with the tenant's schema in it.
        """
        ...

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        """What visitors find in the table that the schema marks as searched, as it is now.

        Nothing when no table is, or when the query has no word. No text of a query is an error.
        """
        ...

    async def revision(self, tenant: TenantContext) -> str:
        """The migrations that the database stands at, comma-separated and sorted."""
        ...

    async def migrate(self, tenant: TenantContext) -> str:
        """Brings the database to the current revision and returns it."""
        ...

    async def compact(self, tenant: TenantContext) -> None:
        """Gives back the room that deleted rows left."""
        ...

    async def drop(self, tenant: TenantContext) -> None:
        """Removes the database and all that belongs to it; dropping what is gone is no error."""
        ...

    async def size(self, tenant: TenantContext) -> int:
        """Bytes in use, as the tier's limit counts them."""
        ...

    async def check(self, tenant: TenantContext) -> list[Problem]:
        """What is wrong with the database itself; an empty list when nothing is."""
        ...

    async def strays(self, known: Collection[str]) -> list[Stray]:
        """Databases here of no tenant.

        Args:
            known: the ids of all tenants.
        """
        ...
