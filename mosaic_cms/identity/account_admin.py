"""Accounts as those who run the installation look after them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.account_rows import add_account, by_key, email_key, tell
from mosaic_cms.identity.one_time import issue, withdraw
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.sessions import Sessions
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write
from mosaic_core.mail import check_address


class AccountAdmin:
    """Makes, finds and closes anybody's account."""

    def __init__(self, store: IdentityStore, secrets: Secrets, sessions: Sessions) -> None:
        self._store = store
        self._secrets = secrets
        self._sessions = sessions

    async def create(self, email: str, name: str, asker: Actor) -> Account:
        """Makes an account for somebody, who gets a link by mail to set a password with.

        Raises:
            Conflict: the address has an account.
        """
        address, key = check_address(email), email_key(email)

        async def fn(write: Write) -> Account:
            if await by_key(write.session, key) is not None:
                raise Conflict(f"{address} has an account.", hint="Use that one.")
            account = add_account(write, address, name)
            row_id = issue(write, self._secrets, "reset", account.id, address)
            await tell(write, "welcome", account, token=str(row_id))
            return account

        return await self._store.write(fn, actor=asker, action="accounts.create")

    async def find(self, email: str) -> tuple[Account, Credentials]:
        """The account of an address, whatever its state.

        Raises:
            NotFound: there is none.
        """
        async with self._store.session() as session:
            account = await _require(session, email)
            return account, await session.get_one(Credentials, account.id)

    async def some(self, most: int, after: str = "") -> list[Account]:
        """Accounts by address, those that come after one."""
        async with self._store.session() as session:
            query = select(Account).where(Account.email_key > after)
            return list(await session.scalars(query.order_by(Account.email_key).limit(most)))

    async def end_sessions(self, email: str, asker: Actor) -> int | None:
        """Signs an account out everywhere; in how many browsers it was signed in, if that can be
        known."""

        async def fn(write: Write) -> int | None:
            account = await _require(write.session, email)
            return await self._sessions.end_all(write, account.id)

        return await self._store.write(fn, actor=asker, action="accounts.end_sessions")

    async def set_active(self, email: str, *, active: bool, asker: Actor) -> Account:
        """Closes an account, which ends its sessions, or opens it again."""

        async def fn(write: Write) -> Account:
            account = await _require(write.session, email)
            account.active = active
            if not active:
                await self._sessions.end_all(write, account.id)
                await withdraw(write, account.id, "verify", "reset")
            return account

        action = "accounts.activate" if active else "accounts.deactivate"
        return await self._store.write(fn, actor=asker, action=action)


async def _require(session: AsyncSession, email: str) -> Account:
    account = await by_key(session, email_key(email))
    if account is None:
        raise NotFound(
            f"There is no account of {check_address(email)}.",
            hint="'mosaic account list' shows those there are.",
        )
    return account
