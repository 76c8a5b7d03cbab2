"""Invitations: asking by mail whoever reads a mailbox to join a tenant.

The token that the mail has is never stored: it is made again of the invitation's id when the mail
is written, and found again by its digest.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.account_rows import email_key
from mosaic_cms.identity.acting import account_of, authority, giver_may, id_of
from mosaic_cms.identity.membership import join
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.roles import Roles, require, require_within
from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, ApiKey, Invitation, Membership
from mosaic_cms.mailing import invitation as letter
from mosaic_cms.mailing.letters import post
from mosaic_cms.rights import Permission
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, NotFound
from mosaic_core.head import PLATFORM, Write
from mosaic_core.mail import check_address
from mosaic_core.types import new_id

#: For how long one can be accepted.
LIFETIME = timedelta(days=7)
#: Those of one tenant that wait for an answer.
MOST = 200


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that nobody has accepted yet."""

    id: uuid.UUID
    tenant_id: str
    email: str
    roles: Roles
    invited_by: str
    created_at: datetime
    expires_at: datetime


class Invitations:
    """The invitations of every tenant.

    Args:
        secrets: makes the tokens.
        name: in whose name invites who runs the installation.
    """

    def __init__(self, store: IdentityStore, secrets: Secrets, name: str) -> None:
        self._store = store
        self._secrets = secrets
        self._name = name

    async def create(
        self,
        tenant_id: str,
        address: str,
        roles: Roles,
        by: Actor,
    ) -> Invited:
        """Invites an address; one that was invited before gets a new mail, and the old one is
        worth nothing any more.

        Raises:
            InvalidMail: it is no address.
            Denied: it would give more than ``by`` has.
            Conflict: it is a member's, or too many invitations wait.
        """
        email, key = check_address(address), email_key(address)
        roles.require_sound()
        made = new_id()
        digest = digest_of(self._secrets.token(letter.PURPOSE, str(made)))

        async def fn(write: Write) -> Invitation:
            session = write.session
            own = await authority(session, by, tenant_id)
            require(str(by), own, Permission("create", "members"))
            require_within(roles, own)
            if await _is_member(session, tenant_id, key):
                raise Conflict(f"{email} is a member already.", hint="Change the role instead.")
            await _make_room(write, tenant_id, key)
            row = Invitation(
                id=made,
                digest=digest,
                tenant_id=tenant_id,
                email=email,
                email_key=key,
                role=None if roles.role is None else roles.role.value,
                site_roles=roles.by_site,
                invited_by=await self._called(session, by),
                created_by=str(by),
                created_at=write.at,
                expires_at=write.at + LIFETIME,
            )
            session.add(row)
            await record(write, tenant_id, f"{email} invited: {roles}", by.address)
            await post(write, PLATFORM, letter.KIND, letter.about(row))
            return row

        row = await self._store.write(fn, actor=by, action="invitations.create", kept=False)
        return _invited(row)

    async def list(self, tenant_id: str) -> list[Invited]:
        """Those that can be accepted, by their addresses."""
        async with self._store.session() as session:
            query = select(Invitation).where(
                Invitation.tenant_id == tenant_id, Invitation.expires_at > datetime.now(UTC)
            )
            return [
                _invited(row) for row in await session.scalars(query.order_by(Invitation.email_key))
            ]

    async def revoke(self, tenant_id: str, invitation_id: uuid.UUID, by: Actor) -> Invited:
        """Has an invitation count no more.

        Raises:
            NotFound: the tenant has none with this id.
        """

        async def fn(write: Write) -> Invited:
            own = await authority(write.session, by, tenant_id)
            require(str(by), own, Permission("delete", "members"))
            row = await write.session.get(Invitation, invitation_id)
            if row is None or row.tenant_id != tenant_id:
                raise NotFound(f"There is no invitation {invitation_id}.", hint="List them all.")
            await write.session.delete(row)
            await record(write, tenant_id, f"{row.email} not invited any more", by.address)
            return _invited(row)

        return await self._store.write(fn, actor=by, action="invitations.revoke", kept=False)

    async def invites(self, token: str, address: str) -> bool:
        """Whether a token is that of an invitation of an address which can be accepted now."""
        query = select(Invitation).where(
            Invitation.digest == digest_of(token),
            Invitation.email_key == email_key(address),
            Invitation.expires_at > datetime.now(UTC),
        )
        async with self._store.session() as session:
            return await session.scalar(query) is not None

    async def accept(self, token: str, by: Actor) -> Invited:
        """Makes who is signed in a member. The address that was invited must be theirs.

        Raises:
            NotFound: the invitation was revoked, replaced or accepted, or has expired.
            Denied: the account has another address, or has not shown that it is theirs.
            Conflict: it is a member already.
        """
        account_id, digest = account_of(by), digest_of(token)

        async def fn(write: Write) -> Invited:
            session = write.session
            row = await session.scalar(select(Invitation).where(Invitation.digest == digest))
            may = row is not None and await giver_may(session, row.created_by)
            if row is None or not may or row.expires_at <= write.at:
                raise NotFound(
                    "This invitation does not count any more.", hint="Ask for another one."
                )
            account = await session.get(Account, account_id)
            if account is None or not account.active:
                raise Denied("This account may not sign in.")
            if account.email_key != row.email_key:
                raise Denied(
                    f"The invitation is for another address than {account.email}.",
                    hint="Sign in with the account that has it, or ask for an invitation to yours.",
                )
            if account.verified_at is None:
                raise Denied(
                    f"Nobody has shown yet that {account.email} is theirs.",
                    hint="Follow the link in the mail that asks for it; then accept.",
                )
            invited = _invited(row)
            await join(write, row.tenant_id, account, invited.roles, by.address)
            return invited

        return await self._store.write(fn, actor=by, action="invitations.accept")

    async def _called(self, session: AsyncSession, by: Actor) -> str:
        """Who invites, as the mail says it."""
        own = id_of(by)
        if by.kind == "account" and own is not None:
            account = await session.get_one(Account, own)
            return account.name or account.email
        if by.kind == "key" and own is not None:
            return (await session.get_one(ApiKey, own)).name
        return self._name


async def _is_member(session: AsyncSession, tenant_id: str, key: str) -> bool:
    found = await session.scalar(
        select(Membership.account_id)
        .join(Account, Account.id == Membership.account_id)
        .where(Membership.tenant_id == tenant_id, Account.email_key == key)
    )
    return found is not None


async def _make_room(write: Write, tenant_id: str, key: str) -> None:
    """Removes what was sent to the address before, and what has expired."""
    session, waiting = write.session, 0
    rows = await session.scalars(select(Invitation).where(Invitation.tenant_id == tenant_id))
    for row in rows.all():
        if row.email_key == key or row.expires_at <= write.at:
            await session.delete(row)
        else:
            waiting += 1
    if waiting >= MOST:
        raise Conflict(f"{MOST} invitations wait for an answer.", hint="Revoke some of them.")
    await session.flush()  # before the new one of the same address


def _invited(row: Invitation) -> Invited:
    return Invited(
        row.id,
        row.tenant_id,
        row.email,
        Roles.of(row.role, row.site_roles),
        row.invited_by,
        row.created_at,
        row.expires_at,
    )
