"""Passkeys: one's own, and signing in with one."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.tables import Passkey
from mosaic_cms.operations.own import (
    CHANGE_OWN,
    READ_OWN,
    Done,
    PersonName,
    WithPassword,
    own_account,
)
from mosaic_cms.operations.sessions import ANYBODY, SignedIn
from mosaic_cms.operations.tenants import Nothing
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import NotFound

#: Bytes in base64url, as Web Authentication writes them in JSON.
_Short = Annotated[str, Field(max_length=2_000)]
_Long = Annotated[str, Field(max_length=50_000)]


class _FromBrowser(Model):
    """What a browser adds to it is left out."""

    model_config = ConfigDict(extra="ignore")


class AttestationAnswer(_FromBrowser):
    """What a device says of a key that it made."""

    clientDataJSON: _Long  # noqa: N815 - the standard's name
    attestationObject: _Long  # noqa: N815


class RegistrationAnswer(_FromBrowser):
    """A ``RegistrationResponseJSON`` of Web Authentication."""

    id: _Short
    rawId: _Short  # noqa: N815
    type: _Short
    response: AttestationAnswer


class AssertionAnswer(_FromBrowser):
    """What a device signed."""

    clientDataJSON: _Long  # noqa: N815
    authenticatorData: _Long  # noqa: N815
    signature: _Short
    userHandle: _Short | None = None  # noqa: N815


class SignInAnswer(_FromBrowser):
    """An ``AuthenticationResponseJSON`` of Web Authentication."""

    id: _Short
    rawId: _Short  # noqa: N815
    type: _Short
    response: AssertionAnswer


class PasskeyOptions(Model):
    """What is given to the browser's ``navigator.credentials``, as JSON."""

    options: dict[str, Any]


class AddPasskey(Model):
    """A passkey that a browser made, and what its owner calls it."""

    name: PersonName
    credential: RegistrationAnswer


class SignInWithPasskey(Model):
    """What a browser signed."""

    credential: SignInAnswer
    remember: bool = False


class PasskeyView(Model):
    """A passkey. ``id`` is the credential's, in base64url."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None


class RemovePasskey(WithPassword):
    """A passkey, by its id."""

    id: _Short


@action("passkeys.begin", needs=CHANGE_OWN, http="POST /account/passkeys/begin")
async def begin(scope: PlatformScope, command: WithPassword) -> PasskeyOptions:
    """What the browser is to make a passkey with, within five minutes."""
    identity, account_id = scope.product.identity, own_account(scope)
    await identity.accounts.require_password(
        account_id, command.password.get_secret_value(), scope.actor
    )
    return PasskeyOptions(options=await identity.passkeys.begin(account_id))


@action("passkeys.add", needs=CHANGE_OWN, http="POST /account/passkeys")
async def add(scope: PlatformScope, command: AddPasskey) -> PasskeyView:
    """Keeps a passkey; from now on it signs in without password and code."""
    answer = command.credential.model_dump()
    row = await scope.product.identity.passkeys.add(
        own_account(scope), command.name, answer, scope.actor
    )
    return _view(row)


@action("passkeys.list", needs=READ_OWN, effect="read", http="GET /account/passkeys")
async def list_own(scope: PlatformScope, command: Nothing) -> list[PasskeyView]:
    """One's own passkeys, the oldest first."""
    return [_view(row) for row in await scope.product.identity.passkeys.of(own_account(scope))]


@action("passkeys.remove", needs=CHANGE_OWN, http="POST /account/passkeys/{id}/remove")
async def remove(scope: PlatformScope, command: RemovePasskey) -> Done:
    """Has a passkey count no more."""
    identity, account_id = scope.product.identity, own_account(scope)
    await identity.accounts.require_password(
        account_id, command.password.get_secret_value(), scope.actor
    )
    try:
        credential_id = base64.b64decode(command.id + "=" * (-len(command.id) % 4), b"-_", True)
    except (binascii.Error, ValueError):
        raise NotFound("There is no such passkey.", hint="List them again.") from None
    await identity.passkeys.remove(account_id, credential_id, scope.actor)
    return Done()


@action("passkeys.begin_sign_in", needs=ANYBODY, http="POST /sessions/passkey/begin")
async def begin_sign_in(scope: PlatformScope, command: Nothing) -> PasskeyOptions:
    """What the browser is to sign with a passkey, within five minutes."""
    return PasskeyOptions(options=scope.product.identity.passkeys.begin_sign_in())


@action("passkeys.sign_in", needs=ANYBODY, http="POST /sessions/passkey")
async def sign_in(scope: PlatformScope, command: SignInWithPasskey) -> SignedIn:
    """Signs in with a passkey; no code is asked for."""
    answer = command.credential.model_dump(exclude_none=True)
    return SignedIn.to(
        *await scope.product.identity.passkeys.sign_in(
            answer, remembered=command.remember, asker=scope.actor
        )
    )


def _view(row: Passkey) -> PasskeyView:
    shown = base64.urlsafe_b64encode(row.credential_id).decode().rstrip("=")
    return PasskeyView(id=shown, name=row.name, created_at=row.created_at, used_at=row.used_at)
