"""Where tenants live, for those who knew it a moment ago.

Whoever does something for a tenant holds its :class:`TenantContext`, which says where it lived when
that began. A tenant may move meanwhile. Its old home says so to whoever comes, or is gone; then the
directory is asked again, and what was begun goes on at the new home.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mosaic_core.directory import Directory
from mosaic_core.errors import DatabaseMissing, TenantMoved
from mosaic_core.tenants import TenantContext

T = TypeVar("T")


class Homes:
    """Follows tenants that move."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def of(self, tenant: TenantContext) -> TenantContext:
        """The tenant where it lives by all that this process knows; nothing is asked."""
        known = self._directory.tenant(tenant.tenant_id)
        return tenant if known is None or known.epoch <= tenant.epoch else known

    def knows(self, tenant: TenantContext) -> bool:
        """Whether it is a tenant of the directory, not one that is being made."""
        return self._directory.tenant(tenant.tenant_id) is not None

    async def again(self, tenant: TenantContext) -> TenantContext | None:
        """Where a tenant lives that is not where it was looked for; None when it is there."""
        found = self.of(tenant)
        if found is tenant:
            self._directory.expire()
            await self._directory.refresh()
            found = self.of(tenant)
        return None if found is tenant else found

    async def follow(
        self, tenant: TenantContext, attempt: Callable[[TenantContext], Awaitable[T]]
    ) -> T:
        """Tries something where the tenant lives, and again where it has moved to."""
        home = self.of(tenant)
        while True:
            try:
                return await attempt(home)
            except (TenantMoved, DatabaseMissing):
                moved = await self.again(home)
                if moved is None:
                    raise
                home = moved
