"""Single sign-on: the issuer that a tenant's people sign in with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.federation_tables import TenantIssuer
from mosaic_cms.identity.tenant_issuers import IssuerWish
from mosaic_cms.identity.ways import SSO
from mosaic_cms.operations.domains import Domain
from mosaic_cms.operations.own import Done, PersonName, Secret
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, NotFound

_UPDATE = Permission("update", "sso")


class OwnSso(Model):
    """The tenant's issuer."""


class SetSso(Model):
    """An issuer by its address, exactly as it calls itself, and what it knows this tenant by.

    ``client_secret`` may be left out while issuer and client stay the same; it is never shown.
    ``domains`` are proven ones of the tenant: only for addresses below them does the issuer vouch.
    """

    issuer: Annotated[str, Field(min_length=1, max_length=300)]
    client_id: Annotated[str, Field(min_length=1, max_length=300)]
    client_secret: Secret | None = None
    domains: Annotated[tuple[Domain, ...], Field(min_length=1, max_length=50)]
    title: Annotated[PersonName, Field(max_length=60)] = "Single sign-on"


class SsoDomain(Model):
    """A domain, and whether it is proven now."""

    domain: str
    proven: bool


class SsoView(Model):
    """The issuer without its secret.

    Attributes:
        address: where people begin to sign in.
        callback: the redirect address that the issuer has to know.
    """

    title: str
    issuer: str
    client_id: str
    has_secret: bool
    domains: tuple[SsoDomain, ...]
    address: str
    callback: str


@action("sso.show", needs=Permission("read", "sso"), effect="read", http="GET /sso")
async def show_sso(scope: TenantScope, command: OwnSso) -> SsoView:
    """Shows the tenant's issuer, and what it has to know of this installation."""
    row = await scope.product.identity.tenant_issuers.show(scope.tenant.tenant_id)
    if row is None:
        callback = scope.product.identity.ways.callback(f"{SSO}{scope.tenant.slug}")
        raise NotFound(
            "This tenant has no issuer of its own.",
            hint=f"Register {callback} as the redirect address there, then set it with sso.set.",
        )
    return await _view(scope, row)


@action("sso.set", needs=_UPDATE, http="PUT /sso")
async def set_sso(scope: TenantScope, command: SetSso) -> SsoView:
    """Has the tenant's people sign in with an issuer of its own, which is asked first."""
    if not scope.limits.own_issuer:
        raise Conflict(
            f"The {scope.tenant.tier} tier has no single sign-on.", hint="Move to a higher tier."
        )
    secret = command.client_secret
    wish = IssuerWish(
        title=command.title,
        issuer=command.issuer,
        client_id=command.client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        domains=command.domains,
    )
    issuers = scope.product.identity.tenant_issuers
    return await _view(scope, await issuers.set(scope.tenant.tenant_id, wish, scope.actor))


@action("sso.remove", needs=_UPDATE, http="DELETE /sso", suspended=True)
async def remove_sso(scope: TenantScope, command: OwnSso) -> Done:
    """Has nobody sign in with the tenant's issuer any more."""
    await scope.product.identity.tenant_issuers.remove(scope.tenant.tenant_id, scope.actor)
    return Done()


async def _view(scope: TenantScope, row: TenantIssuer) -> SsoView:
    identity = scope.product.identity
    proven = await identity.domains.proven(scope.tenant.tenant_id)
    name = f"{SSO}{scope.tenant.slug}"
    return SsoView(
        title=row.title,
        issuer=row.issuer,
        client_id=row.client_id,
        has_secret=row.secret is not None,
        domains=tuple(SsoDomain(domain=one, proven=one in proven) for one in row.domains),
        address=identity.ways.address(name),
        callback=identity.ways.callback(name),
    )
