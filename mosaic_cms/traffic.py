"""What is served: bytes of pages and files, counted in memory for each tenant.

Every visitor passes here, so that counting is one addition; the ledger takes what has come together
when it is written.
"""

from __future__ import annotations

from collections import defaultdict

#: What they are called in the ledger.
BANDWIDTH = "bandwidth"


class Traffic:
    """One process's part of what is served: bytes of bodies, as they go out."""

    def __init__(self) -> None:
        self._bytes: defaultdict[str, int] = defaultdict(int)

    def count(self, tenant_id: str, size: int) -> None:
        """Counts bytes that a tenant served."""
        self._bytes[tenant_id] += size

    def waiting(self, tenant_id: str) -> int:
        """What was counted and not taken yet."""
        return self._bytes.get(tenant_id, 0)

    def take(self) -> dict[str, int]:
        """What was counted since the last time, by tenant."""
        taken, self._bytes = self._bytes, defaultdict(int)
        return {tenant_id: size for tenant_id, size in taken.items() if size}
