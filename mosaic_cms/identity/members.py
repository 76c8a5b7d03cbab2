"""Memberships: which accounts belong to which tenants, and what they are there.

Three rules hold at every moment, whoever changes something at the same time: a tenant that has an
Owner always has one, only an Owner touches an Owner, and nobody gives more than they have.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

from sqlalchemy import select

from mosaic_cms.identity.acting import account_of, authority, withdraw
from mosaic_cms.identity.membership import (
    Member,
    Parted,
    find_member,
    join,
    member_of,
    members_of,
    part,
    require_another_owner,
)
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.roles import Roles, require, require_within
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import Account, Membership
from mosaic_cms.rights import Permission, Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write

_UPDATE, _DELETE = Permission("update", "members"), Permission("delete", "members")
_OWNERS = "owners"


class Members:
    """The members of every tenant."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._roles: Kept[tuple[uuid.UUID, str], Roles] = store.keep(Kept())

    # What is known

    async def of(self, account_id: uuid.UUID, tenant_id: str) -> Roles:
        """What an account is in a tenant, as of at most ``freshness`` ago; false for a stranger,
        and for an account that may not sign in."""
        await self._store.refresh()
        found = self._roles.get((account_id, tenant_id))
        if found is not None:
            return found

        async def look() -> Roles:
            async with self._store.session() as session:
                row = await session.execute(
                    select(Membership.role, Membership.site_roles)
                    .join(Account, Account.id == Membership.account_id)
                    .where(
                        Membership.account_id == account_id,
                        Membership.tenant_id == tenant_id,
                        Account.active,
                    )
                )
                member = row.first()
            return Roles() if member is None else Roles.of(*member)

        return await self._roles.look_up((account_id, tenant_id), look) or Roles()

    async def tenants_of(self, account_id: uuid.UUID) -> list[tuple[str, Roles]]:
        """The ids of the tenants that an account belongs to, and what it is there."""
        async with self._store.session() as session:
            rows = await session.execute(
                select(Membership.tenant_id, Membership.role, Membership.site_roles)
                .where(Membership.account_id == account_id)
                .order_by(Membership.tenant_id)
            )
            return [(tenant_id, Roles.of(role, sites)) for tenant_id, role, sites in rows]

    async def list(self, tenant_id: str, after: str = "", most: int | None = None) -> list[Member]:
        """The members of a tenant, by their addresses; some of those after one address."""
        query = members_of(tenant_id).where(Account.email_key > after.encode().lower().decode())
        async with self._store.session() as session:
            rows = await session.execute(query.order_by(Account.email_key).limit(most))
            return [member_of(row) for row in rows]

    async def show(self, tenant_id: str, account_id: uuid.UUID) -> Member:
        """One member of a tenant.

        Raises:
            NotFound: the account does not belong to it.
        """
        async with self._store.session() as session:
            return await find_member(session, tenant_id, account_id)

    # What changes

    async def add(self, tenant_id: str, email_key: str, roles: Roles, by: Actor) -> Member:
        """Makes an account a member at once, without asking.

        Raises:
            NotFound: no account has the address.
            Conflict: it is a member already.
        """
        roles.require_sound()

        async def fn(write: Write) -> Member:
            session = write.session
            own = await authority(session, by, tenant_id)
            require_within(roles, own)
            account = await session.scalar(select(Account).where(Account.email_key == email_key))
            if account is None:
                raise NotFound(
                    f"There is no account {email_key!r}.", hint="Invite whoever has the address."
                )
            await join(write, tenant_id, account, roles, by.address)
            await session.flush()
            return await find_member(session, tenant_id, account.id)

        return await self._store.write(fn, actor=by, action="members.add")

    async def change(
        self,
        tenant_id: str,
        account_id: uuid.UUID,
        change: Callable[[Roles], Roles],
        by: Actor,
    ) -> Member:
        """Makes a member something else, and takes back what they gave and have no more.

        Args:
            change: what the member is to be, of what they are.

        Raises:
            NotFound: the account does not belong to the tenant.
            Denied: it would be more than ``by`` has, or touches an Owner.
            Conflict: the tenant would have no Owner any more.
        """

        async def fn(write: Write) -> Member:
            session = write.session
            own = await authority(session, by, tenant_id)
            require(str(by), own, _UPDATE)
            member = await find_member(session, tenant_id, account_id)
            after = change(member.roles)
            after.require_sound()
            if Role.OWNER in (member.roles.role, after.role):
                require(str(by), own, Permission("update", _OWNERS))
            require_within(after, own)
            return await self._set(write, tenant_id, member, after, by)

        return await self._store.write(fn, actor=by, action="members.change")

    async def remove(self, tenant_id: str, account_id: uuid.UUID, by: Actor) -> Parted:
        """Takes a membership away, with the keys, tokens and invitations that came of it.

        Raises:
            NotFound: the account does not belong to the tenant.
            Denied: only an Owner removes an Owner.
            Conflict: it is the only Owner.
        """

        async def fn(write: Write) -> Parted:
            own = await authority(write.session, by, tenant_id)
            require(str(by), own, _DELETE)
            member = await find_member(write.session, tenant_id, account_id)
            if member.roles.role is Role.OWNER:
                require(str(by), own, Permission("delete", _OWNERS))
            return await part(write, tenant_id, member, by.address)

        return await self._store.write(fn, actor=by, action="members.remove")

    async def leave(self, tenant_id: str, by: Actor) -> Parted:
        """Ends one's own membership.

        Raises:
            NotFound: there is none.
            Conflict: it is that of the only Owner.
        """
        account_id = account_of(by)

        async def fn(write: Write) -> Parted:
            own = await find_member(write.session, tenant_id, account_id)
            return await part(write, tenant_id, own, by.address)

        return await self._store.write(fn, actor=by, action="members.leave")

    async def transfer(self, tenant_id: str, to: uuid.UUID, by: Actor) -> Member:
        """Makes another member Owner, and the Owner who asks an Admin, both at once.

        Raises:
            NotFound: there is no such member.
            Denied: whoever asks is no Owner.
            Conflict: the member is who asks, or may not sign in.
        """
        account_id = account_of(by)

        async def fn(write: Write) -> Member:
            own = await authority(write.session, by, tenant_id)
            require(str(by), own, Permission("update", _OWNERS))
            member = await find_member(write.session, tenant_id, to)
            if to == account_id:
                raise Conflict("You own this tenant already.", hint="Name another member.")
            if not member.active:
                raise Conflict(f"{member.email} may not sign in.", hint="Name another member.")
            before = await find_member(write.session, tenant_id, account_id)
            made = await self._set(write, tenant_id, member, Roles(Role.OWNER), by)
            await self._set(write, tenant_id, before, Roles(Role.ADMIN), by)
            return made

        return await self._store.write(fn, actor=by, action="members.transfer")

    @staticmethod
    async def _set(write: Write, tenant_id: str, member: Member, after: Roles, by: Actor) -> Member:
        session = write.session
        if member.roles.role is Role.OWNER and after.role is not Role.OWNER:
            await require_another_owner(session, tenant_id, member.account_id)
        row = await session.get_one(Membership, (tenant_id, member.account_id))
        row.role = None if after.role is None else after.role.value
        row.site_roles = after.by_site
        await record(write, tenant_id, f"{member.email}: {after}", by.address)
        await withdraw(write, tenant_id, f"account:{member.account_id}", after)
        await session.flush()
        return dataclasses.replace(member, roles=after)
