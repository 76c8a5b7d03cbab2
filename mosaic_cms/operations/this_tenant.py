"""The tenant that one works in: what it is called."""

from __future__ import annotations

from mosaic_cms.actions import Model, action
from mosaic_cms.conditions import Conditions
from mosaic_cms.operations.tenants import TenantName
from mosaic_cms.rights import READ_TENANT, Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.resolution import TenantMatch
from mosaic_core.tenants import TenantContext


class ThisTenant(Model):
    """No input."""


class RenameTenant(Model):
    """What a tenant is called among people; its address stays."""

    name: TenantName


class TenantFacts(Model):
    """A tenant as its members see it.

    Attributes:
        host: by which its first site is known.
        reason: why it is suspended, when it is.
    """

    tenant_id: str
    slug: str
    name: str
    tier: str
    status: str
    reason: str
    host: str


@action("tenant.show", needs=READ_TENANT, effect="read", http="GET /tenant")
async def show_tenant(scope: TenantScope, command: ThisTenant) -> TenantFacts:
    """Shows the tenant that one works in."""
    return _facts(scope, scope.tenant)


@action("tenant.rename", needs=Permission("update", "tenant"), http="PATCH /tenant")
async def rename_tenant(scope: TenantScope, command: RenameTenant) -> TenantFacts:
    """Gives the tenant another name."""
    conditions = scope.actor.conditions or Conditions()
    write_id = conditions.next_id()

    async def change() -> TenantContext:
        return await scope.product.platform.directory.change(
            scope.tenant.tenant_id,
            actor=str(scope.actor),
            action=scope.action,
            beside=conditions.require_on_platform,
            write_id=write_id,
            name=command.name,
        )

    return _facts(scope, await conditions.attempt(change))


def _facts(scope: TenantScope, tenant: TenantContext) -> TenantFacts:
    host = scope.product.platform.directory.host_of(TenantMatch(tenant.tenant_id))
    return TenantFacts(
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        tier=tenant.tier,
        status=str(tenant.status),
        reason=tenant.reason,
        host=host,
    )
