"""Tenants and hosts, as the platform database has them: learned of, and changed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from mosaic_core.database import History
from mosaic_core.directory.agenda import Agenda
from mosaic_core.directory.database import OWNER, PlatformDatabase
from mosaic_core.directory.deletions import Deletions
from mosaic_core.directory.domains import give_domain, require_foreign
from mosaic_core.directory.hints import Hints
from mosaic_core.directory.imports import Imports
from mosaic_core.directory.leases import Lease, Leases
from mosaic_core.directory.news import News
from mosaic_core.directory.rollouts import Rollouts
from mosaic_core.directory.slugs import rename, require_not_kept, slug_taken
from mosaic_core.directory.tables import TenantRow
from mosaic_core.directory.theme_sets import ThemeSets
from mosaic_core.directory.trusted_clock import TrustedClock
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import PLATFORM, Write, Writer
from mosaic_core.head.outbox import Outbox
from mosaic_core.resolution import normalise_host
from mosaic_core.tenants import TenantContext, TenantStatus, check_slug

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """A tenant with what only operators need."""

    tenant: TenantContext
    revision: str
    subscription_status: str
    created_at: datetime
    domains: tuple[str, ...]


class Directory(News):
    """Implements :class:`mosaic_core.resolution.HostDirectory`.

    Args:
        database: the platform database.
        platform_domain: every tenant has ``<slug>.<platform_domain>``.
        freshness: seconds after which :meth:`refresh` looks for news again.
        lease: seconds that a lease is held without being renewed.
    """

    def __init__(
        self,
        database: PlatformDatabase,
        platform_domain: str,
        freshness: float,
        lease: float = 15.0,
    ) -> None:
        super().__init__(database, platform_domain, freshness)
        #: Told of every commit to the platform database.
        self.moved: Callable[[], None] = _untold
        self._writer = Writer(
            PLATFORM, OWNER, database.exclusive, committed=lambda state: self.moved()
        )
        #: When something is due at which tenant.
        self.agenda = Agenda(database, self._writer)
        #: Whose outbox is to be looked into.
        self.hints = Hints(database, self._writer)
        #: What the platform itself has to do: messages that belong to no tenant.
        self.outbox = Outbox(PLATFORM, database.session, self._writer.write)
        #: What the pages of tenants were rendered in.
        self.theme_sets = ThemeSets(database, self._writer)
        #: Who works at which tenant as a whole.
        self.leases = Leases(database, self._writer, lease)
        #: What says when something is removed for good.
        self.clock = TrustedClock(database)
        #: Which tenants were deleted.
        self.deletions = Deletions(self)
        #: Which tenants are being made of bundles.
        self.imports = Imports(self)
        #: Where the migration of all tenants paused.
        self.rollouts = Rollouts(database, self._writer)

    # Changes

    async def write(
        self,
        fn: Callable[[Write], Awaitable[T]],
        *,
        actor: str,
        action: str,
        write_id: uuid.UUID | None = None,
    ) -> T:
        """A write to the platform database, known here when it returns."""
        result = await self._writer.write(fn, actor=actor, action=action, write_id=write_id)
        await self._look_again()
        return result

    async def note(self, fn: Callable[[Write], Awaitable[T]], *, actor: str, action: str) -> T:
        """A write to the platform database that changes nothing which is looked up here."""
        return await self._writer.write(fn, actor=actor, action=action)

    async def add(
        self,
        tenant: TenantContext,
        revision: str,
        *,
        actor: str,
        domains: Sequence[str] = (),
        beside: Callable[[Write], Awaitable[None]] | None = None,
        made: asyncio.Future[None] | None = None,
    ) -> None:
        """Makes a provisioned tenant known.

        Args:
            domains: that lead to it, in the form of ``normalise_host``.
            beside: notes more of it in the same write.
            made: ends when its database is there; it is waited for just before the commit.

        Raises:
            Conflict: the slug is taken, or a domain.
        """

        async def fn(write: Write) -> int:
            # Where nobody has written since, memory knows every former slug.
            if self._known != write.version - 1 or tenant.slug in self._former:
                await require_not_kept(write, tenant.tenant_id, tenant.slug)
            row = TenantRow(
                tenant_id=tenant.tenant_id,
                slug=check_slug(tenant.slug),
                name=tenant.name,
                tier=tenant.tier,
                status=tenant.status,
                reason=tenant.reason,
                epoch=tenant.epoch,
                database_schema=tenant.database_schema,
                revision=revision,
                subscription_status="none",
                created_at=write.at,
                changed=write.version,
            )
            try:
                await write.insert(row)
            except IntegrityError:  # the database's own constraint: another process was faster
                raise slug_taken(tenant.slug) from None
            for host in domains:
                await give_domain(write, tenant.tenant_id, host, None)
            if beside is not None:
                await beside(write)
            if made is not None:
                write.meanwhile.append(made)
            return write.version

        version = await self._writer.write(fn, actor=actor, action="tenants.create")
        await self._look_ended()
        if self._known == version - 1 and not domains:  # nothing else is new
            self._learn(version, [tenant])
        else:
            await self.refresh(now=True)

    async def has(self, tenant_id: str) -> bool:
        """Whether the platform database has a tenant, deleted or not, once every write to it that
        is under way has ended."""

        async def fn(write: Write) -> bool:
            query = select(TenantRow.tenant_id).where(TenantRow.tenant_id == tenant_id)
            return await write.session.scalar(query) is not None

        return await self._writer.write(fn, actor="system", action="tenants.look")

    async def change(
        self,
        tenant_id: str,
        *,
        actor: str,
        action: str,
        lease: Lease | None = None,
        beside: Callable[[Write], Awaitable[None]] | None = None,
        write_id: uuid.UUID | None = None,
        **values: Any,
    ) -> TenantContext:
        """Changes columns of a tenant's row and returns what it is now.

        Args:
            lease: has to be held, and is given back in the same write.
            beside: is done first in the same write.
            write_id: unique in the change log; a repeated id is refused by the database.

        Raises:
            NotFound: the tenant is not there, or it is deleted; this process may not know yet.
            LeaseLost: somebody else has taken the lease.
        """

        async def fn(write: Write) -> None:
            if beside is not None:
                await beside(write)
            row = await write.session.get(TenantRow, tenant_id)
            if row is None or row.status == TenantStatus.DELETED:
                raise NotFound(f"There is no tenant {tenant_id!r}.")
            different = {k: v for k, v in values.items() if getattr(row, k) != v}
            for name, value in different.items():
                setattr(row, name, value)
            if different:
                row.changed = write.version
            if lease is not None:
                await lease.require(write)
                await self.leases.end(write, lease)

        await self.write(fn, actor=actor, action=action, write_id=write_id)
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            raise NotFound(f"The tenant {tenant_id!r} is deleted.")
        return tenant

    async def rename(
        self, tenant_id: str, slug: str, *, actor: str, write_id: uuid.UUID | None = None
    ) -> TenantContext:
        """Gives a tenant another slug; for a while the one that it had leads to it.

        Raises:
            InvalidInput, Conflict: it cannot have this one.
        """
        try:
            await self.write(
                lambda write: rename(write, tenant_id, slug),
                actor=actor,
                action="tenants.rename",
                write_id=write_id,
            )
        except Conflict:
            raise slug_taken(slug) from None
        return self.named(slug)

    async def add_domain(
        self, tenant_id: str, host: str, *, site: str | None = None, actor: str
    ) -> None:
        """Gives a tenant a custom domain.

        Raises:
            Conflict: another tenant has it, or it is below the platform's own domain.
        """
        name = normalise_host(host)
        require_foreign(name, self._domain)

        async def fn(write: Write) -> None:
            await give_domain(write, tenant_id, name, site)

        await self.write(fn, actor=actor, action="domains.add")

    # Operators' questions

    async def records(self) -> list[TenantRecord]:
        """Every tenant, by slug."""
        await self.refresh(now=True)
        async with self.database.session() as session:
            rows = await session.execute(
                select(
                    TenantRow.tenant_id,
                    TenantRow.revision,
                    TenantRow.subscription_status,
                    TenantRow.created_at,
                ).order_by(TenantRow.slug)
            )
            hosts: dict[str, list[str]] = {}
            for host, match in sorted(self._domains.items()):
                hosts.setdefault(match.tenant_id, []).append(host)
            return [
                TenantRecord(
                    self._tenants[tenant_id],
                    revision,
                    subscription,
                    created,
                    tuple(hosts.get(tenant_id, ())),
                )
                for tenant_id, revision, subscription, created in rows
                if tenant_id in self._tenants
            ]

    async def behind(self, history: History) -> list[tuple[TenantContext, str]]:
        """The tenants whose database is not at the current revision, each with the one that it is
        at, in the order in which they were made: one query for the fleet."""
        await self.refresh(now=True)
        query = select(TenantRow.tenant_id, TenantRow.revision)
        async with self.database.session() as session:
            rows = await session.execute(
                query.where(TenantRow.revision != history.current).order_by(TenantRow.tenant_id)
            )
            return [(self._tenants[i], revision) for i, revision in rows if i in self._tenants]

    async def revisions(self) -> list[tuple[TenantContext, str]]:
        """Every tenant, with the revision that was noted of its database."""
        await self.refresh(now=True)
        async with self.database.session() as session:
            rows = await session.execute(select(TenantRow.tenant_id, TenantRow.revision))
            return [(self._tenants[i], revision) for i, revision in rows if i in self._tenants]

    # Hints

    async def hinted(
        self,
        topics: Collection[str] | None = None,
        *,
        by: datetime | None = None,
        after: datetime | None = None,
    ) -> list[TenantContext]:
        """Tenants whose outbox may have messages (see :meth:`Hints.due`)."""
        await self.refresh()
        ids = await self.hints.due(topics, by=by, after=after)
        return [self._tenants[i] for i in ids if i in self._tenants]

    async def count(self) -> int:
        """How many tenants there are, from the database."""
        async with self.database.session() as session:
            return int(await session.scalar(select(func.count()).select_from(TenantRow)) or 0)


def _untold() -> None:
    """For an installation of one instance."""


@asynccontextmanager
async def open_directory(
    database: PlatformDatabase, platform_domain: str, freshness: float, lease: float = 15.0
) -> AsyncIterator[Directory]:
    """The directory of an up-to-date platform database, loaded.

    Raises:
        DatabaseMissing, DatabaseBehind, DatabaseNewer: with what to do.
    """
    await database.require_current()
    directory = Directory(database, platform_domain, freshness, lease)
    await directory.clock.begin()
    await directory.refresh()
    yield directory
