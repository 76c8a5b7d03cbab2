"""The tier's limit on the size of a database.

A server's files do not shrink when rows go, and what a write that is undone has put there stays. So
the limit is looked at when a write begins, not when it ends: a write that was refused at its end
would have taken the room all the same, and with it the way back below the limit. A write that
begins below the limit is finished; one for which ``reserve`` is asked is never refused. So a
database goes beyond its limit by one write at most, and deleting always works.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from mosaic_core.errors import QuotaExceeded
from mosaic_core.tenants import TenantContext, Tier

#: Seconds for which a size counts, as long as there is room for so many bytes more.
_COUNTS, _ROOM = 10.0, 256_000_000


class Quota:
    """What was last seen of the sizes of homes."""

    def __init__(self, tiers: Mapping[str, Tier]) -> None:
        self._tiers = tiers
        self._seen: dict[str, tuple[float, int]] = {}

    async def require(
        self, name: str, tenant: TenantContext, size: Callable[[], Awaitable[int]]
    ) -> None:
        """Raises QuotaExceeded when a home is at its tier's limit."""
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.database is None:
            return
        limit = int(tier.limits.database)
        seen, used = self._seen.get(name, (0.0, limit))
        if limit - used < _ROOM or time.monotonic() - seen > _COUNTS:
            used = await size()
            self._seen[name] = (time.monotonic(), used)
        if used >= limit:
            raise QuotaExceeded(
                f"The database of {tenant.slug!r} is at the {tenant.tier} tier's limit "
                f"({used / 1e6:.0f} of {limit / 1e6:.0f} MB).",
                hint="Delete something for good (deleting always works) and run "
                f"'mosaic tenant compact {tenant.slug}', or move up a tier.",
            )

    def forget(self, name: str) -> None:
        """The home was compacted or is no more."""
        self._seen.pop(name, None)
