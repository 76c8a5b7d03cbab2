"""Hints: which tenants' outboxes are to be looked into, and when.

A hint is written before the commit that it is about, so it is sometimes spurious and never missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.tables import HintRow
from mosaic_core.head import Write, Writer


class Hints:
    """For each tenant and topic, when a message in the tenant's outbox is due."""

    def __init__(self, database: PlatformDatabase, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def give(self, tenant_id: str, topics: Collection[str]) -> None:
        """Notes, durably, that a tenant's outbox is about to have messages about some topics."""
        await self.note(tenant_id, dict.fromkeys(topics, datetime.now(UTC)))

    async def note(self, tenant_id: str, due: Mapping[str, datetime | None]) -> None:
        """Puts in the place of the hints about some topics when they are due; None for nothing.

        Done inside a write to the tenant, which is the only one at that time.
        """

        async def fn(write: Write) -> None:
            about = (HintRow.tenant_id == tenant_id, HintRow.topic.in_(due))
            await write.session.execute(delete(HintRow).where(*about))
            for topic, instant in due.items():
                if instant is not None:
                    values = {"tenant_id": tenant_id, "topic": topic, "due": instant}
                    await write.session.execute(insert(HintRow).values(**values))

        await self._writer.write(fn, actor="system", action="hints.note")

    async def of(self, tenant_id: str) -> dict[str, datetime]:
        """When messages of a tenant are due, by their topics."""
        query = select(HintRow.topic, HintRow.due).where(HintRow.tenant_id == tenant_id)
        async with self._database.session() as session:
            return {row.topic: row.due for row in await session.execute(query)}

    async def due(
        self, topics: Collection[str] | None = None, *, by: datetime | None = None
    ) -> list[str]:
        """The ids of the tenants whose outbox may have messages about some topics, or any, that
        were due by an instant (now); those first that have waited longest."""
        due = HintRow.due <= (by or datetime.now(UTC))
        query = select(HintRow.tenant_id).where(due).order_by(HintRow.due)
        if topics is not None:
            query = query.where(HintRow.topic.in_(topics))
        async with self._database.session() as session:
            return list(dict.fromkeys(await session.scalars(query)))
