"""Accounts: signing up, and one's own."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.operations.own import (
    CHANGE_OWN,
    READ_OWN,
    Done,
    Email,
    Password,
    PersonName,
    Token,
    WithPassword,
    own_account,
)
from mosaic_cms.operations.tenants import Nothing
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import Denied

_ANYBODY = Permission("create", "accounts")


class SignUp(Model):
    """Somebody who wants an account."""

    email: Email
    name: PersonName
    password: Password
    #: The token of an invitation of the address: it is needed where not everybody signs up.
    invitation: Token | None = None


class Verify(Model):
    """The token of a link in a mail, and the password of the account that it is about."""

    token: Token
    password: Password


class RequestReset(Model):
    """The address of an account whose password is to be set anew."""

    email: Email


class Reset(Model):
    """The token of a link in a mail, and the new password."""

    token: Token
    password: Password


class ChangeAccount(Model):
    """By which name others see the account."""

    name: PersonName


class ChangePassword(Model):
    """The password that is, and the one that is to be."""

    old: Password
    new: Password


class ChangeAddress(WithPassword):
    """Another address, which is to be verified first."""

    email: Email


class AccountView(Model):
    """An account as its owner and operators see it.

    Attributes:
        verified: whether it was shown that the address is theirs.
        has_password: whether it signs in with one.
        second_factor: whether a code is asked for after the password.
        active: whether anybody can sign in to it.
    """

    id: uuid.UUID
    email: str
    name: str
    verified: bool
    has_password: bool
    second_factor: bool
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, account: Account, credentials: Credentials) -> Self:
        return cls(
            id=account.id,
            email=account.email,
            name=account.name,
            verified=account.verified_at is not None,
            has_password=credentials.password is not None,
            second_factor=credentials.totp_since is not None,
            active=account.active,
            created_at=account.created_at,
        )


@action("accounts.sign_up", needs=_ANYBODY, http="POST /accounts")
async def sign_up(scope: PlatformScope, command: SignUp) -> Done:
    """Makes an account and sends a mail to its address; who has one gets another mail."""
    if not scope.product.platform.settings.identity.sign_up and not await _invited(scope, command):
        raise Denied(
            "Nobody can sign up here; accounts are made for who is invited.",
            hint="Ask those who run this installation.",
        )
    await scope.product.identity.accounts.sign_up(
        command.email, command.name, command.password.get_secret_value(), scope.actor
    )
    return Done()


async def _invited(scope: PlatformScope, command: SignUp) -> bool:
    if command.invitation is None:
        return False
    token = command.invitation.get_secret_value()
    return await scope.product.identity.invitations.invites(token, command.email)


@action("accounts.verify", needs=_ANYBODY, http="POST /accounts/verify")
async def verify(scope: PlatformScope, command: Verify) -> Done:
    """Confirms an address, with the link that was sent to it and the account's password."""
    await scope.product.identity.accounts.verify(
        command.token.get_secret_value(), command.password.get_secret_value(), scope.actor
    )
    return Done()


@action("accounts.request_reset", needs=_ANYBODY, http="POST /accounts/request-reset")
async def request_reset(scope: PlatformScope, command: RequestReset) -> Done:
    """Sends a link to set a new password with. The answer is the same when there is no account."""
    await scope.product.identity.accounts.request_reset(command.email, scope.actor)
    return Done()


@action("accounts.reset", needs=_ANYBODY, http="POST /accounts/reset")
async def reset(scope: PlatformScope, command: Reset) -> Done:
    """Sets a new password with the link that was sent, and signs the account out everywhere."""
    await scope.product.identity.accounts.reset(
        command.token.get_secret_value(), command.password.get_secret_value(), scope.actor
    )
    return Done()


@action("accounts.show", needs=READ_OWN, effect="read", http="GET /account")
async def show(scope: PlatformScope, command: Nothing) -> AccountView:
    """One's own account."""
    return AccountView.of(*await scope.product.identity.accounts.show(own_account(scope)))


@action("accounts.change", needs=CHANGE_OWN, http="PATCH /account")
async def change(scope: PlatformScope, command: ChangeAccount) -> AccountView:
    """Changes the name by which others see one."""
    accounts, account_id = scope.product.identity.accounts, own_account(scope)
    await accounts.rename(account_id, command.name, scope.actor)
    return AccountView.of(*await accounts.show(account_id))


@action("accounts.change_password", needs=CHANGE_OWN, http="POST /account/password")
async def change_password(scope: PlatformScope, command: ChangePassword) -> Done:
    """Changes the password, and signs the account out everywhere else."""
    await scope.product.identity.accounts.change_password(
        own_account(scope),
        command.old.get_secret_value(),
        command.new.get_secret_value(),
        scope.actor,
    )
    return Done()


@action("accounts.change_address", needs=CHANGE_OWN, http="POST /account/address")
async def change_address(scope: PlatformScope, command: ChangeAddress) -> Done:
    """Sends a link to another address, which becomes the account's when it is confirmed."""
    await scope.product.identity.accounts.change_address(
        own_account(scope), command.email, command.password.get_secret_value(), scope.actor
    )
    return Done()
