"""The lifetime of an application: everything hangs on a :class:`Platform`, opened in one place."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.cache import Cache
from mosaic_core.database import History, TenantSchema
from mosaic_core.directory import (
    Directory,
    PlatformDatabase,
    PlatformFile,
    Work,
    open_directory,
    slug_taken,
)
from mosaic_core.errors import ConfigurationError, InvalidMail, LeaseTaken, NotFound
from mosaic_core.head import Heads, Write, first_rows
from mosaic_core.homes import Homes
from mosaic_core.identity import IdentityProvider, ways_of
from mosaic_core.mail import Mailbox, Mailer
from mosaic_core.memory_cache import MemoryCache
from mosaic_core.moves import Moving
from mosaic_core.news import News
from mosaic_core.persistence import Persistence, Rows
from mosaic_core.plugins import Plugins
from mosaic_core.provider import PlatformServices
from mosaic_core.resolution import TenantMatch, TenantResolver
from mosaic_core.settings import Settings, nearest, problems
from mosaic_core.shared_cache import SharedCache
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
        self._persistence: dict[str, Persistence] = {}
        self._storage: dict[str, Storage] = {}
        self._resolvers: list[TenantResolver] = []
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
        for resolver in self._resolvers:
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
        return self._provider(self._persistence, tenant, self.tier(tenant).persistence)

    def strategies(self) -> Mapping[str, Persistence]:
        """Every selected way to keep tenants, by name."""
        return self._persistence

    def storages(self) -> Mapping[str, Storage]:
        """Every selected way to keep files, by name."""
        return self._storage

    def storage(self, tenant: TenantContext) -> Storage:
        """Where the tenant's files are; what is stored there is where the tenant lives, whatever
        happens meanwhile."""
        self._storage_at(tenant)
        return self._files

    def _storage_at(self, tenant: TenantContext) -> Storage:
        return self._provider(self._storage, tenant, self.tier(tenant).storage)

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
            making.cancel()
            await asyncio.wait([making])
            if not making.cancelled() and making.exception() is None:
                await persistence.drop(tenant)
            raise
        return tenant

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


@asynccontextmanager
async def open_platform(
    settings: Settings,
    schema: TenantSchema,
    *,
    plugins: Plugins | None = None,
    history: History | None = None,
) -> AsyncIterator[Platform]:
    """Opens the selected providers in order and closes them in reverse.

    Args:
        history: the migrations of the platform database, when it has more than the kernel's tables.

    Raises:
        PluginError, ConfigurationError: naming the plugin and what to do.
        DatabaseMissing, DatabaseBehind, DatabaseNewer: of the platform database.
    """
    plugins = plugins or Plugins(settings.platform.plugins)
    _check_tables(settings, plugins)
    async with AsyncExitStack() as stack:
        common = settings.platform
        database = platform_database(settings, history or platform_history())
        stack.push_async_callback(database.close)
        directory = await stack.enter_async_context(
            open_directory(database, common.domain, common.freshness, common.lease)
        )
        platform = Platform(settings, plugins, schema, directory)
        services = PlatformServices(settings.data_dir, directory, schema, settings.tiers)
        resolvers: dict[str, TenantResolver] = {}
        mailers: dict[str, Mailer] = {}
        caches: dict[str, Cache] = {}
        opened: dict[str, dict[str, Any]] = {
            "mosaic_persistence": platform._persistence,
            "mosaic_storage": platform._storage,
            "mosaic_tenant_resolvers": resolvers,
            "mosaic_mail": mailers,
            "mosaic_identity": platform.identity,
            "mosaic_cache": caches,
        }
        mailer = _chosen_mailer(settings, plugins)
        _require_one_cache(plugins)
        for hook, target in opened.items():
            for name, (plugin, provider) in plugins.providers(hook).items():
                if target is mailers and name != mailer:
                    continue
                given = settings.plugins.get(plugin.name, {})
                try:
                    own = provider.settings.model_validate(given)
                except ValidationError as error:
                    raise ConfigurationError(
                        problems(error, f"[plugins.{plugin.name}]", provider.settings)
                    ) from error
                target[name] = await stack.enter_async_context(provider.open(own, services))
        for name in settings.platform.resolvers:
            if name not in resolvers:
                raise ConfigurationError(
                    f"There is no tenant resolver {name!r}{nearest(name, resolvers)}",
                    hint="Select the plugin that provides it, or take it out of resolvers.",
                )
            platform._resolvers.append(resolvers[name])
        platform.ways = ways_of(platform.identity)
        if mailer is not None:
            platform.mailer = mailers[mailer]
            _check_sender(platform)
        for name, cache in caches.items():
            platform.cache = standing_in = SharedCache(name, cache)
            platform.shared = standing_in.watched
            platform.news = News(platform.cache, platform.heads, directory)
            platform.writing.news = platform.news
            directory.moved = platform.news.tell
            await stack.enter_async_context(platform.news.telling())
        yield platform


def _check_sender(platform: Platform) -> None:
    try:
        _ = platform.sender
    except InvalidMail as error:
        raise ConfigurationError(
            f"Mail cannot be sent in the platform's name: {error.message}",
            hint="Set address and name in [mail].",
        ) from error


def _chosen_mailer(settings: Settings, plugins: Plugins) -> str | None:
    """What sends mail, by name: what is configured, or the one that there is."""
    offered, wanted = plugins.providers("mosaic_mail"), settings.mail.provider
    if wanted is not None and wanted not in offered:
        raise ConfigurationError(
            f"There is no mail provider {wanted!r}{nearest(wanted, offered)}",
            hint="Select the plugin that provides it, or take provider out of [mail].",
        )
    if wanted is None and len(offered) > 1:
        raise ConfigurationError(
            f"Several of the selected plugins send mail: {', '.join(sorted(offered))}.",
            hint="Say which of them does, with provider in [mail].",
        )
    return wanted or next(iter(offered), None)


def _require_one_cache(plugins: Plugins) -> None:
    offered = plugins.providers("mosaic_cache")
    if len(offered) > 1:
        raise ConfigurationError(
            f"Several of the selected plugins share a cache: {', '.join(sorted(offered))}.",
            hint="Select one of them in [platform] plugins.",
        )


def _check_tables(settings: Settings, plugins: Plugins) -> None:
    for name in settings.plugins:
        if name not in plugins.names:
            raise ConfigurationError(
                f"There are settings for the plugin {name!r}, which is not selected"
                f"{nearest(name, plugins.names)}",
                hint="Add it to [platform] plugins, or remove the table.",
            )
