"""Accounts and what they belong to, for tests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from mosaic_cms.identity.account_rows import add_account
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.tables import Account
from mosaic_cms.mailing.invitation import PURPOSE
from mosaic_cms.product import Product
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, perform


async def make_account(product: Product, name: str, *, verified: bool = True) -> UUID:
    """An account ``<name>@example.com``; its id."""

    async def fn(write: Write) -> UUID:
        account = add_account(write, f"{name}@example.com", name.title())
        account.verified_at = write.at if verified else None
        return account.id

    return await product.identity.store.write(fn, actor="test", action="accounts.create")


async def set_account(product: Product, account_id: UUID, **values: Any) -> None:
    """Changes columns of an account."""

    async def fn(write: Write) -> None:
        row = await write.session.get_one(Account, account_id)
        for name, value in values.items():
            setattr(row, name, value)

    await product.identity.store.write(fn, actor="test", action="accounts.set")


class People:
    """Accounts by name, who act in a tenant each with what they are there at that moment."""

    def __init__(self, deployment: Deployment, slug: str = "aurora") -> None:
        self.deployment = deployment
        self.product = deployment.product
        self.identity = deployment.product.identity
        self.slug = slug
        self.tenant_id = deployment.scope(slug).tenant.tenant_id
        self.ids: dict[str, UUID] = {}

    async def add(
        self, name: str, role: Role | None = None, *, verified: bool = True, **sites: Role
    ) -> UUID:
        """An account; with a role, or roles at sites, a member too."""
        self.ids[name] = await make_account(self.product, name, verified=verified)
        if role is not None or sites:
            given = {"email": f"{name}@example.com", "role": role, "sites": sites}
            await self.deployment.do("members.add", self.slug, **given)
        return self.ids[name]

    def principal(self, name: str) -> Principal:
        """Somebody who is signed in."""
        return Principal("account", "session", self.ids[name])

    async def actor(self, name: str, slug: str | None = None) -> Actor:
        tenant = self.deployment.scope(slug or self.slug).tenant
        return await self.identity.actor_for(self.principal(name), tenant.tenant_id, "192.0.2.7")

    async def do(self, name: str, action: str, /, **given: Any) -> Any:
        """Has somebody perform an action in the tenant."""
        scope = self.deployment.scope(self.slug, await self.actor(name))
        return await perform(self.product, action, scope, given)

    async def own(self, name: str, action: str, /, **given: Any) -> Any:
        """Has somebody perform an action that is about themselves."""
        actor = await self.identity.actor_for(self.principal(name), None)
        return await self.product.actions.perform(action, self.product.platform_scope(actor), given)

    async def through(self, principal: Principal | None, action: str, /, **given: Any) -> Any:
        """Has a program perform an action with a key or a token."""
        assert principal is not None
        actor = await self.identity.actor_for(principal, self.tenant_id)
        scope = self.deployment.scope(self.slug, actor)
        return await perform(self.product, action, scope, given)

    async def role(self, name: str) -> Role | None:
        return (await self.actor(name)).role

    async def accept(self, name: str, invitation: UUID) -> Any:
        """Follows the link in the mail."""
        token = self.identity.secrets.token(PURPOSE, str(invitation))
        return await self.own(name, "invitations.accept", token=token)
