"""The product on its platform: everything that a face needs, opened and closed in one place."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from mosaic_cms.actions import Actions
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.compaction import Compactor
from mosaic_cms.conditions import Conditions
from mosaic_cms.content.ahead import Ahead
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.projection import Projection
from mosaic_cms.content.publishing import RENDER, Publisher
from mosaic_cms.declared import declared_in
from mosaic_cms.fitting import TierFit
from mosaic_cms.identity import key_uses, session_store
from mosaic_cms.identity.identity import Identity
from mosaic_cms.kept_themes import KeptThemes
from mosaic_cms.ledger import EVERY, SHORTEN_EVERY, Ledger
from mosaic_cms.limits import Admission, RateLimits
from mosaic_cms.mailing.kinds import KINDS
from mosaic_cms.media.inspector import Inspector
from mosaic_cms.media.shelf import REMOVE
from mosaic_cms.networks import NetworkLists
from mosaic_cms.noted import Noted, Part
from mosaic_cms.operations import (
    account_admin,
    accounts,
    arranging,
    audit,
    bin,
    bundles,
    comments,
    compaction,
    domains,
    exports,
    federation,
    forms,
    imports,
    invitations,
    keys,
    mails,
    media,
    media_address,
    media_bin,
    media_content,
    media_folders,
    media_settings,
    members,
    menus,
    moves,
    networks,
    own_tenants,
    pages,
    passkeys,
    published,
    redirects,
    references,
    releases,
    schedules,
    search,
    second_factors,
    sessions,
    shared,
    site_life,
    sites,
    sso,
    tenant_life,
    tenants,
    terms,
    themes,
    this_tenant,
    tokens,
    translations,
    upgrading,
    uploads,
    versions,
)
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_cms.pictures.renditions import Renditions
from mosaic_cms.postman import Postman
from mosaic_cms.reminders import Reminders
from mosaic_cms.removal import Remover
from mosaic_cms.renewal import Renewal
from mosaic_cms.scope import SYSTEM, Actor, PlatformScope, TenantScope
from mosaic_cms.themes import Themes
from mosaic_cms.throttle import Throttle
from mosaic_cms.timekeeper import Timekeeper
from mosaic_core.database import History, TenantBase, TenantSchema
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import Message
from mosaic_core.opening import open_platform
from mosaic_core.platform import TENANT_MIGRATIONS, Platform, platform_history
from mosaic_core.plugin_tables import with_plugins
from mosaic_core.plugins import Plugins
from mosaic_core.settings import Settings
from mosaic_core.tenants import TenantContext, TenantStatus

_log = logging.getLogger("mosaic.product")
_OPERATIONS = (
    tenants,
    tenant_life,
    comments,
    compaction,
    sites,
    pages,
    published,
    search,
    arranging,
    versions,
    bin,
    schedules,
    releases,
    imports,
    exports,
    translations,
    menus,
    redirects,
    references,
    shared,
    terms,
    site_life,
    forms,
    mails,
    media,
    media_address,
    media_folders,
    media_content,
    media_bin,
    media_settings,
    uploads,
    upgrading,
    audit,
    members,
    invitations,
    keys,
    tokens,
    own_tenants,
    accounts,
    sessions,
    second_factors,
    passkeys,
    federation,
    domains,
    sso,
    account_admin,
    this_tenant,
    themes,
    networks,
    bundles,
    moves,
)
#: What is dealt with here, at once. Mail is the postman's; nobody's request waits for it.
_TOPICS = (RENDER, REMOVE)
#: Clocks of several processes may differ so much; nothing of this is ever put off.
_AHEAD = timedelta(minutes=1)
_MIGRATIONS = Path(__file__).parent / "migrations"


def tenant_schema(plugins: Plugins | None = None) -> TenantSchema:
    """The tenant tables of kernel and product, and of some plugins, and the migrations that lead to
    them."""
    history = History("tenant", [TENANT_MIGRATIONS, _MIGRATIONS / "tenant"])
    schema = TenantSchema(TenantBase.metadata, history)
    return schema if plugins is None else with_plugins(schema, plugins)


def platform_schema() -> History:
    """The migrations of the platform database, with the product's tables in it."""
    return platform_history(_MIGRATIONS / "platform")


class Product:
    """Content, themes and actions on an open platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.blocks = BlockTypes(STANDARD, platform.plugins)
        self.themes = Themes(platform.plugins, self.blocks)
        self.kept = KeptThemes(platform.directory.theme_sets, self.themes)
        self.markup = Markup()
        self.projection = Projection(self.themes, self.blocks, self.markup)
        self.publisher = Publisher(self.projection, self.blocks)
        self.identity = Identity(platform)
        self.networks = NetworkLists(self.identity.store)
        self.ledger = Ledger(platform.directory)
        self.fit = platform.moving.fit = TierFit(platform)
        self.throttle = Throttle(platform, self.ledger)
        self.noted = Noted(
            Part("the ledger", self.ledger.flush, EVERY),
            Part("who is slowed down", self.throttle.look, EVERY, at_end=False),
            Part("the ledger's end", self.ledger.shorten, SHORTEN_EVERY, at_end=False),
            Part("the last uses of keys", self.identity.keys.uses.flush, key_uses.EVERY),
            Part(
                "the last uses of sessions",
                lambda: self.identity.session_store.flush(),
                session_store.EVERY,
            ),
        )
        self.rates = RateLimits(platform.settings.rates, platform.cache, self.ledger)
        images = ImageLibrary()
        self.renditions = Renditions(images)
        self.inspector = Inspector(images)
        self.timekeeper = Timekeeper(self)
        self.postman = Postman(self, KINDS)
        self.renewal = Renewal(self)
        self.reminders = Reminders(self)
        self.remover = Remover(self)
        self.compactor = Compactor(self)
        offered = [offer.value for offer in platform.plugins.offers("mosaic_actions")]
        self.actions = Actions([*declared_in(_OPERATIONS), *offered])

    def scope(
        self,
        tenant: TenantContext,
        actor: Actor,
        conditions: Conditions | None = None,
        admission: Admission | None = None,
    ) -> TenantScope:
        """A scope for one tenant.

        Args:
            conditions: what the actor says of the writes that they ask for.
            admission: that of the request, where there is one.
        """
        limits = self.platform.tier(tenant).limits
        acting = dataclasses.replace(actor, conditions=conditions) if conditions else actor
        return TenantScope(self, tenant, acting, limits, admission or Admission())

    def platform_scope(
        self,
        actor: Actor,
        conditions: Conditions | None = None,
        admission: Admission | None = None,
    ) -> PlatformScope:
        """A scope for the platform as a whole."""
        acting = dataclasses.replace(actor, conditions=conditions) if conditions else actor
        return PlatformScope(self, acting, admission or Admission())

    async def settle(
        self, tenant: TenantContext, *, done: Callable[[Message], None] | None = None
    ) -> int:
        """Deals with what this process left in the tenant's outbox; returns how many messages.

        ``done`` is told of each once it is dealt with.
        """
        if tenant.tenant_id not in self.platform.writing.pending:
            return 0
        return await self._drain(tenant, done)

    async def settle_all(self, *, older_than: float = 0.0) -> int:
        """Deals with every outbox that a stopped process left behind."""
        done = 0
        now = datetime.now(UTC)
        by, after = now - timedelta(seconds=older_than), now + _AHEAD
        for tenant in await self.platform.directory.hinted(_TOPICS, by=by, after=after):
            if tenant.status is TenantStatus.ACTIVE:
                done += await self._drain(tenant)
        return done

    async def _drain(
        self, tenant: TenantContext, done: Callable[[Message], None] | None = None
    ) -> int:
        """What fails is logged and stays in the outbox, and its hint in the directory: what was
        written is written, and no other tenant waits for this one."""

        async def handle(tenant: TenantContext, message: Message) -> None:
            await self._handle(tenant, message)
            if done is not None:
                done(message)

        dealt_with = 0
        for topic in _TOPICS:  # one after the other: pages do not wait for a storage in trouble
            try:
                dealt_with += await self.platform.writing.drain(tenant, handle, topics=(topic,))
            except Exception:  # noqa: BLE001 - whatever it is, the next sweep tries again
                _log.exception("the outbox of %s could not be dealt with", tenant.slug)
        return dealt_with

    async def _handle(self, tenant: TenantContext, message: Message) -> None:
        if message.topic == RENDER:
            await self.render(tenant, [uuid.UUID(page) for page in message.payload["pages"]])
        elif message.topic == REMOVE:
            await self._remove(tenant, message.payload["keys"])

    async def _remove(self, tenant: TenantContext, keys: list[str]) -> None:
        """Removes objects that are in no row any more, with their renditions."""
        storage = self.platform.storage(tenant)
        for key in keys:
            await storage.delete(tenant, key)
        await self.renditions.remove(storage, tenant, keys)

    async def render(self, tenant: TenantContext, page_ids: list[uuid.UUID]) -> None:
        """Renders published pages, outside the write unless somebody else wrote meanwhile.

        A page that its theme cannot render is logged and stays as it is.
        """
        scope, ahead = self.scope(tenant, SYSTEM).during(RENDER), Ahead()
        async with scope.read() as session:
            ahead.attend(session, writing=False)
            seen = await session.scalar(select(TENANT.head.c.version))
            made = await self.projection.render(session, page_ids)

        async def store(write: Write) -> None:
            ready = made
            if write.version != (seen or 0) + 1:
                ready = await self.projection.render(write.session, page_ids)
            await self.projection.store(write.session, ready)

        await scope.write(store, ahead=ahead)


@asynccontextmanager
async def open_product(
    settings: Settings, *, plugins: Plugins | None = None
) -> AsyncIterator[Product]:
    """Opens the platform and the product on it."""
    plugins = plugins or Plugins(settings.platform.plugins)
    schema = tenant_schema(plugins)
    opened = open_platform(settings, schema, plugins=plugins, history=platform_schema())
    async with opened as platform:
        yield Product(platform)
