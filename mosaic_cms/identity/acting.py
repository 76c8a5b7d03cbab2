"""What an actor is in a tenant at the moment of a write, and what becomes of what they gave.

An action was decided by what was known when it began. Inside the write, which nobody else has at
the same time, it is looked at again: who was removed meanwhile removes nobody.
"""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.tables import Account, ApiKey, Invitation, Membership
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import Denied
from mosaic_core.head import Write


def id_of(actor: Actor) -> uuid.UUID | None:
    """The account or the key that acts; None for anybody else."""
    if actor.kind not in {"account", "key"}:
        return None
    try:
        return uuid.UUID(actor.name)
    except ValueError:
        return None


def account_of(actor: Actor) -> uuid.UUID:
    """The account that acts.

    Raises:
        Denied: it is none.
    """
    account_id = id_of(actor) if actor.kind == "account" else None
    if account_id is None:
        raise Denied(f"{actor} has no account.", hint="Sign in to do this.")
    return account_id


async def authority(session: AsyncSession, actor: Actor, tenant_id: str) -> Roles:
    """What an actor is in the tenant now; who runs the installation counts as an Owner."""
    if actor.trusted:
        return Roles(Role.OWNER)
    own = id_of(actor)
    if own is None:
        return Roles()
    if actor.kind == "key":
        key = await session.get(ApiKey, own)
        alive = key is not None and key.revoked_at is None and key.tenant_id == tenant_id
        return key_roles(key) if key is not None and alive else Roles()
    account = await session.get(Account, own)
    member = await session.get(Membership, (tenant_id, own))
    if account is None or not account.active or member is None:
        return Roles()
    return Roles.of(member.role, member.site_roles)


async def giver_may(session: AsyncSession, giver: str) -> bool:
    """Whether an actor who gave something may still act: an account is open, a key is not revoked
    and its maker may. Operators always may."""
    kind, _, given_id = giver.partition(":")
    if kind == "account":
        account = await session.get(Account, uuid.UUID(given_id))
        return account is not None and account.active
    if kind == "key":
        key = await session.get(ApiKey, uuid.UUID(given_id))
        if key is None or key.revoked_at is not None:
            return False
        return await giver_may(session, key.created_by)
    return True


def key_roles(key: ApiKey) -> Roles:
    """What a key is: its role, in all of the tenant or at its sites alone."""
    role = Role(key.role)
    return (
        Roles(None, tuple((site, role) for site in sorted(key.sites))) if key.sites else Roles(role)
    )


async def withdraw(write: Write, tenant_id: str, giver: str, left: Roles) -> int:
    """Takes back what somebody gave and has no more: their keys and their invitations.

    Args:
        giver: the actor who made them.
        left: what the giver is from now on.

    Returns:
        How many keys were revoked.
    """
    session, revoked = write.session, 0
    keys = await session.scalars(
        select(ApiKey).where(
            ApiKey.tenant_id == tenant_id, ApiKey.created_by == giver, ApiKey.revoked_at.is_(None)
        )
    )
    for key in keys.all():
        if key_roles(key).beyond(left):
            await revoke_key(write, key)
            revoked += 1
    invitations = await session.scalars(
        select(Invitation).where(Invitation.tenant_id == tenant_id, Invitation.created_by == giver)
    )
    for invitation in invitations.all():
        if Roles.of(invitation.role, invitation.site_roles).beyond(left):
            await session.delete(invitation)
    return revoked


async def revoke_key(write: Write, key: ApiKey) -> None:
    """Ends a key, and with it what it gave: invitations, since no key makes another one."""
    key.revoked_at = write.at
    await record(write, key.tenant_id, f"the key {key.name} ({key.prefix}…) revoked")
    await withdraw(write, key.tenant_id, f"key:{key.id}", Roles())
