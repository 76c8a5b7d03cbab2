"""Invitations to a tenant: sent, listed, taken back and accepted."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.invitations import Invited
from mosaic_cms.operations.giving import SiteRoles, require_sites, roles_of
from mosaic_cms.operations.own_tenants import OwnTenant, own_tenant
from mosaic_cms.rights import SELF, Permission, Role
from mosaic_cms.scope import PlatformScope, TenantScope
from mosaic_core.errors import NotFound


class Invite(Model):
    """Whom to invite, and what they are to be."""

    email: Annotated[str, Field(max_length=320)]
    role: Role | None = None
    #: Roles by the keys of sites, where they are others than in the tenant.
    sites: SiteRoles


class EveryInvitation(Model):
    """All that wait for an answer."""


class OneInvitation(Model):
    """An invitation."""

    id: uuid.UUID


class AcceptInvitation(Model):
    """The token of the link in the mail."""

    token: Annotated[SecretStr, Field(max_length=200)]


class InvitationView(Model):
    """An invitation that waits for an answer."""

    id: uuid.UUID
    email: str
    role: Role | None
    sites: dict[str, Role]
    invited_by: str
    created_at: datetime
    expires_at: datetime


@action("invitations.create", needs=Permission("create", "members"), http="POST /invitations")
async def invite(scope: TenantScope, command: Invite) -> InvitationView:
    """Invites somebody by mail; an earlier invitation of the address counts no more."""
    await require_sites(scope, command.sites)
    invitations = scope.product.identity.invitations
    roles = roles_of(command.role, command.sites)
    tenant_id = scope.tenant.tenant_id
    return _view(await invitations.create(tenant_id, command.email, roles, scope.actor))


@action(
    "invitations.list",
    needs=Permission("read", "members"),
    effect="read",
    http="GET /invitations",
)
async def list_invitations(scope: TenantScope, command: EveryInvitation) -> list[InvitationView]:
    """Lists the invitations that wait for an answer."""
    found = await scope.product.identity.invitations.list(scope.tenant.tenant_id)
    return [_view(invited) for invited in found]


@action(
    "invitations.revoke",
    needs=Permission("delete", "members"),
    http="DELETE /invitations/{id}",
    suspended=True,
)
async def revoke_invitation(scope: TenantScope, command: OneInvitation) -> InvitationView:
    """Has an invitation count no more."""
    invitations = scope.product.identity.invitations
    return _view(await invitations.revoke(scope.tenant.tenant_id, command.id, scope.actor))


@action("invitations.accept", needs=Permission("create", SELF), http="POST /invitations/accept")
async def accept_invitation(scope: PlatformScope, command: AcceptInvitation) -> OwnTenant:
    """Accepts an invitation that was sent to one's own address."""
    invitations = scope.product.identity.invitations
    invited = await invitations.accept(command.token.get_secret_value(), scope.actor)
    joined = own_tenant(scope, invited.tenant_id, invited.roles)
    if joined is None:
        raise NotFound("The tenant is gone.")
    return joined


def _view(invited: Invited) -> InvitationView:
    return InvitationView(
        id=invited.id,
        email=invited.email,
        role=invited.roles.role,
        sites=dict(invited.roles.sites),
        invited_by=invited.invited_by,
        created_at=invited.created_at,
        expires_at=invited.expires_at,
    )
