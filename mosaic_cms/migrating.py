"""Bringing a deployment to the code's revision: the platform database, then every tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from mosaic_cms.catching_up import catch_up
from mosaic_cms.operations.upgrading import Upgraded
from mosaic_cms.product import Product, open_product, platform_schema, tenant_schema
from mosaic_cms.scope import Actor
from mosaic_core.directory.rollouts import anything_left
from mosaic_core.fleet import correct_revisions, migrate_fleet
from mosaic_core.platform import platform_database
from mosaic_core.plugins import Plugins
from mosaic_core.settings import Settings
from mosaic_core.tenants import TenantContext, TenantStatus


class Migrated(TypedDict):
    """What became of the tenants that were behind, by their slugs.

    ``unrendered`` are suspended: their pages are made anew once they are open again. ``failed``
    says why, and ``busy`` what else is done to a tenant. ``waiting`` are how many were not tried,
    since it paused in ``wave``. ``corrected`` is what was noted wrong of a tenant.
    """

    migrated: list[str]
    unrendered: list[str]
    failed: dict[str, str]
    busy: dict[str, str]
    waiting: int
    wave: str
    corrected: list[str]


async def migrate_platform(settings: Settings) -> str:
    """Makes the platform database, or brings it to the current revision, which is returned."""
    database = platform_database(settings, platform_schema())
    try:
        return await database.migrate()
    finally:
        await database.close()


async def migrate_tenants(
    settings: Settings,
    progress: Callable[[str, int, int], None],
    actor: Actor,
    *,
    resume: bool = False,
    verify: bool = False,
) -> Migrated:
    """Migrates the tenants that are behind, in waves, and makes anew what their visitors see.

    Args:
        resume: goes on although something went wrong before.
        verify: asks every tenant's own database first, instead of what was noted of it.

    Raises:
        LeaseTaken: somebody else is at it.
        RolloutPaused: something went wrong, and nobody has said to go on.
    """
    done = Migrated(
        migrated=[], unrendered=[], failed={}, busy={}, waiting=0, wave="", corrected=[]
    )
    plugins = Plugins(settings.platform.plugins)
    if not verify and not await _anything_left(settings, plugins):
        return done
    async with open_product(settings, plugins=plugins) as product:
        if verify:
            done["corrected"] = await correct_revisions(
                product.platform, progress, actor=str(actor)
            )

        async def one(tenant: TenantContext, revision: str) -> None:
            if not await catch_up(product, tenant, revision, actor):
                done["unrendered"].append(tenant.slug)

        rollout = await migrate_fleet(
            product.platform, one, actor=str(actor), progress=progress, resume=resume
        )
        done["migrated"] = [tenant.slug for tenant in rollout.migrated]
        done["failed"] = _by_slug(product, rollout.failed)
        done["busy"] = _by_slug(product, rollout.busy)
        done["waiting"], done["wave"] = rollout.waiting, rollout.wave
    return done


async def upgrade_blocks(
    settings: Settings, progress: Callable[[str, int, int], None], actor: Actor
) -> dict[str, Upgraded]:
    """Brings the blocks of every tenant that takes writes forward to the versions that their types
    have now; what became of each, by its slug."""
    async with open_product(settings) as product:
        records = await product.platform.directory.records()
        tenants = [found.tenant for found in records]
        active = [one for one in tenants if one.status is TenantStatus.ACTIVE]
        done = {}
        for number, tenant in enumerate(active, 1):
            scope = product.scope(tenant, actor)
            done[tenant.slug] = await product.actions.perform("blocks.upgrade", scope, {})
            progress("blocks", number, len(active))
        return done


async def _anything_left(settings: Settings, plugins: Plugins) -> bool:
    """One query, before anything is opened for it."""
    database = platform_database(settings, platform_schema())
    try:
        return await anything_left(database, tenant_schema(plugins).history.current)
    finally:
        await database.close()


def _by_slug(product: Product, reasons: dict[str, str]) -> dict[str, str]:
    tenants = {i: product.platform.directory.tenant(i) for i in reasons}
    return {getattr(tenants[i], "slug", i): why for i, why in reasons.items()}
