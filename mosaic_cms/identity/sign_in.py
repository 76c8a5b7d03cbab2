"""Signing in with a password or by somebody else's word, and with a second factor when the account
has one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import select

from mosaic_cms.identity.account_rows import email_key
from mosaic_cms.identity.lockout import Lockout
from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.second_factor import SecondFactor
from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.sessions import Sessions, Started
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.scope import Actor
from mosaic_core.errors import Denied, Unauthenticated
from mosaic_core.head import Write

#: Seconds between the two steps, at most.
PATIENCE = 600
_PURPOSE = "sign-in pending"


@dataclass(frozen=True, slots=True)
class Pending:
    """The first step of two is done. ``value`` proves it, for :data:`PATIENCE` seconds and as long
    as the password is the same."""

    value: str


class SignIn:
    """Begins sessions for who has shown that an account is theirs."""

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        passwords: Passwords,
        lockout: Lockout,
        sessions: Sessions,
        second_factor: SecondFactor,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._passwords = passwords
        self._lockout = lockout
        self._sessions = sessions
        self._second_factor = second_factor

    async def with_password(
        self, email: str, password: str, *, remembered: bool, asker: Actor
    ) -> tuple[Account, Started] | Pending:
        """A session, or the first of two steps.

        Raises:
            InvalidMail: it is no address.
            Unauthenticated: there is no such account, or its password is another; nobody learns
                which.
            Denied: to who knows the password, that the account is closed or not verified.
            TooManyRequests: after too many tries.
        """
        key = email_key(email)
        await self._lockout.attempt(key, asker.address)
        async with self._store.session() as session:
            # One question, whether or not there is an account.
            query = select(Account, Credentials).join(Credentials)
            row = (await session.execute(query.where(Account.email_key == key))).one_or_none()
        kept = row[1].password if row is not None else None
        right = await self._passwords.matches(kept, password)
        if row is None or kept is None or not right:
            raise _wrong()
        account, found = row
        require_open(account)
        if found.totp_since is not None:
            return Pending(self._pending(found, remembered=remembered))
        renewed = (
            await self._passwords.hash(password) if self._passwords.is_outdated(kept) else kept
        )

        async def fn(write: Write) -> tuple[Account, Started]:
            credentials = await write.session.get_one(Credentials, account.id)
            if credentials.password != kept or credentials.totp_since is not None:
                raise _wrong()  # it was changed while this was going on
            credentials.password = renewed
            return await self._begin(write, account.id, remembered=remembered, asker=asker)

        return await self._write(fn, asker)

    async def with_code(self, pending: str, code: str, asker: Actor) -> tuple[Account, Started]:
        """A session for who has done the first step and has a code: of the app, or for recovery.

        Raises:
            Unauthenticated: the first step was not done, or too long ago; or the code is wrong.
            TooManyRequests: after too many tries.
        """
        account_id, remembered = await self._done(pending)
        async with self._store.session() as session:
            account = await session.get_one(Account, account_id)
        await self._lockout.attempt(account.email_key, asker.address)

        async def fn(write: Write) -> tuple[Account, Started]:
            credentials = await write.session.get_one(Credentials, account_id)
            if not self._is_proof(pending, credentials):
                raise _too_late()
            if not await self._second_factor.accept(write, credentials, code):
                raise Unauthenticated(
                    "This code is wrong, or was used.",
                    hint="Wait for the next one that your app shows, or use a recovery code.",
                )
            return await self._begin(write, account_id, remembered=remembered, asker=asker)

        return await self._write(fn, asker)

    async def vouched(
        self, write: Write, account: Account, *, trusted: bool, remembered: bool, asker: Actor
    ) -> tuple[Account, Started] | Pending:
        """A session for whom somebody else vouches, in a write; or the first of two steps.

        Args:
            trusted: whoever vouches has asked for a second factor.

        Raises:
            Denied: the account is closed or not verified.
        """
        require_open(account)
        credentials = await write.session.get_one(Credentials, account.id)
        if credentials.totp_since is not None and not trusted:
            return Pending(self._pending(credentials, remembered=remembered))
        return account, await self._sessions.start(
            write,
            account.id,
            remembered=remembered,
            address=asker.address,
            agent=asker.agent,
            instead_of=asker.session,
        )

    async def _begin(
        self, write: Write, account_id: uuid.UUID, *, remembered: bool, asker: Actor
    ) -> tuple[Account, Started]:
        account = await write.session.get_one(Account, account_id)
        require_open(account)
        await self._lockout.succeeded(write, account.email_key, asker.address)
        return account, await self._sessions.start(
            write,
            account_id,
            remembered=remembered,
            address=asker.address,
            agent=asker.agent,
            instead_of=asker.session,
        )

    def _pending(self, credentials: Credentials, *, remembered: bool) -> str:
        until = int(time.time()) + PATIENCE
        body = f"{credentials.account_id.hex}.{until}.{int(remembered)}"
        return f"{body}.{self._secrets.signature(_PURPOSE, _covered(body, credentials))}"

    async def _done(self, pending: str) -> tuple[uuid.UUID, bool]:
        """Whose first step it was."""
        try:
            account_hex, until, remembered, _ = pending.split(".")
            account_id, late = uuid.UUID(account_hex), int(until) <= time.time()
        except ValueError:
            raise _too_late() from None
        async with self._store.session() as session:
            credentials = await session.get(Credentials, account_id)
        if late or credentials is None or not self._is_proof(pending, credentials):
            raise _too_late()
        return account_id, remembered == "1"

    def _is_proof(self, pending: str, credentials: Credentials) -> bool:
        body, _, signature = pending.rpartition(".")
        return self._secrets.signed(_PURPOSE, _covered(body, credentials), signature)

    async def _write(
        self, fn: Callable[[Write], Awaitable[tuple[Account, Started]]], asker: Actor
    ) -> tuple[Account, Started]:
        """What is kept in memory changes only when a session ends."""
        kept = asker.session is not None
        return await self._store.write(fn, actor=asker, action="sessions.create", kept=kept)


def require_open(account: Account) -> None:
    """Raises Denied when nobody signs in to an account, whatever they know. So it is said to those
    only who have shown that it is theirs."""
    if not account.active:
        raise Denied("This account is closed.", hint="Ask those who run this installation.")
    if account.verified_at is None:
        raise Denied(
            "The account's address is not verified yet.",
            hint="Open the link in the mail; sign up again, and another one is sent.",
        )


def _covered(body: str, credentials: Credentials) -> str:
    """A pending sign-in ends when the password or the second factor is another."""
    state = f"{credentials.password} {credentials.totp_since}"
    return f"{body}.{digest_of(state).hex()}"


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "The address or the password is wrong.",
        hint="Check both; a new password can be set with a link by mail.",
    )


def _too_late() -> Unauthenticated:
    return Unauthenticated("This sign-in is over, or was never begun.", hint="Begin again.")
