"""Links in mails that count once: whoever opens one reads the mailbox.

A token is derived from its row's id and the platform's secret, and made again when its letter is
sent: neither the database nor the outbox has it, so who reads them cannot use it.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.tables import OneTimeToken
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.types import new_id

Purpose = Literal["verify", "reset"]
#: How long a link counts.
LASTS: dict[Purpose, timedelta] = {"verify": timedelta(days=1), "reset": timedelta(hours=1)}


def issue(
    write: Write,
    secrets: Secrets,
    purpose: Purpose,
    account_id: uuid.UUID,
    email: str,
    row_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Makes a token in a write; the id of its row, which is what a letter is about."""
    row_id = row_id or new_id()
    write.session.add(
        OneTimeToken(
            id=row_id,
            digest=digest_of(_token(secrets, purpose, row_id)),
            purpose=purpose,
            account_id=account_id,
            email=email,
            created_at=write.at,
            expires_at=write.at + LASTS[purpose],
        )
    )
    return row_id


async def token_of(
    session: AsyncSession, secrets: Secrets, row_id: uuid.UUID
) -> tuple[str, OneTimeToken] | None:
    """A token to be put into a letter; None when it would not count any more."""
    row = await session.get(OneTimeToken, row_id)
    if row is None or row.expires_at <= datetime.now(UTC):
        return None
    purpose: Purpose = "verify" if row.purpose == "verify" else "reset"
    return _token(secrets, purpose, row_id), row


async def find_token(
    session: AsyncSession, purpose: Purpose, token: str, now: datetime
) -> OneTimeToken:
    """The row of a token that counts.

    Raises:
        InvalidInput: it does not, or not any more; the reason is nobody's business.
    """
    query = select(OneTimeToken).where(OneTimeToken.digest == digest_of(token))
    row = await session.scalar(query)
    if row is None or row.purpose != purpose or row.expires_at <= now:
        raise InvalidInput(
            "This link does not count, or not any more.",
            hint="A link counts once and for a short time; ask for another one.",
            problems=(("token", "It does not count, or not any more"),),
        )
    return row


async def redeem(write: Write, purpose: Purpose, token: str) -> OneTimeToken:
    """Uses a token, which is gone then; of any number of tries at one time, one does.

    Raises:
        InvalidInput: it does not count, or not any more.
    """
    row = await find_token(write.session, purpose, token, write.at)
    await write.session.delete(row)
    return row


async def withdraw(write: Write, account_id: uuid.UUID, *purposes: Purpose) -> None:
    """Has an account's tokens count no more, and removes everybody's old ones."""
    await write.session.execute(
        delete(OneTimeToken).where(
            OneTimeToken.account_id == account_id, OneTimeToken.purpose.in_(purposes)
        )
    )
    await write.session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at <= write.at))


def _token(secrets: Secrets, purpose: Purpose, row_id: uuid.UUID) -> str:
    return secrets.token(f"one-time {purpose}", str(row_id))
