"""Accounts as those who run the installation look after them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.operations.accounts import AccountView
from mosaic_cms.operations.own import Email, PersonName
from mosaic_cms.operations.sessions import Ended
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope

_READ = Permission("read", "accounts")
_CHANGE = Permission("update", "accounts")


class ListAccounts(Model):
    """Those whose address comes after one, at most so many."""

    after: Annotated[str, Field(max_length=320)] = ""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class AccountOf(Model):
    """An account, by its address."""

    email: Email


class CreateAccount(Model):
    """An account for somebody, who sets its password with a link by mail."""

    email: Email
    name: PersonName


class AccountRow(Model):
    """An account in a list."""

    email: str
    name: str
    verified: bool
    active: bool


@action("accounts.list", needs=_READ, effect="read", http="GET /accounts")
async def list_accounts(scope: PlatformScope, command: ListAccounts) -> list[AccountRow]:
    """Lists accounts, by address."""
    rows = await scope.product.identity.account_admin.some(command.limit, command.after.lower())
    return [
        AccountRow(
            email=row.email,
            name=row.name,
            verified=row.verified_at is not None,
            active=row.active,
        )
        for row in rows
    ]


@action("accounts.find", needs=_READ, effect="read", http="GET /accounts/{email}")
async def find(scope: PlatformScope, command: AccountOf) -> AccountView:
    """The account of an address."""
    return AccountView.of(*await scope.product.identity.account_admin.find(command.email))


@action("accounts.create", needs=_CHANGE, http="POST /accounts/create")
async def create(scope: PlatformScope, command: CreateAccount) -> AccountView:
    """Makes an account for somebody, who gets a mail with a link to set its password."""
    admin = scope.product.identity.account_admin
    await admin.create(command.email, command.name, scope.actor)
    return AccountView.of(*await admin.find(command.email))


@action("accounts.deactivate", needs=_CHANGE, http="POST /accounts/{email}/deactivate")
async def deactivate(scope: PlatformScope, command: AccountOf) -> AccountView:
    """Closes an account: its sessions end, and nobody signs in to it."""
    return await _set_active(scope, command, active=False)


@action("accounts.activate", needs=_CHANGE, http="POST /accounts/{email}/activate")
async def activate(scope: PlatformScope, command: AccountOf) -> AccountView:
    """Opens a closed account again."""
    return await _set_active(scope, command, active=True)


@action("accounts.end_sessions", needs=_CHANGE, http="POST /accounts/{email}/end-sessions")
async def end_sessions(scope: PlatformScope, command: AccountOf) -> Ended:
    """Signs an account out everywhere."""
    admin = scope.product.identity.account_admin
    return Ended(count=await admin.end_sessions(command.email, scope.actor))


@action("accounts.reset_factor", needs=_CHANGE, http="POST /accounts/{email}/reset-factor")
async def reset_factor(scope: PlatformScope, command: AccountOf) -> AccountView:
    """Has the password alone sign in again, for who has lost app and recovery codes."""
    identity = scope.product.identity
    account, _ = await identity.account_admin.find(command.email)
    await identity.second_factor.remove(account.id, scope.actor)
    return AccountView.of(*await identity.account_admin.find(command.email))


async def _set_active(scope: PlatformScope, command: AccountOf, *, active: bool) -> AccountView:
    admin = scope.product.identity.account_admin
    await admin.set_active(command.email, active=active, asker=scope.actor)
    return AccountView.of(*await admin.find(command.email))
