"""What takes long to render is rendered before the write that needs it: nobody waits meanwhile.

Only a write knows what a page shows. So when it comes to one that takes long, it leaves it out and
is undone; then that page is rendered, and the write runs again. What was made counts when all that
goes into the page is the same as before.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

#: Characters from which on a page takes long: at worst, one takes 20 µs.
LONG = 10_000
#: Threads that render at one time: they share one interpreter, and other work needs threads too.
_MOST_ASIDE = 2
#: How often a write is undone for what it lacks; then it is rendered while the others wait.
_TRIES = 3
_KEY = "mosaic_ahead"

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """The rendering of one page.

    Attributes:
        size: characters of its content.
        shows: all that goes into it; two works that show the same make the same.
        run: makes the values. It uses nothing but what was loaded before.
    """

    page_id: uuid.UUID
    size: int
    shows: Any
    run: Callable[[], Values]


class Unrendered(Exception):
    """A write was undone, since what it lacks takes long."""


class Aside:
    """Threads in which long pages are rendered, so that the event loop serves others meanwhile."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(_MOST_ASIDE)

    async def run(self, work: Work) -> Values:
        """The values of a work; of a short one at once."""
        if work.size <= LONG:
            return work.run()
        async with self._threads:
            return await asyncio.to_thread(work.run)


class Ahead:
    """What was rendered for one write, and what it still lacks."""

    def __init__(self) -> None:
        self._made: dict[uuid.UUID, tuple[Any, Values | Exception]] = {}
        self._lacking: list[tuple[Work, Aside]] = []
        self._writing = False
        self._tries = 0

    def attend(self, session: AsyncSession, *, writing: bool) -> None:
        """From now on, what is rendered in a session is asked for here; while the session only
        reads, it is made at once, for a write that follows."""
        session.info[_KEY] = self
        self._lacking.clear()
        self._writing = writing

    def require_whole(self) -> None:
        """Ends a write that lacks something.

        Raises:
            Unrendered: it is to be undone, and run again after :meth:`catch_up`.
        """
        if self._lacking:
            raise Unrendered

    async def catch_up(self) -> None:
        """Renders what the write lacked."""
        self._tries += 1
        for work, aside in self._lacking:
            await self._make(work, aside)

    async def take(self, work: Work, aside: Aside) -> Values:
        """The values of a page: those that were made of the same, or new ones; or else, where that
        takes long, nothing that counts."""
        shows, outcome = self._made.get(work.page_id, (None, None))
        if outcome is None or shows != work.shows:
            if self._writing and work.size > LONG and self._tries < _TRIES:
                self._lacking.append((work, aside))
                return {"html": "", "body_start": 0, "body_length": 0, "text": ""}
            outcome = await self._make(work, aside)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _make(self, work: Work, aside: Aside) -> Values | Exception:
        outcome: Values | Exception
        try:
            outcome = await aside.run(work)
        except Exception as error:  # noqa: BLE001 - whoever asks for the page gets it
            outcome = error
        self._made[work.page_id] = (work.shows, outcome)
        return outcome


async def rendered(session: AsyncSession, work: Work, aside: Aside) -> Values:
    """The values of a page that is rendered in a session."""
    ahead: Ahead | None = session.info.get(_KEY)
    return await aside.run(work) if ahead is None else await ahead.take(work, aside)
