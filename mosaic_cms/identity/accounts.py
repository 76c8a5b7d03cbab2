"""Accounts: people who can sign in, one for each address.

Whoever asks about an address that is not theirs gets the same answer, after the same work, whether
or not there is an account: what differs is said by mail, to who reads the mailbox.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from mosaic_cms.identity.account_rows import by_key, email_key, gives_way, own, tell
from mosaic_cms.identity.asked import ADDRESS, RESET, SIGN_UP, Asked, ask
from mosaic_cms.identity.lockout import Allowance, Lockout, Window
from mosaic_cms.identity.one_time import find_token, redeem, withdraw
from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.sessions import Sessions
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.networks import neighbourhood
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, TooManyRequests, Unauthenticated
from mosaic_core.head import Write
from mosaic_core.mail import check_address

#: Mails that one address gets, and that are asked for from one network. Links to set a password are
#: counted apart: whoever signs up again and again with somebody's address does not keep them out.
_TO_ADDRESS = Allowance(Window("mails to", 5, timedelta(hours=1)))
_RESETS_TO = Allowance(Window("resets to", 5, timedelta(hours=1)))
_FROM_NETWORK = Allowance(Window("mails from", 30, timedelta(hours=1)))
#: For how long signing in shows that somebody is there.
_PRESENT = timedelta(minutes=10)


def too_many_mails(seconds: int) -> TooManyRequests:
    """The error for a network that asks for too many mails."""
    return TooManyRequests(
        "Too many mails were asked for from this network.",
        hint=f"Try again in {seconds} s.",
        retry_after=seconds,
    )


class Accounts:
    """Makes accounts and changes what they are. A change is one write, whole or not at all."""

    def __init__(
        self,
        store: IdentityStore,
        passwords: Passwords,
        lockout: Lockout,
        sessions: Sessions,
        asked: Asked,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._lockout = lockout
        self._sessions = sessions
        self._asked = asked

    # Without being signed in

    async def sign_up(self, email: str, name: str, password: str, asker: Actor) -> None:
        """Has an account made whose address is to be verified, or who has the address already told
        that somebody tried; it is looked up when the letter is written.

        Raises:
            InvalidInput, InvalidMail: the password or the address cannot be.
            TooManyRequests: this network asks for too many mails.
        """
        address, key = check_address(email), email_key(email)
        async with self._store.session() as session:  # before the work that it costs
            network = neighbourhood(asker.address)
            if wait := await _FROM_NETWORK.wait(session, network, datetime.now(UTC)):
                raise too_many_mails(wait)
        await self._passwords.require_good(password, about=(address, name))
        made = await self._passwords.hash(password)

        wish = self._asked.wish(name, made)

        async def fn(write: Write) -> int:
            if wait := await _FROM_NETWORK.take(write, network):
                return wait
            if not await _TO_ADDRESS.take(write, key):  # else it has got enough; nobody is told
                await ask(write, SIGN_UP, "verify", address, wish=wish)
            return 0

        action = "accounts.sign_up"
        if wait := await self._store.write(fn, actor=asker, action=action, kept=False):
            raise too_many_mails(wait)

    async def verify(self, token: str, password: str, asker: Actor) -> uuid.UUID:
        """Takes an address as the account's, once it is shown that it is read by who knows the
        account's password: neither alone is enough. So nobody can have somebody else's mailbox
        confirm an account, nor get one by a mail that went astray.

        Raises:
            InvalidInput: the link does not count.
            Unauthenticated: the password is another one.
            Conflict: the address has become somebody else's meanwhile. An account that has never
                shown that it is theirs gives way.
        """
        async with self._store.session() as session:
            found = await find_token(session, "verify", token, datetime.now(UTC))
            account_id = found.account_id
        await self.require_password(account_id, password, asker)

        async def fn(write: Write) -> uuid.UUID:
            row = await redeem(write, "verify", token)
            account = await write.session.get_one(Account, row.account_id)
            key = email_key(row.email)
            other = await by_key(write.session, key)
            if (
                other is not None
                and other.id != account.id
                and not await gives_way(write.session, other)
            ):
                raise Conflict(f"{row.email} is in use.", hint="Use another address.")
            if key != account.email_key:
                await tell(write, "address-changed", account, new=row.email)
            account.email, account.email_key = row.email, key
            account.verified_at = write.at
            await withdraw(write, account.id, "verify", "reset")
            return account.id

        return await self._store.write(fn, actor=f"account:{account_id}", action="accounts.verify")

    async def request_reset(self, email: str, asker: Actor) -> None:
        """Asks for a link by which a password can be set, to be sent to an address that has an
        account. Whether it has one is looked up when the letter is written: by then whoever asked
        has their answer, after the same work for any address.

        Raises:
            InvalidMail: it is no address.
            TooManyRequests: this network asks for too many mails.
        """
        key = email_key(email)

        async def fn(write: Write) -> int:
            if wait := await _FROM_NETWORK.take(write, neighbourhood(asker.address)):
                return wait
            if not await _RESETS_TO.take(write, key):
                await ask(write, RESET, "reset", key)
            return 0

        action = "accounts.request_reset"
        if wait := await self._store.write(fn, actor=asker, action=action, kept=False):
            raise too_many_mails(wait)

    async def reset(self, token: str, password: str, asker: Actor) -> uuid.UUID:
        """Sets a password with a link from a mail; it ends every session, and who did it gets in
        from where they are.

        Raises:
            InvalidInput: the link does not count, or the password is not good enough.
        """
        async with self._store.session() as session:
            found = await find_token(session, "reset", token, datetime.now(UTC))
            account = await session.get_one(Account, found.account_id)
        await self._passwords.require_good(password, about=(account.email, account.name))
        made = await self._passwords.hash(password)

        async def fn(write: Write) -> uuid.UUID:
            row = await redeem(write, "reset", token)
            account = await write.session.get_one(Account, row.account_id)
            account.verified_at = account.verified_at or write.at
            await self._set_password(write, account, made)
            await self._lockout.admit(write, account.email_key, asker.address)
            return account.id

        return await self._store.write(fn, actor=f"account:{account.id}", action="accounts.reset")

    # One's own

    async def show(self, account_id: uuid.UUID) -> tuple[Account, Credentials]:
        """An account and what it signs in with.

        Raises:
            NotFound: there is none, or it is not active any more.
        """
        async with self._store.session() as session:
            return await own(session, account_id)

    async def rename(self, account_id: uuid.UUID, name: str, asker: Actor) -> None:
        """Changes the name by which others see an account."""

        async def fn(write: Write) -> None:
            account, _ = await own(write.session, account_id)
            account.name = name

        await self._store.write(fn, actor=asker, action="accounts.change")

    async def change_password(
        self, account_id: uuid.UUID, old: str, new: str, asker: Actor
    ) -> None:
        """Changes the password of who knows the old one; their other sessions end.

        Raises:
            Unauthenticated: the old one is another.
            InvalidInput: the new one is not good enough.
        """
        account = await self.require_password(account_id, old, asker)
        await self._passwords.require_good(new, about=(account.email, account.name))
        made = await self._passwords.hash(new)

        async def fn(write: Write) -> None:
            account, _ = await own(write.session, account_id)
            await self._set_password(write, account, made, but=asker.session)

        await self._store.write(fn, actor=asker, action="accounts.change_password")

    async def change_address(
        self, account_id: uuid.UUID, email: str, password: str, asker: Actor
    ) -> None:
        """Asks who reads another address to confirm it; until then the account has the old one.
        The owner of an address that has an account is told of it, and nobody else.

        Raises:
            Unauthenticated: the password is another one.
            InvalidMail: it is no address.
            TooManyRequests: too many mails were asked for.
        """
        address, key = check_address(email), email_key(email)
        await self.require_password(account_id, password, asker)

        async def fn(write: Write) -> int:
            if wait := await _FROM_NETWORK.take(write, neighbourhood(asker.address)):
                return wait
            if await _TO_ADDRESS.take(write, key):
                return 0
            await ask(write, ADDRESS, "verify", address, account=str(account_id))
            return 0

        action = "accounts.change_address"
        if wait := await self._store.write(fn, actor=asker, action=action, kept=False):
            raise too_many_mails(wait)

    async def require_password(self, account_id: uuid.UUID, password: str, asker: Actor) -> Account:
        """Lets pass who knows an account's password, as before what cannot be taken back: whoever
        found a browser open does not. Tries are counted as those to sign in are.

        Raises:
            Unauthenticated: it is another one, or the account has none.
        """
        async with self._store.session() as session:
            account, credentials = await own(session, account_id)
        await self._lockout.attempt(account.email_key, asker.address)
        if not await self._passwords.matches(credentials.password, password):
            raise Unauthenticated(
                "This is not the account's password.",
                hint="Check it; a new one can be set with a link by mail.",
            )

        async def fn(write: Write) -> None:
            await self._lockout.succeeded(write, account.email_key, asker.address)

        await self._store.write(fn, actor="system", action="attempts.clear", kept=False)
        return account

    async def require_present(
        self, account_id: uuid.UUID, password: str | None, asker: Actor
    ) -> None:
        """Lets pass who knows the account's password. Who has none, since somebody else vouches for
        them, passes for some minutes after they signed in.

        Raises:
            Unauthenticated: neither is so.
        """
        _, credentials = await self.show(account_id)
        if credentials.password is not None:
            await self.require_password(account_id, password or "", asker)
            return
        rows = [row for row in await self._sessions.of(account_id) if row.id == asker.session]
        if not rows or datetime.now(UTC) - rows[0].created_at > _PRESENT:
            raise Unauthenticated(
                "It has to be shown anew that it is you.", hint="Sign in again, and try it then."
            )

    async def _set_password(
        self, write: Write, account: Account, made: str, *, but: uuid.UUID | None = None
    ) -> None:
        """What was begun with the old password ends: sessions, and links that are on their way."""
        credentials = await write.session.get_one(Credentials, account.id)
        credentials.password = made
        await self._sessions.end_all(write, account.id, but=but)
        await withdraw(write, account.id, "verify", "reset")
        await tell(write, "password-changed", account)
