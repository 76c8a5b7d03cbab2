"""One's own tenants: those one belongs to, and making another one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.acting import account_of
from mosaic_cms.identity.membership import join, owned
from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.tables import Account
from mosaic_cms.operations.tenants import CreateTenant, Language, TenantName, make_tenant
from mosaic_cms.rights import SELF, Permission, Role
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import Denied
from mosaic_core.head import Write
from mosaic_core.resolution import TenantMatch


class MyTenants(Model):
    """All that one belongs to."""


class FoundTenant(Model):
    """A new tenant of the first tier, with one site and a home page, whose Owner is who asks."""

    slug: Annotated[str, Field(max_length=100)]
    name: TenantName
    language: Language = "en"
    theme: Annotated[str, Field(max_length=100)] = "iznik"


class OwnTenant(Model):
    """A tenant, and what one is there."""

    tenant_id: str
    slug: str
    name: str
    host: str
    status: str
    role: Role | None
    sites: dict[str, Role]


@action("tenants.mine", needs=Permission("read", SELF), effect="read", http="GET /account/tenants")
async def my_tenants(scope: PlatformScope, command: MyTenants) -> list[OwnTenant]:
    """Lists the tenants that one belongs to, by name."""
    found = await scope.product.identity.members.tenants_of(account_of(scope.actor))
    mine = [own_tenant(scope, tenant_id, roles) for tenant_id, roles in found]
    return sorted((one for one in mine if one is not None), key=lambda one: (one.name, one.slug))


@action("tenants.found", needs=Permission("create", SELF), http="POST /account/tenants")
async def found_tenant(scope: PlatformScope, command: FoundTenant) -> OwnTenant:
    """Makes a tenant of one's own."""
    product = scope.product
    settings, identity = product.platform.settings.identity, product.identity
    account_id = account_of(scope.actor)
    if not settings.sign_up:
        raise Denied("Tenants are made by those who run this installation.", hint="Ask them.")
    owner = Roles(Role.OWNER)

    async def beside(write: Write, tenant_id: str) -> None:
        session = write.session
        account = await session.get(Account, account_id)
        if account is None or not account.active:
            raise Denied("This account may not sign in.")
        if account.verified_at is None:
            raise Denied(
                f"Nobody has shown yet that {account.email} is theirs.",
                hint="Follow the link in the mail that asks for it.",
            )
        if await owned(session, account_id) >= settings.own_tenants:
            raise Denied(
                f"You own {settings.own_tenants} tenants, and may found no more.",
                hint="Ask those who run this installation.",
            )
        await session.flush()  # the tenant comes before its first member
        await join(write, tenant_id, account, owner, scope.actor.address)
        await identity.store.changed(write)

    given = CreateTenant(
        slug=command.slug, name=command.name, language=command.language, theme=command.theme
    )
    view = await make_tenant(scope, given, beside)
    await identity.store.refresh()
    made = own_tenant(scope, view.tenant_id, owner)
    assert made is not None
    return made


def own_tenant(scope: PlatformScope, tenant_id: str, roles: Roles) -> OwnTenant | None:
    """A tenant as its members see it in a list; None when it is gone."""
    directory = scope.product.platform.directory
    tenant = directory.tenant(tenant_id)
    if tenant is None:
        return None
    return OwnTenant(
        tenant_id=tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        host=directory.host_of(TenantMatch(tenant_id)),
        status=str(tenant.status),
        role=roles.role,
        sites=dict(roles.sites),
    )
