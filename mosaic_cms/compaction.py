"""Forgets changes that are older than a tier keeps them, so that a tenant does not fill up with its
own past.

Nobody knows of each tenant when its log was written last, and to look takes a moment. So they are
looked at one by one, spread over a day: in no order, so that restarts leave nobody out for long.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mosaic_cms.scope import SYSTEM, Actor
from mosaic_core.directory import Work
from mosaic_core.errors import Conflict
from mosaic_core.head import TENANT, Write
from mosaic_core.head.log import compact
from mosaic_core.head.retention import outlived
from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product

ACTION = "tenants.compact"
#: Seconds in which every tenant is looked at once, and between two at most.
_ROUND, _LONGEST = 86_400.0, 3_600.0
#: Changes that are forgotten in one write.
_STEP = 10_000
_log = logging.getLogger("mosaic.compaction")


@dataclass(frozen=True, slots=True)
class Compacted:
    """How many entries of a change log were forgotten, and the bytes in use before and after."""

    changes: int
    before: int
    after: int


class Compactor:
    """Any number of processes may run one: what is compacted gives the next one nothing to do."""

    def __init__(self, product: Product) -> None:
        self._product = product

    async def run(self) -> None:
        """Looks at one tenant after the other, for ever."""
        while True:
            tenants = await self._tenants()
            random.shuffle(tenants)
            for tenant in tenants:
                await asyncio.sleep(min(_ROUND / len(tenants), _LONGEST))
                try:
                    await self.look(tenant.tenant_id)
                except Exception:  # noqa: BLE001 - whatever it is, the others may be well
                    _log.exception("the log of %s could not be compacted", tenant.slug)
            if not tenants:
                await asyncio.sleep(_LONGEST)

    async def _tenants(self) -> list[TenantContext]:
        """All of them; none when they cannot be found out now."""
        try:
            records = await self._product.platform.directory.records()
        except Exception:  # noqa: BLE001 - whatever it is, the next round tries again
            _log.exception("the tenants to compact could not be looked for; trying again")
            return []
        return [record.tenant for record in records]

    async def look(self, tenant_id: str) -> Compacted | None:
        """Forgets what a tenant's tier does not keep any longer; None when that is nothing, or
        nobody may write to the tenant now."""
        platform = self._product.platform
        tenant = platform.directory.tenant(tenant_id)
        if tenant is None or tenant.status is not TenantStatus.ACTIVE:
            return None
        days = platform.tier(tenant).limits.history_days
        if days is None or await self._next(tenant, days) is None:
            return None
        try:
            done = await self.compact(tenant, days, SYSTEM)
        except Conflict:  # something else is done to it; the next look tries again
            return None
        _log.info("%s: %d changes are older than %d days", tenant.slug, done.changes, days)
        return done

    async def compact(
        self,
        tenant: TenantContext,
        days: int | None,
        actor: Actor,
        *,
        tidy: bool = False,
        progress: Callable[[str, int, int], None] = lambda what, done, of: None,
    ) -> Compacted:
        """Forgets what is older than so many days; None forgets nothing.

        Args:
            tidy: gives back the room that is free then, which has everybody wait who uses the
                tenant.

        Raises:
            Conflict: something else is done to the tenant as a whole.
            DatabaseError: of its database.
        """
        platform, forgotten = self._product.platform, 0
        leases = platform.directory.leases
        async with leases.held(tenant, Work.COMPACTION, holder=str(actor)):
            tenant = await platform.at_home(tenant)
            persistence, limit = platform.persistence(tenant), platform.tier(tenant).limits.database
            before, last = await persistence.size(tenant), (await persistence.head(tenant)).version
            while days is not None and (version := await self._next(tenant, days)) is not None:
                forgotten += await self._forget(tenant, version, actor)
                progress("versions", version, max(version, last))
            # On a server, what rows leave is in use until their tables are written anew.
            crowded = forgotten and limit is not None and await persistence.size(tenant) > limit / 2
            if tidy or crowded:
                await persistence.compact(tenant)
            return Compacted(forgotten, before, await persistence.size(tenant))

    async def _next(self, tenant: TenantContext, days: int) -> int | None:
        platform = self._product.platform
        before = await platform.directory.clock.now() - timedelta(days=days)
        async with platform.read(tenant) as session:
            return await outlived(session, TENANT, before, _STEP)

    async def _forget(self, tenant: TenantContext, version: int, actor: Actor) -> int:
        async def fn(write: Write) -> int:
            if write.permit.followed:  # it is told by the log what it has to copy again
                raise Conflict(
                    f"{tenant.slug!r} is being moved.", hint="Compact it when that has ended."
                )
            return await compact(write, TENANT, version)

        scope = self._product.scope(tenant, actor).during(ACTION)
        return await scope.write(fn, reserve=True)
