"""How often somebody may ask for what costs more than a page: buckets of tokens, in memory.

Each process counts for itself: this keeps one visitor from taking a server from the others, and is
no promise about a day's total.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

#: Visitors that are remembered; of more than these, those not seen for longest start anew.
_MOST = 20_000


class Buckets:
    """A bucket for each key: ``burst`` at once, then ``rate`` a second."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """Takes a token: 0, or the whole seconds after which there is one again."""
        now = self._clock()
        tokens, at = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        wait = 0 if tokens >= 1 else math.ceil((1 - tokens) / self._rate)
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return wait


def neighbourhood(address: str) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 that a household has of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
