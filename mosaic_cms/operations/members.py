"""The members of a tenant: who they are, what they may, and that they go."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, Part, action
from mosaic_cms.identity.account_rows import email_key
from mosaic_cms.identity.membership import Member, Parted
from mosaic_cms.identity.roles import Roles
from mosaic_cms.operations.giving import SiteRoles, require_sites, roles_of
from mosaic_cms.rights import SELF, Permission, Role
from mosaic_cms.scope import TenantScope


class EveryMember(Part):
    """The members of the tenant, those after an address."""

    after: Annotated[str, Field(max_length=300)] = ""


class OneMember(Model):
    """A member, by the account's id."""

    account: uuid.UUID


class AddMember(Model):
    """An account, by its address, that becomes a member without being asked."""

    email: Annotated[str, Field(max_length=320)]
    role: Role | None = None
    #: Roles by the keys of sites, where they are others than in the tenant.
    sites: SiteRoles


class ChangeMember(OneMember):
    """What a member is to be; what is left out stays. A role of None is none in the tenant as a
    whole, for who is to have roles at sites only."""

    role: Role | None = None
    sites: SiteRoles


class Leave(Model):
    """One's own membership."""


class Transfer(Model):
    """The member, by the account's id, who becomes Owner."""

    to: uuid.UUID


class MemberView(Model):
    """A member.

    Attributes:
        role: in the tenant as a whole.
        sites: roles by the keys of sites, where they are others.
        active: whether the account may sign in.
    """

    account: uuid.UUID
    email: str
    name: str
    role: Role | None
    sites: dict[str, Role]
    joined_at: datetime
    active: bool


class Gone(Model):
    """Who is no member any more, and how many of their API keys were revoked."""

    account: uuid.UUID
    email: str
    keys: int


@action(
    "members.list",
    needs=Permission("read", "members"),
    effect="read",
    http="GET /members",
    cursor="email",
)
async def list_members(scope: TenantScope, command: EveryMember) -> list[MemberView]:
    """Lists the members of the tenant, by address."""
    members = scope.product.identity.members
    found = await members.list(scope.tenant.tenant_id, command.after, command.limit)
    return [_view(member) for member in found]


@action(
    "members.show",
    needs=Permission("read", "members"),
    effect="read",
    http="GET /members/{account}",
)
async def show_member(scope: TenantScope, command: OneMember) -> MemberView:
    """Shows one member."""
    members = scope.product.identity.members
    return _view(await members.show(scope.tenant.tenant_id, command.account))


@action("members.add", needs=Permission("create", "memberships"), http="POST /members")
async def add_member(scope: TenantScope, command: AddMember) -> MemberView:
    """Makes an account a member at once; only who runs the installation does that unasked."""
    key = email_key(command.email)
    await require_sites(scope, command.sites)
    roles = roles_of(command.role, command.sites)
    members = scope.product.identity.members
    return _view(await members.add(scope.tenant.tenant_id, key, roles, scope.actor))


@action("members.change", needs=Permission("update", "members"), http="PATCH /members/{account}")
async def change_member(scope: TenantScope, command: ChangeMember) -> MemberView:
    """Gives a member another role, or other roles at sites."""
    await require_sites(scope, command.sites)
    given = command.model_fields_set

    def changed(before: Roles) -> Roles:
        after = roles_of(command.role, command.sites)
        return Roles(
            after.role if "role" in given else before.role,
            after.sites if "sites" in given else before.sites,
        )

    members = scope.product.identity.members
    tenant_id = scope.tenant.tenant_id
    return _view(await members.change(tenant_id, command.account, changed, scope.actor))


@action(
    "members.remove",
    needs=Permission("delete", "members"),
    http="DELETE /members/{account}",
    suspended=True,
)
async def remove_member(scope: TenantScope, command: OneMember) -> Gone:
    """Removes a member, with their API keys, bearer tokens and invitations."""
    members = scope.product.identity.members
    tenant_id = scope.tenant.tenant_id
    return _gone(await members.remove(tenant_id, command.account, scope.actor))


@action("members.leave", needs=Permission("delete", SELF), http="POST /members/leave")
async def leave(scope: TenantScope, command: Leave) -> Gone:
    """Ends one's own membership."""
    members = scope.product.identity.members
    return _gone(await members.leave(scope.tenant.tenant_id, scope.actor))


@action("members.transfer", needs=Permission("update", "owners"), http="POST /members/transfer")
async def transfer(scope: TenantScope, command: Transfer) -> MemberView:
    """Makes another member Owner, and the Owner who asks an Admin."""
    members = scope.product.identity.members
    return _view(await members.transfer(scope.tenant.tenant_id, command.to, scope.actor))


def _view(member: Member) -> MemberView:
    return MemberView(
        account=member.account_id,
        email=member.email,
        name=member.name,
        role=member.roles.role,
        sites=dict(member.roles.sites),
        joined_at=member.joined_at,
        active=member.active,
    )


def _gone(parted: Parted) -> Gone:
    return Gone(account=parted.member.account_id, email=parted.member.email, keys=parted.keys)
