"""How much is let in: at once, in a month, and for how long.

What comes at once is limited by buckets of tokens: one for each tenant, and one for each person,
program or network. They fill again all the time; whoever waits gets in. They are kept in the
platform's cache, so the instances that share one count together.
"""

from __future__ import annotations

import asyncio
import math
from calendar import monthrange
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mosaic_cms.ledger import Ledger
from mosaic_core.cache import Cache, Rate
from mosaic_core.errors import RequestError, TookTooLong, TooManyRequests, UsageExceeded
from mosaic_core.settings import RateSettings
from mosaic_core.tenants import Limits, TenantContext

API = "api_requests"
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one limit: requests, and seconds until all of them are there again."""

    name: str
    limit: int
    remaining: int
    reset: int


@dataclass(slots=True)
class Admission:
    """That one request was let in: it is counted once, whatever it performs.

    Attributes:
        counts: it is one of the requests that a tier includes so many of in a month.
        allowance: what is left of the tighter of its limits; None until they were looked at.
        entered: it was let in.
        counted: it was counted among those of the month.
    """

    counts: bool = False
    allowance: Allowance | None = None
    entered: bool = False
    counted: bool = False


class RateLimits:
    """What is let in."""

    def __init__(self, rates: RateSettings, cache: Cache, ledger: Ledger) -> None:
        self._rates = {
            name: Rate(limit, _MINUTE, limit)
            for name, limit in (("tenant", rates.tenant), ("actor", rates.actor))
        }
        self._cache = cache
        self._ledger = ledger

    async def admit(self, admission: Admission, who: str, tenant: TenantContext | None) -> None:
        """Lets a request in, unless it is in already.

        Args:
            who: the person, program or network that sent it.

        Raises:
            TooManyRequests: a bucket is empty.
        """
        if admission.entered:
            return
        allowed = [await self._take(admission, "actor", who)]
        if tenant is not None:
            allowed.append(await self._take(admission, "tenant", tenant.tenant_id))
        admission.allowance = min(allowed, key=lambda one: one.remaining / one.limit)
        admission.entered = True

    async def _take(self, admission: Admission, name: str, key: str) -> Allowance:
        rate = self._rates[name]
        taken = await self._cache.take(f"rate:{name}:{key}", rate)
        if taken.refused:
            seconds = math.ceil(taken.wait)
            admission.allowance = Allowance(name, rate.limit, 0, seconds)
            whose = "This tenant gets" if name == "tenant" else "You send"
            raise TooManyRequests(
                f"{whose} more than {rate.limit} requests a minute.",
                hint=f"Try again in {seconds} s.",
                retry_after=seconds,
            )
        return Allowance(name, rate.limit, taken.remaining, math.ceil(taken.reset))

    async def wait(self, what: str, rate: Rate, key: str) -> int:
        """Takes a token for something that visitors may do at a rate of its own: 0, or the whole
        seconds after which there is one."""
        return math.ceil((await self._cache.take(f"rate:{what}:{key}", rate)).wait)

    @asynccontextmanager
    async def counted(
        self, admission: Admission, tenant: TenantContext, limits: Limits
    ) -> AsyncIterator[None]:
        """Counts a request of a program among those that the tenant's tier includes, once; one
        that is refused for what it asks is not counted, else strangers could use them up.

        Raises:
            UsageExceeded: they are used up; it says until when, and what to do.
        """
        if not admission.counts or admission.counted:
            yield
            return
        admission.counted = True
        try:
            self._require_included(tenant, limits, await self._ledger.spend(tenant.tenant_id, API))
            yield
        except RequestError:
            admission.counted = False
            self._ledger.give_back(tenant.tenant_id, API)
            raise

    def _require_included(self, tenant: TenantContext, limits: Limits, used: int) -> None:
        included = limits.api_requests_per_month
        if included is not None and used > included:
            now = datetime.now(UTC)
            days = monthrange(now.year, now.month)[1] - now.day + 1
            raise UsageExceeded(
                f"The {included:,} API requests that the {tenant.tier} tier includes in a month "
                f"are used up.",
                hint=f"Move to a higher tier, or go on in {days} days, when the next month begins.",
            )


@asynccontextmanager
async def within(seconds: float | None, what: str) -> AsyncIterator[None]:
    """Stops what takes longer than so many seconds; None for no limit.

    What is being written then is undone, unless its commit has begun: then that is finished first.

    Raises:
        TookTooLong: it was stopped.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TookTooLong(
            f"{what} took longer than {seconds:g} s and was stopped.",
            hint="Look whether it was done before you try again, with less at once.",
        ) from error
