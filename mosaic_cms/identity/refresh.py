"""Refresh tokens: each gets new bearer tokens once, and its successor with them.

All that come from one sign-in are a family. When one of them comes a second time, somebody else
may have it, and nobody can tell who of the two is whom: the family ends (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import enum
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.secrets import digest_of
from mosaic_cms.identity.tables import Account, Membership, RefreshToken
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Families of one account; one more ends the oldest.
MOST = 50
#: For how long a used token is remembered; afterwards it is just unknown.
_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Family:
    """What a refresh token is for, and the one that is to be used next."""

    family: uuid.UUID
    account_id: uuid.UUID
    tenant_id: str
    actions: tuple[str, ...]
    token: str


class Refusal(enum.Enum):
    """Why a refresh token gets nothing: there is no such token, or its family has just ended."""

    UNKNOWN = "unknown"
    ENDED = "ended"


async def begin(
    write: Write,
    account_id: uuid.UUID,
    tenant_id: str,
    actions: tuple[str, ...],
    lifetime: timedelta,
) -> tuple[Family, bool]:
    """The first of a family, and whether an older family had to end for it."""
    session = write.session
    rows = await session.scalars(
        select(RefreshToken)
        .where(RefreshToken.account_id == account_id)
        .order_by(RefreshToken.created_at, RefreshToken.id)
    )
    found = rows.all()
    alive = {row.family: None for row in found if row.used_at is None and row.expires_at > write.at}
    oldest = list(alive)[: max(0, len(alive) - MOST + 1)]
    for row in found:
        if row.family not in alive or row.family in oldest:
            await session.delete(row)
    return _add(write, new_id(), account_id, tenant_id, actions, lifetime), bool(oldest)


async def renew(write: Write, token: str, lifetime: timedelta) -> Family | Refusal:
    """Uses a token up. Whoever asks must keep the successor; the old one is worth nothing now.

    Returns what came of it and raises nothing, so that the end of a family is committed.
    """
    session = write.session
    row = await session.scalar(select(RefreshToken).where(RefreshToken.digest == digest_of(token)))
    if row is None:
        return Refusal.UNKNOWN
    account = await session.get_one(Account, row.account_id)
    member = await session.get(Membership, (row.tenant_id, row.account_id))
    if row.used_at is not None or not account.active or member is None:
        await end(write, row.family)
        return Refusal.ENDED
    if row.expires_at <= write.at:
        return Refusal.UNKNOWN
    row.used_at = write.at
    long_used = await _of(
        session, RefreshToken.family == row.family, RefreshToken.used_at < write.at - _REMEMBERED
    )
    await _delete(write, long_used)
    actions = tuple(row.scopes)
    return _add(write, row.family, row.account_id, row.tenant_id, actions, lifetime)


async def end(write: Write, family: uuid.UUID) -> None:
    """Ends a family: its tokens are gone, and no bearer token of it counts any more."""
    await _delete(write, await _of(write.session, RefreshToken.family == family))


async def end_all(write: Write, account_id: uuid.UUID, tenant_id: str | None = None) -> int:
    """Ends an account's families, inside a write that changes what is kept in memory.

    Args:
        tenant_id: of this tenant alone.

    Returns:
        How many there were.
    """
    wanted = [RefreshToken.account_id == account_id]
    if tenant_id is not None:
        wanted.append(RefreshToken.tenant_id == tenant_id)
    rows = await _of(write.session, *wanted)
    await _delete(write, rows)
    return len({row.family for row in rows})


async def end_of(write: Write, account_id: uuid.UUID, token: str) -> int:
    """Ends the family of an account's token; 0 when it is none of theirs."""
    wanted = RefreshToken.digest == digest_of(token), RefreshToken.account_id == account_id
    rows = await _of(write.session, *wanted)
    for row in rows:
        await end(write, row.family)
    return len(rows)


async def is_alive(session: AsyncSession, family: uuid.UUID) -> bool:
    """Whether a family was not ended and its account may sign in."""
    found = await session.scalar(
        select(RefreshToken.id)
        .join(Account, Account.id == RefreshToken.account_id)
        .where(RefreshToken.family == family, Account.active)
        .limit(1)
    )
    return found is not None


def _add(
    write: Write,
    family: uuid.UUID,
    account_id: uuid.UUID,
    tenant_id: str,
    actions: tuple[str, ...],
    lifetime: timedelta,
) -> Family:
    token = secrets.token_urlsafe(32)
    write.session.add(
        RefreshToken(
            id=new_id(),
            digest=digest_of(token),
            family=family,
            account_id=account_id,
            tenant_id=tenant_id,
            scopes=list(actions),
            created_at=write.at,
            expires_at=write.at + lifetime,
            used_at=None,
        )
    )
    return Family(family, account_id, tenant_id, actions, token)


async def _of(session: AsyncSession, *wanted: ColumnElement[bool]) -> Sequence[RefreshToken]:
    return (await session.scalars(select(RefreshToken).where(*wanted))).all()


async def _delete(write: Write, rows: Sequence[RefreshToken]) -> None:
    for row in rows:
        await write.session.delete(row)
