"""What this process knows of tenants' heads, and for how long that counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mosaic_core.errors import ConfigurationError, DatabaseMissing
from mosaic_core.persistence import HeadState, HeadStatus, Persistence
from mosaic_core.tenants import TenantContext

_UNKNOWN = HeadState(-1, -1, HeadStatus.OPEN, 0)


class Watched:
    """One tenant's head as last seen. ``published`` may be trusted while ``now < until``."""

    __slots__ = ("_as_of", "looking", "published", "state", "until")

    def __init__(self) -> None:
        self.state = _UNKNOWN
        self.published = -1
        self.until = 0.0
        self.looking: asyncio.Task[None] | None = None
        self._as_of = 0.0

    def saw(self, state: HeadState, as_of: float) -> None:
        """Takes what was true at ``as_of`` (monotonic seconds), unless something newer is known.

        The time decides, not the version: a tenant that was restored from a backup goes back. A
        home that it has left has nothing to say: epochs only grow.
        """
        if state.epoch < self.state.epoch:
            return
        if as_of >= self._as_of:
            self.state, self.published, self._as_of = state, state.published, as_of

    def expire(self) -> None:
        """The next look starts anew; one that is under way counts no more."""
        self.until, self.looking = 0.0, None


class Heads:
    """Heads by tenant. A look older than ``freshness`` seconds is taken again, by one task.

    Args:
        freshness: seconds for which a look counts.
        strategy: finds a tenant's persistence.
        again: where a tenant lives by now that is not where it was looked for; None when it is.
    """

    def __init__(
        self,
        freshness: float,
        strategy: Callable[[TenantContext], Persistence],
        again: Callable[[TenantContext], Awaitable[TenantContext | None]] | None = None,
    ) -> None:
        self.freshness = freshness
        self._strategy = strategy
        self._again = again
        self._heads: dict[str, Watched] = {}

    def watched(self, tenant_id: str) -> Watched:
        """The entry of a tenant: the same object for as long as the process runs."""
        head = self._heads.get(tenant_id)
        if head is None:
            head = self._heads[tenant_id] = Watched()
        return head

    def committed(self, tenant_id: str, state: HeadState) -> None:
        """A write of this process moved the head: what it shows is visible here at once."""
        self.watched(tenant_id).saw(state, time.monotonic())

    def forget(self, tenant_id: str) -> None:
        """The tenant went or moved; the next look starts anew, whoever holds the entry."""
        head = self._heads.get(tenant_id)
        if head is not None:
            head.expire()

    def glance(self, tenant: TenantContext) -> bool:
        """Looks at the tenant's head if that can be done without waiting; whether it could."""
        head, started = self.watched(tenant.tenant_id), time.monotonic()
        try:
            state = self._strategy(tenant).glance(tenant)
        except ConfigurationError:  # to be told to whoever waits for an answer
            return False
        if state is None or state.status is HeadStatus.MOVED or state.epoch < head.state.epoch:
            return False
        head.saw(state, started)
        head.until = started + self.freshness
        return True

    async def look(self, tenant: TenantContext) -> HeadState:
        """The tenant's head, at most ``freshness`` old."""
        head = self.watched(tenant.tenant_id)
        if time.monotonic() >= head.until:
            if head.looking is None:
                head.looking = asyncio.create_task(self._look(tenant, head))
            await asyncio.shield(head.looking)
        return head.state

    async def _look(self, tenant: TenantContext, head: Watched) -> None:
        started, own = time.monotonic(), asyncio.current_task()
        try:
            state = await self._state(tenant)
            head.saw(state, started)
            if head.looking is own:
                head.until = started + self.freshness
        finally:
            if head.looking is own:
                head.looking = None

    async def _state(self, tenant: TenantContext) -> HeadState:
        """The head, in the tenant's own home: one that has moved is followed."""
        try:
            state = await self._strategy(tenant).head(tenant)
        except DatabaseMissing:
            moved = None if self._again is None else await self._again(tenant)
            if moved is None:
                raise
        else:
            if state.status is not HeadStatus.MOVED or self._again is None:
                return state
            moved = await self._again(tenant)
            if moved is None:
                return state
        return await self._state(moved)
