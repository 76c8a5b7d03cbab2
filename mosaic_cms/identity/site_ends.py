"""What somebody was given at a site goes with the site: a later one of the same key is another."""

from __future__ import annotations

from sqlalchemy import select

from mosaic_cms.identity import refresh
from mosaic_cms.identity.acting import revoke_key, withdraw
from mosaic_cms.identity.federation_tables import DomainProof, TenantIssuer
from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import ApiKey, Invitation, Membership
from mosaic_core.directory import DomainRow, take_domain
from mosaic_core.head import Write


async def forget_site(store: IdentityStore, tenant_id: str, site: str, *, actor: str) -> None:
    """Takes a site out of memberships, invitations and keys, and domains from it. What was for this
    site alone ends.

    It is called after a site was deleted, and before one is made: a process that was killed
    in the middle of a deletion leaves nothing to inherit.
    """

    async def fn(write: Write) -> bool:
        return any(
            [
                await _forget_memberships(write, tenant_id, site),
                await _forget_invitations(write, tenant_id, site),
                await _forget_keys(write, tenant_id, site),
                await _forget_domains(write, tenant_id, site),
            ]
        )

    await store.write(fn, actor=actor, action="sites.forget", kept=bool)


async def _forget_domains(write: Write, tenant_id: str, site: str) -> bool:
    """What an issuer of the tenant relies on stays proven, for addresses alone: who owns a domain
    does not depend on what it leads to. Nothing of this is kept in memory here: the directory sees
    it by itself."""
    session = write.session
    hosts = select(DomainRow.host).where(DomainRow.tenant_id == tenant_id, DomainRow.site == site)
    for host in (await session.scalars(hosts)).all():
        await take_domain(write, tenant_id, host)
    proofs = select(DomainProof).where(DomainProof.tenant_id == tenant_id, DomainProof.site == site)
    issuer = await session.get(TenantIssuer, tenant_id)
    for proof in (await session.scalars(proofs)).all():
        if issuer is not None and proof.domain in issuer.domains:
            proof.serves, proof.site = False, None
        else:
            await session.delete(proof)
    return False


async def _forget_memberships(write: Write, tenant_id: str, site: str) -> bool:
    session, changed = write.session, False
    rows = await session.scalars(select(Membership).where(Membership.tenant_id == tenant_id))
    for row in rows.all():
        if site in row.site_roles:
            left = Roles.of(row.role, row.site_roles).without(site)
            row.site_roles, changed = left.by_site, True
            if not left:
                await session.delete(row)
                await refresh.end_all(write, row.account_id, tenant_id)
            await withdraw(write, tenant_id, f"account:{row.account_id}", left)
    return changed


async def _forget_invitations(write: Write, tenant_id: str, site: str) -> bool:
    session, changed = write.session, False
    rows = await session.scalars(select(Invitation).where(Invitation.tenant_id == tenant_id))
    for row in rows.all():
        if site in row.site_roles:
            left = Roles.of(row.role, row.site_roles).without(site)
            row.site_roles, changed = left.by_site, True
            if not left:
                await session.delete(row)
    return changed


async def _forget_keys(write: Write, tenant_id: str, site: str) -> bool:
    """A key for no site at all would be one for every site, so it is revoked instead."""
    changed = False
    rows = await write.session.scalars(select(ApiKey).where(ApiKey.tenant_id == tenant_id))
    for row in rows.all():
        if row.revoked_at is None and site in row.sites:
            changed = True
            if row.sites == [site]:
                await revoke_key(write, row)
            else:
                row.sites = [key for key in row.sites if key != site]
    return changed
