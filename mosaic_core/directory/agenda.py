"""When something is due at which tenant, so that nobody looks into every tenant to find out."""

from __future__ import annotations

import asyncio
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.tables import DueRow
from mosaic_core.head import Write, Writer


class Agenda:
    """The next instant of each tenant, kept durably.

    Both changes are made inside a write to the tenant, which is the only one at that time. So what
    is here is never later than what the tenant's own rows say.
    """

    def __init__(self, database: PlatformDatabase, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        #: Set whenever this process noted something.
        self.changed = asyncio.Event()

    async def expect(self, tenant_id: str, due: datetime) -> None:
        """Notes, before the write is committed, that something is due then; what is due earlier
        stays."""

        async def fn(write: Write) -> None:
            there = await write.session.scalar(
                select(DueRow.due).where(DueRow.tenant_id == tenant_id)
            )
            if there is None:
                await write.session.execute(insert(DueRow).values(tenant_id=tenant_id, due=due))
            elif due < there:
                await write.session.execute(
                    update(DueRow).where(DueRow.tenant_id == tenant_id).values(due=due)
                )

        await self._writer.write(fn, actor="system", action="agenda.expect")
        self.changed.set()

    async def settle(self, tenant_id: str, due: datetime | None) -> None:
        """Puts what the tenant's rows say in the place of what was noted; None for nothing."""

        async def fn(write: Write) -> None:
            await write.session.execute(delete(DueRow).where(DueRow.tenant_id == tenant_id))
            if due is not None:
                await write.session.execute(insert(DueRow).values(tenant_id=tenant_id, due=due))

        await self._writer.write(fn, actor="system", action="agenda.settle")

    async def noted(self, tenant_id: str) -> datetime | None:
        """When something is due at a tenant, as far as was noted."""
        async with self._database.session() as session:
            due: datetime | None = await session.scalar(
                select(DueRow.due).where(DueRow.tenant_id == tenant_id)
            )
            return due

    async def due(self, now: datetime) -> list[str]:
        """The tenants at which something is due, the earliest first."""
        async with self._database.session() as session:
            rows = await session.scalars(
                select(DueRow.tenant_id).where(DueRow.due <= now).order_by(DueRow.due)
            )
            return list(rows)

    async def next(self, after: datetime | None = None) -> datetime | None:
        """The earliest instant at which something is due, of those after ``after``."""
        earliest = select(func.min(DueRow.due))
        if after is not None:
            earliest = earliest.where(DueRow.due > after)
        async with self._database.session() as session:
            upcoming: datetime | None = await session.scalar(earliest)
            return upcoming
