"""What somebody asked for about an address, done when the letter about it is written.

Whoever asks has their answer by then. So what they wait for is the same work for any address, and
what depends on whether it has an account is done where nobody can measure it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.account_rows import add_account, by_key, email_key
from mosaic_cms.identity.one_time import LASTS, Purpose, issue, withdraw
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, Credentials, OneTimeToken
from mosaic_cms.mailing.letters import post
from mosaic_core.head import PLATFORM, Write
from mosaic_core.types import new_id

RESET, SIGN_UP, ADDRESS = "reset-asked", "sign-up-asked", "address-asked"


@dataclass(frozen=True, slots=True)
class Told:
    """The letter that comes of it: its kind, and what it is about."""

    kind: str
    about: Mapping[str, str]


async def ask(write: Write, kind: str, purpose: Purpose, to: str, **about: str) -> None:
    """Has something done for an address, and a letter written about it, once a write is committed
    and as long as a link would count."""
    told = {"to": to, "until": (write.at + LASTS[purpose]).isoformat(), "token": str(new_id())}
    await post(write, PLATFORM, kind, told | about)


class Asked:
    """Does it. ``about`` is that of the message; each answers None when there is nothing to say."""

    def __init__(self, store: IdentityStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    def wish(self, name: str, password: str) -> str:
        """A name and a password's hash, which only the platform can read."""
        return self._secrets.seal(json.dumps([name, password]).encode()).decode()

    async def reset(self, about: Mapping[str, Any]) -> Told | None:
        """A link to set a password anew, to an address that has an account which may sign in."""

        async def fn(write: Write) -> Told | None:
            account = await by_key(write.session, email_key(about["to"]))
            if account is None or not account.active:
                return None
            row_id = issue(write, self._secrets, "reset", account.id, account.email)
            return Told("reset", _about(account, account.email, row_id))

        return await self._write(fn, "accounts.request_reset")

    async def sign_up(self, about: Mapping[str, Any]) -> Told | None:
        """Makes an account whose address is to be verified, or tells who has the address already
        that somebody tried. One that was never verified is made anew: it is nobody's yet."""
        address, token = about["to"], uuid.UUID(about["token"])
        name, password = json.loads(self._secrets.unseal(about["wish"].encode()))
        asked_at = datetime.fromisoformat(about["until"]) - LASTS["verify"]

        async def fn(write: Write) -> Told | None:
            account = await by_key(write.session, email_key(address))
            if account is not None and account.verified_at is not None:
                if account.verified_at >= asked_at:  # by this very letter
                    return None
                return Told("address-known", _about(account, account.email))
            if account is None:
                account = add_account(write, address, name)
            elif await _is_done(write.session, account.id, token):
                return Told("verify", _about(account, address, token))
            elif await _is_overtaken(write.session, account.id, token):
                return None
            account.email, account.name = address, name
            credentials = await write.session.get_one(Credentials, account.id)
            credentials.password = password
            return await self._to_verify(write, account, address, token)

        return await self._write(fn, "accounts.sign_up")

    async def change_address(self, about: Mapping[str, Any]) -> Told | None:
        """A link to confirm another address of an account; who has the address already is told
        that somebody tried."""
        address, token = about["to"], uuid.UUID(about["token"])

        async def fn(write: Write) -> Told | None:
            session = write.session
            account = await session.get(Account, uuid.UUID(about["account"]))
            if account is None or not account.active:
                return None
            other = await by_key(session, email_key(address))
            if other is not None and other.id != account.id and other.verified_at is not None:
                return Told("address-known", _about(other, other.email))
            if await _is_done(session, account.id, token):
                return Told("verify", _about(account, address, token))
            if await _is_overtaken(session, account.id, token):
                return None
            return await self._to_verify(write, account, address, token)

        return await self._write(fn, "accounts.change_address")

    async def _to_verify(
        self, write: Write, account: Account, address: str, token: uuid.UUID
    ) -> Told:
        """Only the newest link counts."""
        await withdraw(write, account.id, "verify")
        issue(write, self._secrets, "verify", account.id, address, token)
        return Told("verify", _about(account, address, token))

    async def _write(
        self, fn: Callable[[Write], Awaitable[Told | None]], action: str
    ) -> Told | None:
        return await self._store.write(fn, actor="system", action=action, kept=False)


async def _is_done(session: AsyncSession, account_id: uuid.UUID, token: uuid.UUID) -> bool:
    """Whether the link was made already, for a letter that has to be tried again."""
    row = await session.get(OneTimeToken, token)
    return row is not None and row.account_id == account_id


async def _is_overtaken(session: AsyncSession, account_id: uuid.UUID, token: uuid.UUID) -> bool:
    """Whether a later wish has a link already; an earlier one that comes late changes nothing."""
    query = select(OneTimeToken.id).where(
        OneTimeToken.account_id == account_id, OneTimeToken.purpose == "verify"
    )
    return any(other > token for other in await session.scalars(query))


def _about(account: Account, to: str, token: uuid.UUID | None = None) -> dict[str, str]:
    told = {"to": to, "account": str(account.id)}
    return told if token is None else told | {"token": str(token)}
