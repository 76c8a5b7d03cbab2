"""Which account somebody is for whom an issuer vouches.

Issuer and subject together are one person, for ever; who they are linked to is known. An address
links nobody who is not known yet but when two have shown that it is theirs: the person to the
issuer, which says so, and the owner of the account to us. Everything else would give an account to
who calls themselves like its owner.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.account_rows import add_account, by_key, email_key, made_anew, own, tell
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account, ExternalIdentity, Invitation, Passkey
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, NotFound
from mosaic_core.head import Write
from mosaic_core.identity import Vouched
from mosaic_core.mail import one_line

#: Issuers that know one account.
_MOST = 20
_FIRST = (
    "Sign in in the way that you did before, or sign up with a password, and link the two from "
    "your account."
)


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody as an issuer knows them.

    Attributes:
        email: their address, in the form of ``check_address``, if it counts here as one that is
            theirs: the issuer says that it is verified, and may say so. Else empty.
    """

    who: Vouched
    email: str


async def account_of(write: Write, known: Known, *, sign_up: bool) -> Account:
    """The account of who an issuer vouches for, which is linked or made when it has to be.

    Args:
        sign_up: whether anybody gets an account; if not, only who is invited.

    Raises:
        Denied: nobody can say which account it is, or they may have none.
    """
    session, who = write.session, known.who
    row = await session.get(ExternalIdentity, (who.issuer, who.subject))
    if row is not None:
        return await session.get_one(Account, row.account_id)
    if not known.email:
        raise Denied("Nobody vouches for it that your address is yours.", hint=_FIRST)
    key = email_key(known.email)
    account = await by_key(session, key)
    if account is None:
        if not sign_up and not await _is_invited(write, key):
            raise Denied(
                "Nobody can sign up here; accounts are made for who is invited.",
                hint="Ask those who run this installation.",
            )
        name = one_line(who.name, 100) or known.email.partition("@")[0]
        account = add_account(write, known.email, name)
        account.verified_at = write.at
        await session.flush()  # it comes before what is linked to it
        _add(write, account, known)
    elif account.verified_at is None:
        account.name = one_line(who.name, 100) or account.name
        await made_anew(write, account)
        _add(write, account, known)
    else:
        await link(write, account, known)
    return account


async def link(write: Write, account: Account, known: Known) -> None:
    """Has an issuer's word sign in to an account; its owner is told by mail.

    Raises:
        Conflict: it signs in to another one, or there are too many.
    """
    session, who = write.session, known.who
    row = await session.get(ExternalIdentity, (who.issuer, who.subject))
    if row is not None:
        if row.account_id != account.id:
            raise Conflict(
                "This is linked to another account.",
                hint="Sign in to that one with it, and unlink it there.",
            )
        return
    if await _count(session, account.id) >= _MOST:
        raise Conflict(f"An account is linked to {_MOST} others at most.", hint="Unlink one first.")
    _add(write, account, known)
    await tell(write, "sign-in-changed", account, what="issuer-on")


async def is_linked(store: IdentityStore, who: Vouched) -> bool:
    """Whether somebody is known by an issuer's word."""
    async with store.session() as session:
        return await session.get(ExternalIdentity, (who.issuer, who.subject)) is not None


def id_of(row: ExternalIdentity) -> str:
    """What a link is called in addresses."""
    return hashlib.sha256(f"{row.issuer}\0{row.subject}".encode()).hexdigest()[:32]


class Links:
    """What an account is linked to."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    async def of(self, account_id: uuid.UUID) -> list[ExternalIdentity]:
        """An account's links, the oldest first."""
        async with self._store.session() as session:
            return await _of(session, account_id)

    async def remove(self, account_id: uuid.UUID, link_id: str, asker: Actor) -> None:
        """Has a link sign in no more.

        Raises:
            NotFound: the account has no such link.
            Conflict: it has nothing else to sign in with.
        """

        async def fn(write: Write) -> None:
            session = write.session
            account, credentials = await own(session, account_id)
            rows = await _of(session, account_id)
            row = next((row for row in rows if id_of(row) == link_id), None)
            if row is None:
                raise NotFound("There is no such link.", hint="List them again.")
            passkey = select(Passkey.credential_id).where(Passkey.account_id == account_id)
            others = (
                credentials.password is not None
                or len(rows) > 1
                or await session.scalar(passkey.limit(1)) is not None
            )
            if not others:
                raise Conflict(
                    "This is all that signs in to your account.",
                    hint="Set a password first, with a link by mail, or add a passkey.",
                )
            await session.delete(row)
            await tell(write, "sign-in-changed", account, what="issuer-off")

        await self._store.write(fn, actor=asker, action="identities.remove", kept=False)


def _add(write: Write, account: Account, known: Known) -> None:
    write.session.add(
        ExternalIdentity(
            issuer=known.who.issuer,
            subject=known.who.subject,
            account_id=account.id,
            email=known.email,
            created_at=write.at,
        )
    )


async def _of(session: AsyncSession, account_id: uuid.UUID) -> list[ExternalIdentity]:
    query = select(ExternalIdentity).where(ExternalIdentity.account_id == account_id)
    return list(
        await session.scalars(
            query.order_by(
                ExternalIdentity.created_at, ExternalIdentity.issuer, ExternalIdentity.subject
            )
        )
    )


async def _count(session: AsyncSession, account_id: uuid.UUID) -> int:
    query = select(func.count()).select_from(ExternalIdentity)
    return await session.scalar(query.where(ExternalIdentity.account_id == account_id)) or 0


async def _is_invited(write: Write, key: str) -> bool:
    query = select(Invitation.id).where(Invitation.email_key == key)
    found = await write.session.scalar(query.where(Invitation.expires_at > write.at).limit(1))
    return found is not None
