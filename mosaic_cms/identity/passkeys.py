"""Passkeys: keys in somebody's device that sign in without a password (W3C Web Authentication).

A passkey counts for the origin of the platform's own pages only: those of tenants lie below the
same domain, and what is signed there is refused. The device has to have recognised its user, by a
finger or a number, so that a passkey stands for two factors.
"""

from __future__ import annotations

import secrets as random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.account_rows import own, tell
from mosaic_cms.identity.lockout import once
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.sessions import Sessions, Started
from mosaic_cms.identity.sign_in import require_open
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import LONGEST_CREDENTIAL, Account, Passkey
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, InvalidInput, MosaicError, NotFound, Unauthenticated
from mosaic_core.head import Write

#: Seconds that somebody has to answer a challenge.
PATIENCE = 300
#: Passkeys of one account.
_MOST = 20
_SIGN_IN = "passkey sign-in"


class Passkeys:
    """Registers passkeys and signs in with them.

    Args:
        domain: the platform's own, for which browsers keep the keys.
        origin: of its pages, as in ``https://example.com``.
        name: what browsers call it.
    """

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        sessions: Sessions,
        *,
        domain: str,
        origin: str,
        name: str,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._sessions = sessions
        self._domain = domain
        self._origin = origin
        self._name = name

    async def begin(self, account_id: uuid.UUID) -> dict[str, Any]:
        """What a browser is to make a passkey with: ``PublicKeyCredentialCreationOptionsJSON``.

        Raises:
            Conflict: the account has as many as it can have.
        """
        from webauthn import generate_registration_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        async with self._store.session() as session:
            account, _ = await own(session, account_id)
        there = await self.of(account_id)
        _require_room(there)
        options = generate_registration_options(
            rp_id=self._domain,
            rp_name=self._name,
            user_id=account.id.bytes,
            user_name=account.email,
            user_display_name=account.name,
            challenge=self._challenge(_registering(account_id)),
            timeout=PATIENCE * 1000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(row.credential_id) for row in there],
        )
        return options_to_json_dict(options)

    async def add(
        self, account_id: uuid.UUID, name: str, answer: dict[str, Any], asker: Actor
    ) -> Passkey:
        """Keeps a passkey that a browser made: its ``RegistrationResponseJSON``.

        Raises:
            InvalidInput: it is not an answer to a challenge that still counts.
            Conflict: it is known, or there are too many.
        """
        from webauthn import verify_registration_response

        with _refusing(_no_passkey):
            challenge, until = self._answered(answer, _registering(account_id))
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origin,
                require_user_verification=True,
            )

        async def fn(write: Write) -> Passkey:
            account, _ = await own(write.session, account_id)
            if not await once(write, challenge.decode(), until):
                raise InvalidInput("This challenge was answered already.", hint="Begin again.")
            if await write.session.get(Passkey, made.credential_id) is not None:
                raise Conflict("This passkey is known already.", hint="Use it to sign in.")
            _require_room(await _of(write.session, account_id))
            row = Passkey(
                credential_id=made.credential_id,
                account_id=account_id,
                name=name,
                public_key=made.credential_public_key,
                sign_count=made.sign_count,
                created_at=write.at,
                used_at=None,
            )
            write.session.add(row)
            await tell(write, "sign-in-changed", account, what="passkey-on")
            return row

        return await self._store.write(fn, actor=asker, action="passkeys.add", kept=False)

    def begin_sign_in(self) -> dict[str, Any]:
        """What a browser is to sign: ``PublicKeyCredentialRequestOptionsJSON``. It names nobody,
        and nothing is kept of it."""
        from webauthn import generate_authentication_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=self._domain,
            challenge=self._challenge(_SIGN_IN),
            timeout=PATIENCE * 1000,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    async def sign_in(
        self, answer: dict[str, Any], *, remembered: bool, asker: Actor
    ) -> tuple[Account, Started]:
        """Begins a session for who signed a challenge: an ``AuthenticationResponseJSON``.

        Raises:
            Unauthenticated: no passkey that is known here has signed it, or not in time.
            Denied: the account is closed, or its address not verified.
        """
        from webauthn import verify_authentication_response
        from webauthn.helpers import base64url_to_bytes

        with _refusing(_no_sign_in):
            challenge, until = self._answered(answer, _SIGN_IN)
            credential_id = base64url_to_bytes(answer["id"])
        async with self._store.session() as session:
            key = await _named(session, credential_id)
        if key is None:
            raise _no_sign_in("It is not known here.")
        with _refusing(_no_sign_in):
            _require_handle(answer, key.account_id)
            used = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
                require_user_verification=True,
            )

        async def fn(write: Write) -> tuple[Account, Started]:
            row = await write.session.get(Passkey, credential_id)
            if row is None or row.sign_count != key.sign_count:
                raise _no_sign_in("It was removed or used while this was going on.")
            if not await once(write, challenge.decode(), until):
                raise _no_sign_in("The challenge was answered already.")
            account = await write.session.get_one(Account, row.account_id)
            require_open(account)
            row.sign_count, row.used_at = used.new_sign_count, write.at
            return account, await self._sessions.start(
                write,
                account.id,
                remembered=remembered,
                address=asker.address,
                agent=asker.agent,
                instead_of=asker.session,
            )

        return await self._store.write(
            fn, actor=asker, action="passkeys.sign_in", kept=asker.session is not None
        )

    async def of(self, account_id: uuid.UUID) -> list[Passkey]:
        """The passkeys of an account, the oldest first."""
        async with self._store.session() as session:
            return await _of(session, account_id)

    async def remove(self, account_id: uuid.UUID, credential_id: bytes, asker: Actor) -> None:
        """Has a passkey count no more.

        Raises:
            NotFound: the account has no such passkey.
        """

        async def fn(write: Write) -> None:
            row = await _named(write.session, credential_id)
            if row is None or row.account_id != account_id:
                raise NotFound("There is no such passkey.", hint="List them again.")
            await write.session.delete(row)
            account, _ = await own(write.session, account_id)
            await tell(write, "sign-in-changed", account, what="passkey-off")

        await self._store.write(fn, actor=asker, action="passkeys.remove", kept=False)

    def _challenge(self, purpose: str) -> bytes:
        """A challenge that nobody else can make and that says until when it counts: nothing has to
        be kept of those that nobody answers."""
        body = f"{int(time.time()) + PATIENCE}.{random.token_urlsafe(16)}"
        return f"{body}.{self._secrets.signature(purpose, body)}".encode()

    def _answered(self, answer: dict[str, Any], purpose: str) -> tuple[bytes, datetime]:
        """The challenge that an answer is to, and until when it counts."""
        from webauthn.helpers import base64url_to_bytes, parse_client_data_json

        told = parse_client_data_json(base64url_to_bytes(answer["response"]["clientDataJSON"]))
        body, _, signature = told.challenge.decode("ascii").rpartition(".")
        if not self._secrets.signed(purpose, body, signature):
            raise ValueError("its challenge is not from here")
        until = datetime.fromtimestamp(int(body.partition(".")[0]), UTC)
        if until <= datetime.now(UTC):
            raise ValueError("its challenge is too old")
        return told.challenge, until


async def _named(session: AsyncSession, credential_id: bytes) -> Passkey | None:
    if len(credential_id) > LONGEST_CREDENTIAL:  # no column takes it
        return None
    return await session.get(Passkey, credential_id)


async def _of(session: AsyncSession, account_id: uuid.UUID) -> list[Passkey]:
    query = select(Passkey).where(Passkey.account_id == account_id)
    return list(await session.scalars(query.order_by(Passkey.created_at, Passkey.credential_id)))


def _registering(account_id: uuid.UUID) -> str:
    return f"passkey of {account_id}"


def _require_room(there: list[Passkey]) -> None:
    if len(there) >= _MOST:
        raise Conflict(f"An account has {_MOST} passkeys at most.", hint="Remove one first.")


def _require_handle(answer: dict[str, Any], account_id: uuid.UUID) -> None:
    """What the device says whose key it is has to be so (Web Authentication, 7.2, step 6)."""
    from webauthn.helpers import base64url_to_bytes

    handle = answer["response"].get("userHandle")
    if not handle or base64url_to_bytes(handle) != account_id.bytes:
        raise ValueError("it is another account's")


@contextmanager
def _refusing(told: Callable[[str], MosaicError]) -> Iterator[None]:
    """What was made up may fail anywhere in the library, and with any error."""
    try:
        yield
    except Exception as error:
        raise told(_why(error)) from error


def _no_passkey(why: str) -> InvalidInput:
    return InvalidInput(
        f"This is no passkey that was made here. {why}",
        hint="Begin again, and answer within five minutes.",
        problems=(("credential", "It is no passkey that was made here"),),
    )


def _no_sign_in(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"This passkey does not sign in. {why}",
        hint="Begin again, or sign in with your password.",
    )


def _why(error: Exception) -> str:
    """What the library or this module says, without what somebody sent."""
    told = str(error).partition(". See")[0].partition('"')[0].strip()
    return f"{told[:1].upper()}{told[1:100]}." if told else ""
