"""The rows of an account: how they are made and found."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.mailing.letters import post
from mosaic_core.errors import NotFound
from mosaic_core.head import PLATFORM, Write
from mosaic_core.mail import check_address
from mosaic_core.types import new_id


def email_key(email: str) -> str:
    """How an account is found: two addresses that differ in the case of ASCII letters are one
    person's. Others have no case that means the same everywhere.

    Raises:
        InvalidMail: it is no mail address.
    """
    return check_address(email).encode().lower().decode()


def add_account(write: Write, email: str, name: str) -> Account:
    """A new account, whose address is not verified and which nobody can sign in to yet."""
    account = Account(
        id=new_id(),
        email=check_address(email),
        email_key=email_key(email),
        name=name,
        verified_at=None,
        active=True,
        created_at=write.at,
    )
    write.session.add(account)
    write.session.add(
        Credentials(account_id=account.id, password=None, totp=None, totp_since=None, totp_used=0)
    )
    return account


async def by_key(session: AsyncSession, key: str) -> Account | None:
    """The account of an address in the form of :func:`email_key`."""
    found: Account | None = await session.scalar(select(Account).where(Account.email_key == key))
    return found


async def own(session: AsyncSession, account_id: uuid.UUID) -> tuple[Account, Credentials]:
    """An account that is active, and what it signs in with.

    Raises:
        NotFound: there is none.
    """
    account = await session.get(Account, account_id)
    if account is None or not account.active:
        raise NotFound("There is no such account.", hint="Sign in again.")
    return account, await session.get_one(Credentials, account_id)


async def tell(write: Write, kind: str, account: Account, **about: str) -> None:
    """Has a letter sent about an account: to its address, unless ``to`` is another."""
    await post(write, PLATFORM, kind, {"to": account.email, "account": str(account.id), **about})
