"""One's own second factor."""

from __future__ import annotations

import uuid

from mosaic_cms.actions import Model, action
from mosaic_cms.operations.own import CHANGE_OWN, Code, Done, WithPassword, own_account
from mosaic_cms.scope import PlatformScope


class ConfirmTotp(Model):
    """The code that the app shows."""

    code: Code


class NewTotp(Model):
    """A secret for an app, as text and as what a QR code says; it is shown once."""

    secret: str
    uri: str


class RecoveryCodes(Model):
    """Codes that sign in once each when the app is lost; they are shown once."""

    codes: list[str]


@action("accounts.totp_begin", needs=CHANGE_OWN, http="POST /account/totp")
async def totp_begin(scope: PlatformScope, command: WithPassword) -> NewTotp:
    """Makes the secret of a second factor; it is asked for once it was confirmed."""
    made = await scope.product.identity.second_factor.begin(
        await _confirmed(scope, command), scope.actor
    )
    return NewTotp(secret=made.secret, uri=made.uri)


@action("accounts.totp_confirm", needs=CHANGE_OWN, http="POST /account/totp/confirm")
async def totp_confirm(scope: PlatformScope, command: ConfirmTotp) -> RecoveryCodes:
    """Has the second factor asked for from now on."""
    codes = await scope.product.identity.second_factor.confirm(
        own_account(scope), command.code.get_secret_value(), scope.actor
    )
    return RecoveryCodes(codes=codes)


@action("accounts.totp_remove", needs=CHANGE_OWN, http="POST /account/totp/remove")
async def totp_remove(scope: PlatformScope, command: WithPassword) -> Done:
    """Has the password alone sign in again."""
    await scope.product.identity.second_factor.remove(await _confirmed(scope, command), scope.actor)
    return Done()


@action("accounts.recovery_codes", needs=CHANGE_OWN, http="POST /account/recovery-codes")
async def recovery_codes(scope: PlatformScope, command: WithPassword) -> RecoveryCodes:
    """Makes new recovery codes; the old ones count no more."""
    codes = await scope.product.identity.second_factor.renew_codes(
        await _confirmed(scope, command), scope.actor
    )
    return RecoveryCodes(codes=codes)


async def _confirmed(scope: PlatformScope, command: WithPassword) -> uuid.UUID:
    account_id = own_account(scope)
    await scope.product.identity.accounts.require_password(
        account_id, command.password.get_secret_value(), scope.actor
    )
    return account_id
