"""Does what is due: publishes and unpublishes at the instants that editors chose, and clears away
what waited long enough."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mosaic_cms.content.schedules import carry_out, due_by, note_failure
from mosaic_cms.due import next_due
from mosaic_cms.media.sweep import next_sweep, sweep
from mosaic_cms.scope import SYSTEM, Actor, TenantScope
from mosaic_core.errors import (
    DatabaseBehind,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseNewer,
    DatabaseReadOnly,
    DiskFull,
    MosaicError,
    TenantError,
)
from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product

#: Seconds between looks at what other processes noted, and at the clock, which may be set.
LOOK = 0.5
#: Seconds until a tenant is looked into again whose database was in trouble.
_PAUSE = 10.0
#: Nothing is wrong with what is due; it is done once the tenant takes it.
_LATER = (
    DatabaseBehind,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseNewer,
    DatabaseReadOnly,
    DiskFull,
    TenantError,
)
_ACTION = "schedules.carry_out"
_log = logging.getLogger("mosaic.timekeeper")


class Timekeeper:
    """Any number of processes may run one: what is due is removed in the write that does it."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._agenda = product.platform.directory.agenda
        #: Tenants in trouble, and when they are looked into again (monotonic seconds).
        self._troubled: dict[str, float] = {}

    def now(self) -> datetime:
        """The instant that it is."""
        return datetime.now(UTC)

    async def run(self) -> None:
        """Does what is due when it is due, for ever."""
        while True:
            self._agenda.changed.clear()
            wait = LOOK
            try:
                upcoming = await self._agenda.next()
                if upcoming is not None and upcoming <= self.now():
                    await self.keep()
                    upcoming = await self._agenda.next(self.now())
                if upcoming is not None:
                    wait = min(wait, (upcoming - self.now()).total_seconds())
            except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
                _log.exception("what is due could not be found; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait, 0)):
                    await self._agenda.changed.wait()

    async def keep(self) -> int:
        """Does all that is due now; returns how much was done. No tenant waits for another's
        trouble, though for its work."""
        done = 0
        await self._product.platform.directory.refresh()
        for tenant_id in await self._agenda.due(self.now()):
            tenant = self._product.platform.directory.tenant(tenant_id)
            if tenant is None or tenant.status is not TenantStatus.ACTIVE:
                continue  # it is done once the tenant takes writes again
            if self._troubled.get(tenant_id, 0.0) > time.monotonic():
                continue
            try:
                done += await self._keep(tenant)
                self._troubled.pop(tenant_id, None)
            except Exception:  # noqa: BLE001 - it stays due
                self._troubled[tenant_id] = time.monotonic() + _PAUSE
                _log.exception("what is due at %s could not be done; trying again", tenant.slug)
        return done

    async def _keep(self, tenant: TenantContext) -> int:
        done = 0
        scope = self._product.scope(tenant, SYSTEM).during(_ACTION)
        while True:
            async with scope.read() as session:
                due = await due_by(session, self.now())
                sweeping = await next_sweep(session)
            for schedule_id, actor in due:
                done += await self._carry_out(scope, schedule_id, actor)
            if due:
                await scope.settle()
            if sweeping is not None and sweeping <= self.now():
                await sweep(scope, self.now())
                done += 1
            if await scope.write(lambda write: self._settled(write, tenant), reserve=True):
                return done

    async def _settled(self, write: Write, tenant: TenantContext) -> bool:
        """Notes what is due next, while nobody else can change it; False when that is now."""
        upcoming = await next_due(write.session)
        if upcoming is not None and upcoming <= self.now():
            return False
        await self._agenda.settle(tenant.tenant_id, upcoming)
        return True

    async def _carry_out(self, scope: TenantScope, schedule_id: uuid.UUID, actor: str) -> bool:
        publisher = self._product.publisher
        kind, _, name = actor.partition(":")
        on_behalf = dataclasses.replace(scope, actor=Actor(kind, name))
        try:
            return await on_behalf.write(
                lambda write: carry_out(write, publisher, schedule_id, self.now()), reserve=True
            )
        except _LATER:
            raise
        except MosaicError as error:
            _log.warning("%s: what was due could not be done: %s", scope.tenant.slug, error)
            why = str(error)
        except Exception as error:  # noqa: BLE001 - it must not hold up what else is due
            _log.exception("%s: what was due could not be done", scope.tenant.slug)
            why = f"An error in the system: {type(error).__name__}."
        await scope.write(lambda write: note_failure(write, schedule_id, why), reserve=True)
        return False
