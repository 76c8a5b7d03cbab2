"""Whether a tenant has room on the tier that it moves to: a product knows more of that."""

from __future__ import annotations

from typing import Protocol

from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext


class Fit(Protocol):
    """Looks again at what was looked at before a move began: people go on adding things. Whether
    the rows and files have room is seen when they are copied."""

    async def require(self, tenant: TenantContext, tier: str) -> None:
        """Looks at all of it, while people still write.

        Raises:
            Conflict: the tier has no room for something.
        """
        ...

    async def require_at_switch(self, write: Write, tenant_id: str, tier: str) -> None:
        """Looks at what the platform database has, in the write that switches.

        Raises:
            Conflict: the tier has no room for something.
        """
        ...


class Anything:
    """Every tenant fits every tier."""

    async def require(self, tenant: TenantContext, tier: str) -> None:
        """Nothing to look at."""

    async def require_at_switch(self, write: Write, tenant_id: str, tier: str) -> None:
        """Nothing to look at."""
