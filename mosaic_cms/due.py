"""When something is due at a tenant, whatever it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content import schedules
from mosaic_cms.media.sweep import next_sweep


async def next_due(session: AsyncSession) -> datetime | None:
    """The earliest instant at which something is due; None where nothing is."""
    times = [await schedules.next_due(session), await next_sweep(session)]
    return min((at for at in times if at is not None), default=None)
