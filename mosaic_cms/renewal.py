"""Brings published pages to the newest themes, after the deployment was brought to another version.

One tenant after the other, those first whose pages somebody visits; as much rest between them as
work. Until a page's turn comes, visitors see it as it is, in the themes that it was rendered in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from mosaic_cms.content.models import Site
from mosaic_cms.scope import SYSTEM
from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product

#: Seconds between looks for tenants whose pages processes of other versions rendered.
LOOK = 60.0
#: Seconds in which visits to one tenant count once.
_VISIT = 60.0
_ACTION = "themes.renew"
_log = logging.getLogger("mosaic.renewal")


class Renewal:
    """Any number of processes may run one: each takes another tenant, and those that do not have
    the newest themes do nothing."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._sets = product.platform.directory.theme_sets
        #: When a page of the tenant was last seen that is of another set (monotonic seconds).
        self._visits: dict[str, float] = {}
        self._preferred: list[str] = []
        self._visited = asyncio.Event()

    def visit(self, tenant: TenantContext) -> None:
        """A visitor saw a page that was rendered in themes of another version."""
        now = time.monotonic()
        if now - self._visits.get(tenant.tenant_id, -_VISIT) >= _VISIT:
            self._visits[tenant.tenant_id] = now
            self._preferred.append(tenant.tenant_id)
            self._visited.set()

    async def run(self) -> None:
        """Renders what is to be rendered again, for ever."""
        serving = True
        while True:
            self._visited.clear()
            started, wait = time.monotonic(), LOOK
            try:
                await self._product.kept.keep(serving=serving)
                serving = False
                if await self.renew_one():
                    wait = time.monotonic() - started
            except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
                _log.exception("pages could not be rendered again; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._visited.wait()

    async def renew_one(self) -> bool:
        """Renders the pages of one tenant again, as far as other themes made them; False when
        there is no such tenant, or this process does not have the newest themes."""
        key = self._product.kept.key
        preferred, self._preferred = self._preferred, []
        if await self._sets.newest() != key:
            return False
        for seen in preferred:
            await self._sets.prefer(seen, key)
        tenant_id = await self._sets.claim(key)
        if tenant_id is None:
            since = time.monotonic() - _VISIT
            self._visits = {x: at for x, at in self._visits.items() if at > since}
            await self._sets.drop(key)
            return False
        tenant = self._product.platform.directory.tenant(tenant_id)
        if tenant is None:
            await self._sets.forget(tenant_id)
        elif tenant.status is TenantStatus.ACTIVE:  # others take no writes, and wait
            await self._renew(tenant)
        return True

    async def _renew(self, tenant: TenantContext) -> None:
        scope = self._product.scope(tenant, SYSTEM).during(_ACTION)
        if not await scope.write(lambda write: self._settled(write, tenant), reserve=True):
            await scope.write(self._leave_work, reserve=True)
            await scope.settle()
            await scope.write(lambda write: self._settled(write, tenant), reserve=True)

    async def _leave_work(self, write: Write) -> None:
        for site in await write.session.scalars(select(Site)):
            await self._product.publisher.renew(write, site, everything=False)

    async def _settled(self, write: Write, tenant: TenantContext) -> bool:
        """Notes that every page is in the newest themes, while nobody else can change one; False
        when that is not so."""
        for site in await write.session.scalars(select(Site)):
            if await self._product.publisher.outdated(write.session, site):
                return False
        await self._sets.settle(tenant.tenant_id, self._product.kept.key)
        return True
