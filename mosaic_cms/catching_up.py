"""One tenant is brought to the code's revision, with what its visitors see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product
    from mosaic_cms.scope import Actor


async def catch_up(product: Product, tenant: TenantContext, revision: str, actor: Actor) -> bool:
    """Migrates a tenant; False when its pages are to be made anew and it is suspended, so that
    they could not be.

    Args:
        revision: that it is at.
    """
    platform = product.platform
    renders, rendered = platform.schema.history.renders(revision), True

    async def render(there: TenantContext) -> None:
        nonlocal rendered
        rendered = there.status is TenantStatus.ACTIVE  # others take no writes
        if rendered:
            await product.actions.perform("sites.render", product.scope(there, actor), {})

    await platform.migrate(tenant, actor=str(actor), then=render if renders else None)
    return rendered
