"""Forgetting what a tenant's change log keeps longer than it has to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope


class CompactTenant(Model):
    """A tenant, and the days of its past that are kept; None is what its tier keeps."""

    slug: str
    days: Annotated[int, Field(ge=0, le=36_500)] | None = None


class CompactedTenant(Model):
    """How many changes were forgotten, and the bytes in use of its database before and after."""

    slug: str
    changes: int
    before: int
    after: int


@action(
    "tenants.compact", needs=Permission("update", "tenants"), http="POST /tenants/{slug}/compact"
)
async def compact_tenant(scope: PlatformScope, command: CompactTenant) -> CompactedTenant:
    """Forgets older changes and gives back the room that is free. How all of it is now stays, and
    the log's chain whole."""
    platform = scope.product.platform
    tenant = platform.directory.named(command.slug)
    days = command.days
    if days is None:
        days = platform.tier(tenant).limits.history_days
    done = await scope.product.compactor.compact(
        tenant, days, scope.actor, tidy=True, progress=scope.progress
    )
    return CompactedTenant(
        slug=tenant.slug, changes=done.changes, before=done.before, after=done.after
    )
