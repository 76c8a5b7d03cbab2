"""Sessions in the platform database.

That one began and that it ended is in the same write as what it belongs to. That it is in use
changes all the time: it is noted in memory, and written now and then for all sessions at once.
"""

from __future__ import annotations

import uuid
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update

from mosaic_cms.identity.session_ends import note_end_of_all
from mosaic_cms.identity.session_store import Session
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import SessionRow
from mosaic_core.head import Write

#: For how long an expired row is kept: it may not have its last use yet.
_LATE = timedelta(hours=1)
_COLUMNS = tuple(field.name for field in fields(Session) if field.name != "began")


class SessionRows:
    """Implements :class:`mosaic_cms.identity.session_store.SessionStore`.

    Args:
        longest: that a session lasts without being used.
    """

    def __init__(self, store: IdentityStore, longest: timedelta) -> None:
        self._store = store
        self._longest = longest
        #: The last use of sessions whose rows do not have it, and until when they last by it.
        self._noted: dict[uuid.UUID, tuple[datetime, datetime]] = {}

    async def begin(self, write: Write, session: Session) -> None:
        over = SessionRow.expires_at <= write.at - _LATE
        await write.session.execute(delete(SessionRow).where(over))
        write.session.add(SessionRow(**{name: getattr(session, name) for name in _COLUMNS}))

    async def find(self, session_id: uuid.UUID) -> Session | None:
        async with self._store.session() as session:
            row = await session.get(SessionRow, session_id)
        return None if row is None else self._read(row)

    async def of(self, account_id: uuid.UUID) -> list[Session]:
        async with self._store.session() as session:
            query = select(SessionRow).where(SessionRow.account_id == account_id)
            return [self._read(row) for row in await session.scalars(query)]

    async def use(self, session: Session) -> bool:
        self._noted[session.id] = (session.seen_at, session.expires_at)
        return True

    async def choose(
        self, write: Write, account_id: uuid.UUID, session_id: uuid.UUID, tenant_id: str | None
    ) -> None:
        await write.session.execute(
            update(SessionRow)
            .where(SessionRow.id == session_id, SessionRow.account_id == account_id)
            .values(tenant_id=tenant_id)
        )

    async def end(self, write: Write, session_id: uuid.UUID, of: uuid.UUID | None = None) -> bool:
        query = delete(SessionRow).where(SessionRow.id == session_id)
        if of is not None:
            query = query.where(SessionRow.account_id == of)
        return _changed(await write.session.execute(query)) > 0

    async def end_all(self, write: Write, account_id: uuid.UUID, but: uuid.UUID | None) -> int:
        # Noted as well for a store that was chosen before, or will be.
        await note_end_of_all(write, account_id, but, self._longest)
        return await remove_rows(write, account_id, but)

    async def flush(self) -> None:
        if not self._noted:
            return
        uses, self._noted = self._noted, {}

        async def fn(write: Write) -> None:
            for session_id, (at, expires_at) in uses.items():
                await write.session.execute(
                    update(SessionRow)
                    .where(SessionRow.id == session_id, SessionRow.seen_at < at)
                    .values(seen_at=at, expires_at=expires_at)
                )

        try:
            await self._store.write(fn, actor="system", action="sessions.used", kept=False)
        except BaseException:
            self._noted = uses | self._noted
            raise

    def _read(self, row: SessionRow) -> Session:
        """A row's session, with a use that the row does not have yet."""
        found = Session(began=0, **{name: getattr(row, name) for name in _COLUMNS})
        seen_at, expires_at = self._noted.get(row.id, (row.seen_at, row.expires_at))
        if seen_at > row.seen_at:
            found = replace(found, seen_at=seen_at, expires_at=expires_at)
        return found


async def remove_rows(write: Write, account_id: uuid.UUID, but: uuid.UUID | None) -> int:
    """Ends the sessions of an account that the database keeps, all or all but one; how many there
    were."""
    query = delete(SessionRow).where(SessionRow.account_id == account_id)
    if but is not None:
        query = query.where(SessionRow.id != but)
    return _changed(await write.session.execute(query))


def _changed(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
