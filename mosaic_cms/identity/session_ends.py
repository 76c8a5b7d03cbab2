"""Which sessions were ended, for a store that may lose what it was told, or bring it back.

That a password is another and that the sessions which knew the old one count no more is one write.
So it is noted in the platform database, whatever keeps the sessions: what a cache has after a
failure, or when it is chosen again after a while, brings none back.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.session_store import Session
from mosaic_cms.identity.tables import EndedSession, SessionsEnd
from mosaic_core.head import Write


async def note_end(
    write: Write, account_id: uuid.UUID, session_id: uuid.UUID, longest: timedelta
) -> None:
    """Notes that one of an account's sessions has ended.

    Args:
        longest: that a session lasts without being used; then it is forgotten.
    """
    await _forget_old(write)
    key = (account_id, session_id)
    if await write.session.get(EndedSession, key) is None:
        until = write.at + longest
        write.session.add(EndedSession(account_id=account_id, id=session_id, until=until))


async def note_end_of_all(
    write: Write, account_id: uuid.UUID, but: uuid.UUID | None, longest: timedelta
) -> None:
    """Notes that all sessions of an account which have begun by now have ended, but one."""
    await _forget_old(write)
    row = await write.session.get(SessionsEnd, account_id)
    if row is None:
        row = SessionsEnd(account_id=account_id)
        write.session.add(row)
    row.version, row.but, row.until = write.version, but, write.at + longest


async def not_ended(
    session: AsyncSession, account_id: uuid.UUID, found: Iterable[Session]
) -> list[Session]:
    """Those of an account's sessions of which no end is noted."""
    everywhere = await session.get(SessionsEnd, account_id)
    query = select(EndedSession.id).where(EndedSession.account_id == account_id)
    ended = set(await session.scalars(query))
    return [
        one
        for one in found
        if one.id not in ended
        and (everywhere is None or one.began > everywhere.version or one.id == everywhere.but)
    ]


async def _forget_old(write: Write) -> None:
    for table in (EndedSession, SessionsEnd):
        await write.session.execute(delete(table).where(table.until <= write.at))
