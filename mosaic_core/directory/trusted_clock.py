"""Now, as far as it is believed where something is destroyed for good.

A machine may start with a clock that is years ahead; one look at it would remove what is to be had
back for weeks. So the database's clock is believed to no more than a week past what the platform's
log had when the process began, and as long as the process has run since by a clock that nobody
sets. The oldest of the last writes counts: those of a process whose clock is wrong may be the
newest. A machine that was off for longer than that does later what is due.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from mosaic_core.database.clock import database_now
from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.head import PLATFORM

#: How far past the log the clock is believed. A server writes something every hour.
FAR = timedelta(days=7)
#: As many of the last writes are looked at: fewer days than those, on a server that is idle.
_LAST = 100
_log = logging.getLogger("mosaic.clock")


class TrustedClock:
    """The database's clock, which is not believed whatever it says."""

    def __init__(self, database: PlatformDatabase) -> None:
        self._database = database
        #: What the log had, and when that was read (monotonic seconds).
        self._began: tuple[datetime | None, float] | None = None
        self._told = False

    async def begin(self) -> None:
        """Reads the log, before this process writes to it."""
        log = PLATFORM.changes
        last = select(log.c.at).order_by(log.c.version.desc()).limit(_LAST).subquery()
        async with self._database.session() as session:
            self._began = await session.scalar(select(func.min(last.c.at))), time.monotonic()

    async def passed(self) -> datetime | None:
        """An instant that has passed by what the log had, however far behind a clock may be; None
        on an empty log. What is kept for a while from now on is kept from then on at least."""
        known, since = await self._beginning()
        return None if known is None else known + timedelta(seconds=time.monotonic() - since)

    async def now(self) -> datetime:
        """The instant that it is, or that it is at least."""
        known, since = await self._beginning()
        async with self._database.session() as session:
            milliseconds = await session.scalar(select(database_now()))
        now = datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
        if known is None:
            return now
        believed = known + FAR + timedelta(seconds=time.monotonic() - since)
        if now > believed and not self._told:
            self._told = True
            _log.warning(
                "The clock says %s, and the platform's log ended about %s: what is to be removed "
                "for good waits. If the clock is right, restart in some days.",
                f"{now:%Y-%m-%d %H:%M}",
                f"{known:%Y-%m-%d %H:%M}",
            )
        return min(now, believed)

    async def _beginning(self) -> tuple[datetime | None, float]:
        if self._began is None:
            await self.begin()
        assert self._began is not None
        return self._began
