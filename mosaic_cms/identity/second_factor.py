"""The second factor: codes that an app shows (TOTP, RFC 6238), and codes for when it is lost."""

from __future__ import annotations

import hmac
import secrets as random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pyotp
from sqlalchemy import delete

from mosaic_cms.identity.account_rows import own, tell
from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Credentials, RecoveryCode
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, InvalidInput
from mosaic_core.head import Write

T = TypeVar("T")
#: Seconds of a time step, and how many steps a clock may be ahead or behind.
_STEP, _DRIFT = 30, 1
#: Recovery codes that there are, and the letters of which one consists: 80 bits.
RECOVERY_CODES, _LETTERS = 10, 16
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A secret for an app: as text, and as what a QR code says."""

    secret: str
    uri: str


class SecondFactor:
    """Sets up and checks second factors.

    Args:
        issuer: what apps call this installation.
    """

    def __init__(self, store: IdentityStore, secrets: Secrets, issuer: str) -> None:
        self._store = store
        self._secrets = secrets
        self._issuer = issuer

    async def begin(self, account_id: uuid.UUID, asker: Actor) -> NewFactor:
        """Makes a secret, which counts once a code of it was shown.

        Raises:
            Conflict: there is a second factor.
        """
        secret = pyotp.random_base32()

        async def fn(write: Write) -> str:
            account, credentials = await own(write.session, account_id)
            if credentials.totp_since is not None:
                raise Conflict("The account has a second factor.", hint="Remove it first.")
            credentials.totp, credentials.totp_used = self._secrets.seal(secret.encode()), 0
            return account.email

        email = await self._write(fn, asker, "accounts.totp_begin")
        uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=self._issuer)
        return NewFactor(secret, uri)

    async def confirm(self, account_id: uuid.UUID, code: str, asker: Actor) -> list[str]:
        """Has the second factor asked for from now on; the recovery codes, which are nowhere else.

        Raises:
            Conflict: none was begun, or it is in use already.
            InvalidInput: the code is not the one that the app shows.
        """

        async def fn(write: Write) -> list[str]:
            account, credentials = await own(write.session, account_id)
            if credentials.totp is None or credentials.totp_since is not None:
                raise Conflict("No second factor is being set up.", hint="Begin with a new secret.")
            if not self._is_shown(write, credentials, code):
                raise InvalidInput(
                    "This is not the code that the app shows now.",
                    hint="See that the clock of its device is right.",
                    problems=(("code", "It is not the one that the app shows now"),),
                )
            credentials.totp_since = write.at
            await tell(write, "sign-in-changed", account, what="factor-on")
            return await _new_codes(write, account_id)

        return await self._write(fn, asker, "accounts.totp_confirm")

    async def remove(self, account_id: uuid.UUID, asker: Actor) -> None:
        """Has no second factor asked for any more."""

        async def fn(write: Write) -> None:
            account, credentials = await own(write.session, account_id)
            if credentials.totp_since is not None:
                await tell(write, "sign-in-changed", account, what="factor-off")
            credentials.totp, credentials.totp_since, credentials.totp_used = None, None, 0
            await _forget_codes(write, account_id)

        await self._write(fn, asker, "accounts.totp_remove")

    async def renew_codes(self, account_id: uuid.UUID, asker: Actor) -> list[str]:
        """New recovery codes; the old ones count no more.

        Raises:
            Conflict: there is no second factor.
        """

        async def fn(write: Write) -> list[str]:
            account, credentials = await own(write.session, account_id)
            if credentials.totp_since is None:
                raise Conflict("The account has no second factor.", hint="Set one up first.")
            await tell(write, "sign-in-changed", account, what="codes")
            return await _new_codes(write, account_id)

        return await self._write(fn, asker, "accounts.recovery_codes")

    async def accept(self, write: Write, credentials: Credentials, code: str) -> bool:
        """Whether a code counts, of the app or for recovery; in the write that signs in, after
        which it counts no more."""
        if self._is_shown(write, credentials, code):
            return True
        row = await write.session.get(RecoveryCode, _digest(credentials.account_id, code))
        if row is not None:
            await write.session.delete(row)
        return row is not None

    def _is_shown(self, write: Write, credentials: Credentials, code: str) -> bool:
        """Whether an app shows a code now; no code counts twice (RFC 6238, 5.2)."""
        if credentials.totp is None:
            return False
        app = pyotp.TOTP(self._secrets.unseal(credentials.totp).decode(), interval=_STEP)
        typed = code.replace(" ", "").encode("utf-8", "replace")
        now = int(write.at.timestamp()) // _STEP
        for step in range(now - _DRIFT, now + _DRIFT + 1):
            shown = app.generate_otp(step).encode()
            if step > credentials.totp_used and hmac.compare_digest(shown, typed):
                credentials.totp_used = step
                return True
        return False

    async def _write(self, fn: Callable[[Write], Awaitable[T]], asker: Actor, action: str) -> T:
        return await self._store.write(fn, actor=asker, action=action, kept=False)


async def _new_codes(write: Write, account_id: uuid.UUID) -> list[str]:
    await _forget_codes(write, account_id)
    codes = []
    for _ in range(RECOVERY_CODES):
        code = "".join(random.choice(_ALPHABET) for _ in range(_LETTERS))
        write.session.add(RecoveryCode(digest=_digest(account_id, code), account_id=account_id))
        codes.append("-".join(code[at : at + 4] for at in range(0, _LETTERS, 4)))
    return codes


async def _forget_codes(write: Write, account_id: uuid.UUID) -> None:
    await write.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def _digest(account_id: uuid.UUID, code: str) -> bytes:
    """However somebody has typed it. Only the account's own codes can be found by it."""
    typed = "".join(sign for sign in code.lower() if sign.isascii() and sign.isalnum())
    return digest_of(f"{account_id} {typed}")
