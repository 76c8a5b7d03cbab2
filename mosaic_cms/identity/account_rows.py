"""The rows of an account: how they are made and found."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.one_time import withdraw
from mosaic_cms.identity.tables import Account, Credentials, Membership, OneTimeToken
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


async def gives_way(session: AsyncSession, account: Account) -> bool:
    """Removes an account that has never shown that its address is theirs, for who has: whether it
    could be. One that operators closed, or made a member somewhere, stays."""
    if account.verified_at is not None or not account.active:
        return False
    member = select(Membership.tenant_id).where(Membership.account_id == account.id).limit(1)
    if await session.scalar(member) is not None:
        return False
    for table in (OneTimeToken, Credentials):
        await session.execute(delete(table).where(table.account_id == account.id))
    await session.delete(account)
    await session.flush()  # before another account has the address
    return True


async def made_anew(write: Write, account: Account) -> None:
    """Gives an account whose address was never verified to who has shown that it is theirs; what
    somebody else may have chosen signs in to it no more."""
    await withdraw(write, account.id, "verify", "reset")
    credentials = await write.session.get_one(Credentials, account.id)
    credentials.password = None
    account.verified_at = write.at


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
