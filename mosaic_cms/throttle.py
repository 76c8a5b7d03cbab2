"""Slows down what a tenant serves once it has served what its tier includes in a month.

Nobody is turned away for that: pages and files go out one after the other, at the tier's rate, in
each process. Only where so many wait that the last would have given up is a visitor asked to come
back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from mosaic_cms.ledger import Ledger, some_of
from mosaic_core.platform import Platform

#: Seconds that a response waits for those before it.
_PATIENCE = 20.0


class Throttle:
    """What is slowed down, as far as the ledger knows: a few seconds late, and half a minute where
    other processes serve it too."""

    def __init__(self, platform: Platform, ledger: Ledger) -> None:
        self._platform = platform
        self._ledger = ledger
        #: Bytes a second, by tenant.
        self.slow: Mapping[str, float] = {}
        #: When what was sent before is through, by tenant.
        self._free: dict[str, float] = {}

    async def look(self) -> None:
        """Looks who has served what is included, and whose month is over."""
        found = {}
        async for some in some_of(self._ledger.served_lately() | self.slow.keys()):
            found.update({key: rate for key in some if (rate := self._rate(key)) is not None})
        self.slow = found
        self._free = {key: at for key, at in self._free.items() if key in found}

    def _rate(self, tenant_id: str) -> float | None:
        """Bytes a second of a tenant that is to be slowed down."""
        tenant = self._platform.directory.tenant(tenant_id)
        tier = None if tenant is None else self._platform.settings.tiers.get(tenant.tier)
        if tier is None or not tier.limits.is_throttled(self._ledger.served(tenant_id)):
            return None
        assert tier.limits.throttled_bits_per_second is not None
        return tier.limits.throttled_bits_per_second / 8

    def is_crowded(self, tenant_id: str) -> bool:
        """Whether more waits than another visitor would wait for."""
        return self._free.get(tenant_id, 0.0) - time.monotonic() > _PATIENCE

    async def pace(self, tenant_id: str, size: int) -> None:
        """Waits until so many bytes may go out."""
        rate = self.slow.get(tenant_id)
        if rate is None or not size:
            return
        now = time.monotonic()
        begin = max(now, self._free.get(tenant_id, now))
        self._free[tenant_id] = begin + size / rate
        await asyncio.sleep(begin - now)
