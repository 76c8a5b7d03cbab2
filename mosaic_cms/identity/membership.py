"""Rows of memberships: found, made and ended inside a session or a write."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity import refresh
from mosaic_cms.identity.acting import withdraw
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.tables import Account, Invitation, Membership
from mosaic_cms.rights import Role
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write


@dataclass(frozen=True, slots=True)
class Member:
    """An account that belongs to a tenant. ``active`` is False when it may not sign in."""

    account_id: uuid.UUID
    email: str
    name: str
    roles: Roles
    joined_at: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """A member who is that no more, and how many of their keys were revoked."""

    member: Member
    keys: int


async def join(
    write: Write, tenant_id: str, account: Account, roles: Roles, address: str = ""
) -> None:
    """Makes an account a member, inside a write; what invited its address is used up.

    Raises:
        Conflict: it is a member already.
    """
    session = write.session
    if await session.get(Membership, (tenant_id, account.id)) is not None:
        raise Conflict(f"{account.email} is a member already.", hint="Change the role instead.")
    session.add(
        Membership(
            tenant_id=tenant_id,
            account_id=account.id,
            role=None if roles.role is None else roles.role.value,
            site_roles=roles.by_site,
            joined_at=write.at,
        )
    )
    await _uninvite(session, tenant_id, account.email_key)
    await record(write, tenant_id, f"{account.email}: {roles}", address)


async def owned(session: AsyncSession, account_id: uuid.UUID) -> int:
    """How many tenants an account is an Owner of."""
    count = await session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.account_id == account_id, Membership.role == Role.OWNER.value)
    )
    return count or 0


async def part(write: Write, tenant_id: str, member: Member, address: str = "") -> Parted:
    """Everything that the membership gave ends with it: nobody comes back by an old invitation,
    and a new membership finds no old token alive."""
    session = write.session
    if member.roles.role is Role.OWNER:
        await require_another_owner(session, tenant_id, member.account_id)
    await session.delete(await session.get_one(Membership, (tenant_id, member.account_id)))
    account = await session.get_one(Account, member.account_id)
    await _uninvite(session, tenant_id, account.email_key)
    await refresh.end_all(write, member.account_id, tenant_id)
    await record(write, tenant_id, f"{member.email}: no member", address)
    keys = await withdraw(write, tenant_id, f"account:{member.account_id}", Roles())
    return Parted(member, keys)


async def _uninvite(session: AsyncSession, tenant_id: str, email_key: str) -> None:
    invitation = await session.scalar(
        select(Invitation).where(
            Invitation.tenant_id == tenant_id, Invitation.email_key == email_key
        )
    )
    if invitation is not None:
        await session.delete(invitation)


async def require_another_owner(
    session: AsyncSession, tenant_id: str, account_id: uuid.UUID
) -> None:
    """One who may sign in, beside this one."""
    another = await session.scalar(
        select(Membership.account_id)
        .join(Account, Account.id == Membership.account_id)
        .where(
            Membership.tenant_id == tenant_id,
            Membership.role == Role.OWNER.value,
            Membership.account_id != account_id,
            Account.active,
        )
        .limit(1)
    )
    if another is None:
        raise Conflict("The tenant would have no Owner.", hint="Transfer the ownership first.")


def members_of(tenant_id: str) -> Select[Any]:
    return (
        select(
            Account.id,
            Account.email,
            Account.name,
            Membership.role,
            Membership.site_roles,
            Membership.joined_at,
            Account.active,
        )
        .join(Account, Account.id == Membership.account_id)
        .where(Membership.tenant_id == tenant_id)
    )


async def find_member(session: AsyncSession, tenant_id: str, account_id: uuid.UUID) -> Member:
    row = (await session.execute(members_of(tenant_id).where(Account.id == account_id))).first()
    if row is None:
        raise NotFound(
            f"{account_id} does not belong to this tenant.",
            hint="List the members to see who does.",
        )
    return member_of(row)


def member_of(row: Any) -> Member:
    account_id, email, name, role, sites, joined_at, active = row
    return Member(account_id, email, name, Roles.of(role, sites), joined_at, active)
