"""What an application runs on: everything hangs on a :class:`Platform`."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.cache import Cache
from mosaic_core.database import History, TenantSchema
from mosaic_core.directory import (
    Directory,
    PlatformDatabase,
    PlatformFile,
    Work,
    slug_taken,
)
from mosaic_core.ended import ended
from mosaic_core.errors import ConfigurationError, LeaseTaken, NotFound
from mosaic_core.head import Heads, Write, first_rows
from mosaic_core.homes import Homes
from mosaic_core.identity import IdentityProvider
from mosaic_core.mail import Mailbox, Mailer
from mosaic_core.memory_cache import MemoryCache
from mosaic_core.moves import Moving
from mosaic_core.news import News
from mosaic_core.persistence import Persistence, Rows
from mosaic_core.plugins import Plugins
from mosaic_core.resolution import TenantMatch, TenantResolver
from mosaic_core.settings import Settings
from mosaic_core.storage import Storage
from mosaic_core.storing import FollowingStorage
from mosaic_core.tenants import TenantContext, Tier, check_slug
from mosaic_core.writing import Writing

T = TypeVar("T")

_MIGRATIONS = Path(__file__).parent / "migrations"
TENANT_MIGRATIONS = _MIGRATIONS / "tenant"


def platform_history(*folders: Path) -> History:
    """The migrations of the platform database, with those of a product that are in ``folders``."""
    return History("platform", [_MIGRATIONS / "platform", *folders])


def platform_database(settings: Settings, history: History) -> PlatformDatabase:
    """The platform database of a deployment, which nobody has connected to yet.

    Raises:
        ConfigurationError: its URL is none, or what it takes to connect is not installed.
    """
    given = settings.database
    if given.url is None:
        return PlatformFile(settings.data_dir / "platform.db", history)
    # Most deployments do without, and start sooner.
    from mosaic_core.directory.server import PlatformSchema
    from mosaic_core.server_databases import backend_of

    backend, url = backend_of(given.url.get_secret_value(), "[database] url")
    return PlatformSchema(
        backend,
        url,
        history,
        name=given.schema_name,
        connections=given.connections,
        wait=given.wait,
    )


class Platform:
    """What an application runs on: the directory, the opened providers, and the way to write."""

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins,
        schema: TenantSchema,
        directory: Directory,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        self.schema = schema
        self.directory = directory
        self.homes = Homes(directory)
        self.heads = Heads(settings.platform.freshness, self.persistence, self.homes.again)
        self.writing = Writing(directory, self.heads, self.homes, self.persistence)
        self.moving = Moving(
            directory,
            self.heads,
            schema,
            self.persistence,
            self._storage_at,
            timedelta(days=settings.platform.keep_moved),
        )
        self._files = FollowingStorage(
            self.homes, self._storage_at, self.persistence, self.moving.before
        )
        #: Every selected way to keep tenants, and to keep files, by name.
        self.strategies: dict[str, Persistence] = {}
        self.storages: dict[str, Storage] = {}
        #: What is asked for the tenant of a host, in order.
        self.resolvers: list[TenantResolver] = []
        #: What sends mail; None when no such plugin is selected, and then mail waits.
        self.mailer: Mailer | None = None
        #: What signs in by others' word, and which of them offers each way, by name.
        self.identity: dict[str, IdentityProvider] = {}
        self.ways: dict[str, IdentityProvider] = {}
        #: What is kept for a time: shared by all instances where a plugin is selected for it.
        self.cache: Cache = MemoryCache()
        #: The same for what nothing may stand in for: it raises while the shared one is away.
        self.shared: Cache = self.cache
        #: What instances tell each other; None where they share no cache.
        self.news: News | None = None

    # Finding things

    def resolve(self, host: str) -> TenantMatch | None:
        """Asks the resolvers, in order, for the tenant of a normalised host."""
        for resolver in self.resolvers:
            match = resolver.resolve(host)
            if match is not None:
                return match
        return None

    def tier(self, tenant: TenantContext) -> Tier:
        """The tenant's tier.

        Raises:
            ConfigurationError: it is not configured any more.
        """
        tier = self.settings.tiers.get(tenant.tier)
        if tier is None:
            raise ConfigurationError(
                f"The tier {tenant.tier!r} of {tenant.slug!r} is not configured.",
                hint=f"Add [tiers.{tenant.tier}] to mosaic.toml.",
            )
        return tier

    def persistence(self, tenant: TenantContext) -> Persistence:
        """Where the tenant's rows are."""
        return self._provider(self.strategies, tenant, self.tier(tenant).persistence)

    def storage(self, tenant: TenantContext) -> Storage:
        """Where the tenant's files are; what is stored there is where the tenant lives, whatever
        happens meanwhile."""
        self._storage_at(tenant)
        return self._files

    def _storage_at(self, tenant: TenantContext) -> Storage:
        return self._provider(self.storages, tenant, self.tier(tenant).storage)

    @staticmethod
    def _provider(opened: dict[str, T], tenant: TenantContext, name: str) -> T:
        if name not in opened:
            raise ConfigurationError(
                f"The tier {tenant.tier!r} needs {name!r}, which is not selected.",
                hint=f"Install its distribution and add {name!r} to [platform] plugins.",
            )
        return opened[name]

    @property
    def sender(self) -> Mailbox:
        """In whose name mail is sent."""
        own, platform = self.settings.mail, self.settings.platform
        address = own.address or f"noreply@{platform.domain}"
        return Mailbox(address, platform.name if own.name is None else own.name)

    def origin(self, host: str) -> str:
        """How a link in a mail reaches a host: by https, and on this machine by the server's own
        port."""
        if host == "localhost" or host.endswith(".localhost"):
            return f"http://{host}:{self.settings.serve.port}"
        return f"https://{host}"

    # Reading and writing

    async def at_home(self, tenant: TenantContext) -> TenantContext:
        """The tenant where it lives now (see :meth:`Writing.at_home`)."""
        return await self.writing.at_home(tenant)

    def read(self, tenant: TenantContext) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that sees one snapshot and cannot write, where the tenant lives now."""
        return self.writing.read(tenant)

    async def write(
        self,
        tenant: TenantContext,
        fn: Callable[[Write], Awaitable[T]],
        *,
        actor: str,
        action: str,
        write_id: uuid.UUID | None = None,
        reserve: bool = False,
        coalesce: bool = False,
    ) -> T:
        """A write to the tenant's database (see :meth:`Writing.write`)."""
        return await self.writing.write(
            tenant,
            fn,
            actor=actor,
            action=action,
            write_id=write_id,
            reserve=reserve,
            coalesce=coalesce,
        )

    # The life of a tenant

    async def create(
        self,
        tenant: TenantContext,
        first: Callable[[Write], Awaitable[Any]] | None = None,
        *,
        actor: str,
        domains: Sequence[str] = (),
        beside: Callable[[Write], Awaitable[None]] | None = None,
    ) -> TenantContext:
        """Provisions a tenant and makes it known: with its first content, its domains and what is
        noted ``beside`` it in the platform database, or not at all.

        Raises:
            InvalidInput: the slug is none.
            Conflict: the slug is taken, or a domain.
        """
        check_slug(tenant.slug)
        if self.directory.tenant_of_slug(tenant.slug) is not None:
            raise slug_taken(tenant.slug)
        persistence = self.persistence(tenant)

        rows: Sequence[Rows] = ()
        if first is not None:
            rows = await first_rows(tenant, first, actor=actor, action="tenants.create")
        making = asyncio.ensure_future(persistence.provision(tenant, rows))
        revision = self.schema.history.current
        try:
            await self.directory.add(
                tenant, revision, actor=actor, domains=domains, beside=beside, made=making
            )
        except BaseException:
            undoing = asyncio.ensure_future(self._undo(tenant, making))
            with contextlib.suppress(asyncio.CancelledError):  # the first of them is raised
                await ended(undoing)
            undoing.exception()  # what it was undone for says more
            raise
        return tenant

    async def _undo(self, tenant: TenantContext, making: asyncio.Future[None]) -> None:
        """Drops the database of a tenant that did not become known. The error may have come after
        the commit: a known tenant keeps it, and so does one of which nobody can tell, for the
        doctor finds what is left over, and nothing brings back what is missing."""
        making.cancel()
        await asyncio.wait([making])
        made = not making.cancelled() and making.exception() is None
        if made and not await self.directory.has(tenant.tenant_id):
            await self.persistence(tenant).drop(tenant)

    async def migrate(
        self,
        tenant: TenantContext,
        *,
        actor: str,
        then: Callable[[TenantContext], Awaitable[Any]] | None = None,
        patient: bool = True,
    ) -> str:
        """Brings one tenant's database to the current revision and notes that it is.

        Args:
            then: what else is to be done before it is noted; it may be done again after a kill.
            patient: waits for what a killed process was about.

        Raises:
            LeaseTaken: something else is done to the tenant.
        """
        leases = self.directory.leases
        async with leases.held(tenant, Work.MIGRATION, holder=actor, patient=patient) as lease:
            await self.directory.refresh(now=True)  # it may have moved until now
            there = self.directory.tenant(tenant.tenant_id)
            if there is None:
                raise NotFound(f"The tenant {tenant.slug!r} is deleted.")
            move = await self.moving.moves.of(there.tenant_id)
            if move is not None and not move.step.ended:  # its process was killed
                raise LeaseTaken(
                    f"{there.slug!r} is on its way to the {move.to_tier} tier.",
                    hint="Wait until it has come there: 'mosaic tenant move-status' shows it.",
                )
            revision = await self.persistence(there).migrate(there)
            self.heads.forget(there.tenant_id)
            if then is not None:
                await then(there)
            await self.directory.change(
                there.tenant_id,
                actor=actor,
                action="schema.migrate",
                lease=lease,
                revision=revision,
            )
        return revision
