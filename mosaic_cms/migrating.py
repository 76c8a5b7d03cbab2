"""Bringing a deployment to the code's revision: the platform database, then every tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from mosaic_cms.product import open_product, platform_schema
from mosaic_cms.scope import Actor
from mosaic_core.directory import PlatformDatabase
from mosaic_core.errors import MosaicError
from mosaic_core.settings import Settings
from mosaic_core.tenants import TenantStatus


class Migrated(TypedDict):
    """What became of the tenants that were behind, by their slugs.

    ``unrendered`` are suspended: their pages are made anew once they are open again. ``failed``
    says why.
    """

    migrated: list[str]
    unrendered: list[str]
    failed: dict[str, str]


async def migrate_platform(settings: Settings) -> str:
    """Makes the platform database, or brings it to the current revision, which is returned."""
    database = PlatformDatabase(settings.data_dir / "platform.db", platform_schema())
    try:
        return await database.migrate()
    finally:
        await database.close()


async def migrate_tenants(
    settings: Settings, progress: Callable[[str, int, int], None], actor: Actor
) -> Migrated:
    """Migrates the tenants that are behind, and makes anew what their visitors see; one that fails
    does not stop the others."""
    done = Migrated(migrated=[], unrendered=[], failed={})
    async with open_product(settings) as product:
        platform = product.platform
        behind = await platform.directory.behind(platform.schema.history)
        for number, tenant in enumerate(behind, 1):
            try:
                await platform.migrate(tenant, actor=str(actor))
                done["migrated"].append(tenant.slug)
                if tenant.status is TenantStatus.ACTIVE:  # others take no writes
                    scope = product.scope(tenant, actor)
                    await product.actions.perform("sites.render", scope, {})
                else:
                    done["unrendered"].append(tenant.slug)
            except MosaicError as error:
                done["failed"][tenant.slug] = str(error)
            progress("tenants", number, len(behind))
    return done
