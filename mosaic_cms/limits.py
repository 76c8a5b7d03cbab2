"""How much is let in: at once, and in a month.

What comes at once is limited by token buckets: one for each tenant, and one for each person,
program or network. They are filled again all the time; whoever waits gets in.
"""

from __future__ import annotations

import math
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime

from throttled.asyncio import MemoryStore, Throttled, per_min

from mosaic_cms.ledger import Ledger
from mosaic_core.errors import TooManyRequests, UsageExceeded
from mosaic_core.settings import RateSettings
from mosaic_core.tenants import Limits, TenantContext

#: Buckets that are kept; the ones used last.
_MOST = 50_000
API = "api_requests"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one limit: requests, and seconds until all of them are there again."""

    name: str
    limit: int
    remaining: int
    reset: int


class RateLimits:
    """What one process lets in.

    Args:
        rates: requests a minute.
    """

    def __init__(self, rates: RateSettings, ledger: Ledger) -> None:
        store = MemoryStore(options={"MAX_SIZE": _MOST})
        self._buckets = {
            name: Throttled(using="token_bucket", quota=per_min(limit), store=store)
            for name, limit in (("tenant", rates.tenant), ("actor", rates.actor))
        }
        self._limits = {"tenant": rates.tenant, "actor": rates.actor}
        self._ledger = ledger

    async def enter(self, tenant: TenantContext | None, who: str) -> Allowance:
        """Lets one request in; the tighter of its two limits, as it is then.

        Raises:
            TooManyRequests: a bucket is empty.
        """
        allowed = [await self._take("actor", who)]
        if tenant is not None:
            allowed.append(await self._take("tenant", tenant.tenant_id))
        return min(allowed, key=lambda allowance: allowance.remaining / allowance.limit)

    async def _take(self, name: str, key: str) -> Allowance:
        result = await self._buckets[name].limit(f"{name}:{key}")
        state, limit = result.state, self._limits[name]
        if result.limited:
            seconds = max(1, math.ceil(state.retry_after))
            whose = "This tenant gets" if name == "tenant" else "You send"
            raise TooManyRequests(
                f"{whose} more than {limit} requests a minute.",
                hint=f"Try again in {seconds} s.",
                retry_after=seconds,
            )
        return Allowance(name, limit, int(state.remaining), math.ceil(state.reset_after))

    async def count(self, tenant: TenantContext, limits: Limits) -> None:
        """Counts a request of a program among those that the tenant's tier includes.

        Raises:
            UsageExceeded: they are used up; it says until when, and what to do.
        """
        used = await self._ledger.spend(tenant.tenant_id, API)
        included = limits.api_requests_per_month
        if included is not None and used > included:
            now = datetime.now(UTC)
            days = monthrange(now.year, now.month)[1] - now.day + 1
            raise UsageExceeded(
                f"The {included:,} API requests that the {tenant.tier} tier includes in a month "
                f"are used up.",
                hint=f"Move to a higher tier, or go on in {days} days, when the next month begins.",
            )
