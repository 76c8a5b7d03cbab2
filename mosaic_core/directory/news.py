"""What the platform database has new of tenants and hosts, learned of in one look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, FromClause, Select, bindparam, or_, select

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.lookups import Lookups
from mosaic_core.directory.tables import DomainRow, FormerSlugRow, TenantRow
from mosaic_core.head import PLATFORM
from mosaic_core.tenants import TenantContext, TenantStatus

# Of the tables, and made once: a look follows each write of ours, and to make its queries took
# longer than to ask them. ``since`` is the version that is known.
_TENANT, _DOMAIN, _FORMER = TenantRow.__table__, DomainRow.__table__, FormerSlugRow.__table__
_SINCE = bindparam("since", type_=BigInteger())
_VERSION = select(PLATFORM.head.c.version)
_TENANTS = select(
    _TENANT.c.tenant_id,
    _TENANT.c.slug,
    _TENANT.c.name,
    _TENANT.c.tier,
    _TENANT.c.status,
    _TENANT.c.reason,
    _TENANT.c.epoch,
    _TENANT.c.database_schema,
).where(_TENANT.c.changed > _SINCE)


def _of(table: FromClause, *names: str) -> Select[Any]:
    """What changed since, and all of a tenant that changed: what is not there any more says
    nothing."""
    changed = select(_TENANT.c.tenant_id).where(_TENANT.c.changed > _SINCE)
    columns = [table.c[name] for name in names]
    return select(*columns).where(or_(table.c.changed > _SINCE, table.c.tenant_id.in_(changed)))


_DOMAINS = _of(_DOMAIN, "host", "tenant_id", "site", "active", "created_at")
_FORMER_SLUGS = _of(_FORMER, "slug", "tenant_id", "until")

#: A look-up in it is several times faster than the enumeration's own, for each of ten thousand.
_STATUS = {status.value: status for status in TenantStatus}


class News(Lookups):
    """Tenants and hosts as they were at the last look.

    Args:
        database: the platform database.
        platform_domain: every tenant has ``<slug>.<platform_domain>``.
        freshness: seconds after which :meth:`refresh` looks for news again.
    """

    def __init__(self, database: PlatformDatabase, platform_domain: str, freshness: float) -> None:
        super().__init__(platform_domain)
        self.database = database
        self._freshness = freshness
        self._known = -1
        self._looking: asyncio.Task[None] | None = None
        #: Until when what is known may be trusted (monotonic seconds).
        self.until = 0.0

    @property
    def version(self) -> int:
        """The version of the platform database that is known."""
        return self._known

    async def refresh(self, *, now: bool = False) -> None:
        """Learns what changed, when the last look is older than ``freshness``."""
        if now or time.monotonic() >= self.until:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    def expire(self) -> None:
        """Something changed elsewhere: the next :meth:`refresh` looks, whatever is under way."""
        self.until, self._looking = 0.0, None

    async def _look(self) -> None:
        started, own, known = time.monotonic(), asyncio.current_task(), self._known
        try:
            tenants: list[TenantContext] = []
            domains: Sequence[Any] = ()
            former: Sequence[Any] = ()
            async with self.database.session() as session:
                version = await session.scalar(_VERSION)
                assert version is not None
                if version != known:
                    since = {"since": known}
                    tenants = [_tenant(row) for row in await session.execute(_TENANTS, since)]
                    domains = list(await session.execute(_DOMAINS, since))
                    former = list(await session.execute(_FORMER_SLUGS, since))
            # One that was overtaken has nothing to say of what a later one found.
            if version > self._known or (version != known and self._looking is own):
                self._learn(version, tenants, domains, former)
            if self._looking is own:
                self.until = started + self._freshness
        finally:
            if self._looking is own:
                self._looking = None

    def _learn(
        self,
        version: int,
        tenants: list[TenantContext],
        domains: Sequence[Any] = (),
        former: Sequence[Any] = (),
    ) -> None:
        """Takes all that is different at ``version`` from what was known."""
        self._known = version
        self.learn(tenants, domains, former)

    async def _look_again(self) -> None:
        """After a commit of ours."""
        await self._look_ended()
        await self.refresh(now=True)

    async def _look_ended(self) -> None:
        if self._looking is not None:  # that look may have read before our commit
            await asyncio.wait([self._looking])


def _tenant(row: Any) -> TenantContext:
    tenant_id, slug, name, tier, status, *others = row
    return TenantContext(tenant_id, slug, name, tier, _STATUS[status], *others)
