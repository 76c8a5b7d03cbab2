"""Domains of a tenant: named, proven by a record that only their owner can make, and removed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.domains import LABEL
from mosaic_cms.identity.federation_tables import DomainProof
from mosaic_cms.operations.giving import SiteKey, require_sites
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict

Domain = Annotated[str, Field(min_length=1, max_length=300)]
_READ, _CREATE = Permission("read", "domains"), Permission("create", "domains")


class AddDomain(Model):
    """A domain that is the tenant's, and the site that it is to lead to; None for the first one.

    With ``serves`` off it leads to none: it is proven for the addresses below it alone.
    """

    domain: Domain
    site: SiteKey | None = None
    serves: bool = True


class EveryDomain(Model):
    """All domains of the tenant."""


class OneDomain(Model):
    """A domain, in any writing of it."""

    domain: Domain


class Record(Model):
    """What has to be set in the domain's records before it can be proven."""

    type: Literal["TXT"] = "TXT"
    name: str
    value: str


class DomainView(Model):
    """A domain.

    Attributes:
        domain: in lower case, in IDNA's A-labels.
        record: None for one that those who run the installation gave, without a proof.
        proven_at: since when its record was there; None while it was not seen.
        leads: whether it leads to a site now.
    """

    domain: str
    site: str | None
    serves: bool
    record: Record | None
    proven_at: datetime | None
    leads: bool


class RemovedDomain(Model):
    """What is the tenant's no more."""

    domain: str


@action("domains.add", needs=_CREATE, http="POST /domains")
async def add_domain(scope: TenantScope, command: AddDomain) -> DomainView:
    """Names a domain, and says which record has to be set to prove that it is the tenant's."""
    if command.serves:
        _require_custom(scope)
        await require_sites(scope, () if command.site is None else (command.site,))
    elif not (scope.limits.own_issuer or scope.limits.custom_domains):
        raise _not_included(scope)
    row = await scope.product.identity.domains.add(
        scope.tenant.tenant_id,
        command.domain,
        serves=command.serves,
        site=command.site if command.serves else None,
        asker=scope.actor,
    )
    return await _shown(scope, row)


@action("domains.list", needs=_READ, effect="read", http="GET /domains")
async def list_domains(scope: TenantScope, command: EveryDomain) -> list[DomainView]:
    """Lists the tenant's domains by name, with the record of each."""
    rows, active = await scope.product.identity.domains.of(scope.tenant.tenant_id)
    views = [_view(row, active) for row in rows]
    given = active - {row.domain for row in rows}
    directory = scope.product.platform.directory
    for host in given:
        match = directory.tenant_of_domain(host)
        views.append(
            DomainView(
                domain=host,
                site=match.site if match is not None else None,
                serves=True,
                record=None,
                proven_at=None,
                leads=True,
            )
        )
    return sorted(views, key=lambda view: view.domain)


@action("domains.verify", needs=_CREATE, http="POST /domains/{domain}/verify")
async def verify_domain(scope: TenantScope, command: OneDomain) -> DomainView:
    """Looks for the record; when it is there, the domain leads to its site from now on."""
    domains = scope.product.identity.domains
    row = await domains.find(scope.tenant.tenant_id, command.domain)
    if row.serves:
        _require_custom(scope)
        await require_sites(scope, () if row.site is None else (row.site,))
    row = await domains.verify(scope.tenant.tenant_id, row.domain, scope.actor)
    return await _shown(scope, row)


@action(
    "domains.remove",
    needs=Permission("delete", "domains"),
    http="DELETE /domains/{domain}",
    suspended=True,
)
async def remove_domain(scope: TenantScope, command: OneDomain) -> RemovedDomain:
    """Has a domain lead nowhere, and be the tenant's no more."""
    domains = scope.product.identity.domains
    name = await domains.remove(scope.tenant.tenant_id, command.domain, scope.actor)
    return RemovedDomain(domain=name)


def _require_custom(scope: TenantScope) -> None:
    if not scope.limits.custom_domains:
        raise _not_included(scope)


def _not_included(scope: TenantScope) -> Conflict:
    return Conflict(
        f"The {scope.tenant.tier} tier has no custom domains.", hint="Move to a higher tier."
    )


async def _shown(scope: TenantScope, row: DomainProof) -> DomainView:
    _, active = await scope.product.identity.domains.of(scope.tenant.tenant_id)
    return _view(row, active)


def _view(row: DomainProof, active: set[str]) -> DomainView:
    return DomainView(
        domain=row.domain,
        site=row.site,
        serves=row.serves,
        record=Record(name=f"{LABEL}.{row.domain}", value=row.token),
        proven_at=row.proven_at,
        leads=row.domain in active,
    )
