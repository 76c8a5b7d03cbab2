"""When sessions were used last, which is what makes them last.

That a session began and that it ended is in the platform database, in the same write as what it
belongs to, so nothing that loses memory brings one back or ends one. That it is in use changes all
the time: it is noted in memory and written now and then, or kept in the cache that instances share.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import update

from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import SessionRow
from mosaic_core.cache import Cache
from mosaic_core.head import Write

#: Seconds between two writes: what a killed process takes with it.
EVERY = 60.0
#: With a cache, the database is told this rarely: what a session lasts less when the cache is lost.
RARELY = timedelta(hours=1)
#: Sessions of which it is known when the database was told; a flood starts over.
_MOST = 50_000


class SessionUses(Protocol):
    """Where the uses of sessions are kept."""

    async def note(self, session_id: uuid.UUID, at: datetime, expires_at: datetime) -> None:
        """A session is used, and lasts until then."""
        ...

    async def last(self, session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, datetime]:
        """The uses of sessions that their rows may not have yet."""
        ...

    async def flush(self) -> None:
        """Writes what was noted; what cannot be written stays noted."""
        ...


class DatabaseUses:
    """Implements :class:`SessionUses` in the platform database, with one write for many."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._noted: dict[uuid.UUID, tuple[datetime, datetime]] = {}

    async def note(self, session_id: uuid.UUID, at: datetime, expires_at: datetime) -> None:
        self._noted[session_id] = (at, expires_at)

    async def last(self, session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, datetime]:
        return {one: self._noted[one][0] for one in session_ids if one in self._noted}

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


class CachedUses:
    """Implements :class:`SessionUses` in the cache that instances share."""

    def __init__(self, cache: Cache, database: SessionUses) -> None:
        self._cache = cache
        self._database = database
        #: When the database was told.
        self._told: dict[uuid.UUID, datetime] = {}

    async def note(self, session_id: uuid.UUID, at: datetime, expires_at: datetime) -> None:
        lasts = (expires_at - at).total_seconds()
        await self._cache.set(_key(session_id), at.isoformat().encode(), seconds=lasts)
        told = self._told.get(session_id)
        if told is None or at - told >= RARELY:
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[session_id] = at
            await self._database.note(session_id, at, expires_at)

    async def last(self, session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, datetime]:
        wanted = list(session_ids)
        found = await self._database.last(wanted)
        for one in wanted:
            text = await self._cache.get(_key(one))
            if text is not None:
                at = datetime.fromisoformat(text.decode())
                found[one] = max(at, found.get(one, at))
        return found

    async def flush(self) -> None:
        await self._database.flush()


def _key(session_id: uuid.UUID) -> str:
    return f"session:{session_id.hex}"
