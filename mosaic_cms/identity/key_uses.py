"""When API keys were used last: noted in memory, written now and then."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import KeyUse
from mosaic_core.head import Write

#: Seconds between two writes: what a killed process takes with it.
EVERY = 60.0
#: Characters of an address that are kept.
_ADDRESS = 64

#: When, and from which network address.
Use = tuple[datetime, str]


class KeyUses:
    """The last use of each key that this process saw."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._noted: dict[uuid.UUID, Use] = {}

    def note(self, key_id: uuid.UUID, address: str) -> None:
        """A key is used now."""
        self._noted[key_id] = (datetime.now(UTC), address[:_ADDRESS])

    async def last(self, key_ids: list[uuid.UUID]) -> dict[uuid.UUID, Use]:
        """The last use of some keys, exact to a minute for what other processes saw."""
        async with self._store.session() as session:
            rows = await session.execute(
                select(KeyUse.key_id, KeyUse.at, KeyUse.address).where(KeyUse.key_id.in_(key_ids))
            )
            found = {key_id: (at, address) for key_id, at, address in rows}
        for key_id in key_ids:
            own = self._noted.get(key_id)
            if own is not None and (key_id not in found or own > found[key_id]):
                found[key_id] = own
        return found

    async def flush(self) -> None:
        """Writes what was noted; what cannot be written stays noted."""
        if not self._noted:
            return
        uses, self._noted = self._noted, {}

        async def fn(write: Write) -> None:
            for key_id, (at, address) in uses.items():
                row = await write.session.scalar(select(KeyUse.at).where(KeyUse.key_id == key_id))
                values = {"at": at, "address": address}
                if row is None:
                    await write.session.execute(insert(KeyUse).values(key_id=key_id, **values))
                elif row < at:
                    await write.session.execute(
                        update(KeyUse).where(KeyUse.key_id == key_id).values(**values)
                    )

        try:
            await self._store.write(fn, actor="system", action="keys.used", kept=False)
        except BaseException:
            self._noted = uses | self._noted
            raise
