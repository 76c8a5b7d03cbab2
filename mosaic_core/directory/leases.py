"""Leases: who may work at a tenant as a whole. Migration, move, import, deletion and compaction
of one tenant exclude each other.

A lease is held for some seconds and renewed while the work goes on, so that what a killed process
held is free again by itself. Time is the database's. A process that was stopped for a while, or
whose clock was set, may believe that it holds what somebody else has taken meanwhile: so each
taking has a *token*, greater than all before it, and what matters is written only by whoever has
the newest (:meth:`Lease.require`; the fencing tokens of Kleppmann, "How to do distributed locking",
2016).
"""

from __future__ import annotations

import asyncio
import enum
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database.clock import database_now
from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.tables import LeaseRow
from mosaic_core.errors import LeaseLost, LeaseTaken, MosaicError
from mosaic_core.head import Write, Writer
from mosaic_core.tenants import TenantContext

_log = logging.getLogger("mosaic.leases")


class Work(enum.StrEnum):
    """What is done to a tenant as a whole."""

    MIGRATION = "migration"
    MOVE = "move"
    IMPORT = "import"
    DELETION = "deletion"
    COMPACTION = "compaction"


_GOES_ON = {
    Work.MIGRATION: "is being migrated",
    Work.MOVE: "is being moved",
    Work.IMPORT: "is being imported",
    Work.DELETION: "is being deleted",
    Work.COMPACTION: "is being compacted",
}


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a lease that somebody holds.

    Attributes:
        since: when it was taken, by the database's clock.
        free: seconds after which it is free unless it is renewed.
        renewed: milliseconds of the database's clock.
    """

    work: Work
    holder: str
    since: datetime
    free: float
    token: int
    renewed: int


@dataclass(slots=True)
class Lease:
    """A lease while it is held.

    Attributes:
        token: greater than that of every earlier lease of any tenant.
        lost: somebody else may have taken it meanwhile.
    """

    tenant: TenantContext
    work: Work
    token: int
    lost: bool = False
    _ended: bool = field(default=False, repr=False)

    async def require(self, write: Write) -> None:
        """Inside a write to the platform database: it happens only while nobody else has taken the
        lease since.

        Raises:
            LeaseLost: somebody has, or it was given up.
        """
        mine = select(LeaseRow.token).where(LeaseRow.tenant_id == self.tenant.tenant_id)
        if await write.session.scalar(mine) != self.token:
            raise lost(self)


class Leases:
    """One lease for each tenant.

    Args:
        lasts: seconds that a lease is held without being renewed.
    """

    def __init__(self, database: PlatformDatabase, writer: Writer, lasts: float) -> None:
        self._database = database
        self._writer = writer
        self.lasts = lasts

    @asynccontextmanager
    async def held(
        self, tenant: TenantContext, work: Work, *, holder: str, patient: bool = False
    ) -> AsyncIterator[Lease]:
        """Holds a tenant's lease while the block runs, and renews it meanwhile. When it is lost,
        the block is cancelled.

        Args:
            tenant: it need not be known yet.
            holder: who holds it, in words for whoever is refused.
            patient: waits for a lease that nobody renews any more to become free.

        Raises:
            LeaseTaken: somebody works at the tenant.
            LeaseLost: somebody took it meanwhile, or it could not be renewed in time.
        """
        lease = await self.take(tenant, work, holder=holder, patient=patient)
        body = asyncio.current_task()
        assert body is not None
        renewing = asyncio.create_task(self._keep(lease, body))
        try:
            yield lease
        except asyncio.CancelledError:
            if lease.lost and body.uncancel() == 0:
                raise lost(lease) from None
            raise
        finally:
            lease._ended = True
            renewing.cancel()
            await asyncio.wait([renewing])
            await self._leave(lease)

    async def take(
        self, tenant: TenantContext, work: Work, *, holder: str, patient: bool = False
    ) -> Lease:
        """Takes a tenant's lease (see :meth:`held`, which also renews and releases it)."""
        seen: Held | None = None
        while True:
            found = await self._take(tenant, work, holder)
            if isinstance(found, Lease):
                return found
            alive = seen is not None and (seen.token, seen.renewed) != (found.token, found.renewed)
            if not patient or alive:
                raise taken(tenant, found)
            seen = seen or found
            await asyncio.sleep(min(0.25, self.lasts / 10))

    async def _take(self, tenant: TenantContext, work: Work, holder: str) -> Lease | Held:
        mine: Lease | None = None

        async def fn(write: Write) -> Lease | Held:
            nonlocal mine
            there = await self._held(write.session, tenant.tenant_id)
            if there is not None:
                return there
            before = delete(LeaseRow).where(LeaseRow.tenant_id == tenant.tenant_id)
            await write.session.execute(before)
            await write.session.execute(
                insert(LeaseRow).values(
                    tenant_id=tenant.tenant_id,
                    token=write.version,  # no other write has it, and later ones have greater ones
                    work=str(work),
                    holder=holder[:200],
                    since=database_now(),
                    renewed=database_now(),
                    lasts=self._lasts,
                )
            )
            mine = Lease(tenant, work, write.version)
            return mine

        try:
            return await self._writer.write(fn, actor="system", action="leases.take")
        except asyncio.CancelledError:
            if mine is not None:  # it may have been committed
                await self._leave(mine)
            raise

    async def renew(self, lease: Lease) -> None:
        """Holds a lease for longer.

        Raises:
            LeaseLost: somebody else took it.
        """

        async def fn(write: Write) -> None:
            await lease.require(write)
            renewed = update(LeaseRow).where(LeaseRow.tenant_id == lease.tenant.tenant_id)
            await write.session.execute(renewed.values(renewed=database_now(), lasts=self._lasts))

        await self._writer.write(fn, actor="system", action="leases.renew")

    async def require(self, lease: Lease) -> None:
        """Before something is changed elsewhere than in the platform database: nobody else has
        taken the lease. One that ran out because its process was held up is renewed first.

        Raises:
            LeaseLost: somebody has, or it was given up.
        """
        held = await self.of(lease.tenant.tenant_id)
        if held is None:
            await self.renew(lease)
        elif held.token != lease.token:
            raise lost(lease)

    async def release(self, lease: Lease) -> None:
        """Gives a lease back; one that is not held any more is left to whoever has it."""

        async def fn(write: Write) -> None:
            await self.end(write, lease)

        there = select(LeaseRow.token).where(LeaseRow.tenant_id == lease.tenant.tenant_id)
        async with self._database.session() as session:
            token = await session.scalar(there)
        if token == lease.token:
            await self._writer.write(fn, actor="system", action="leases.release")

    @staticmethod
    async def end(write: Write, lease: Lease) -> None:
        """Gives a lease back in a write to the platform database, which needs no other then. It is
        the last thing that is done with it."""
        lease._ended = True  # that it is not there any more is no loss
        mine = (LeaseRow.tenant_id == lease.tenant.tenant_id, LeaseRow.token == lease.token)
        await write.session.execute(delete(LeaseRow).where(*mine))

    async def of(self, tenant_id: str) -> Held | None:
        """What is done to a tenant at the moment."""
        async with self._database.session() as session:
            return await self._held(session, tenant_id)

    async def held_in(self, write: Write, tenant_id: str) -> bool:
        """Whether somebody works at a tenant, as a write to the platform database sees it."""
        return await self._held(write.session, tenant_id) is not None

    @property
    def _lasts(self) -> int:
        return round(self.lasts * 1000)

    @staticmethod
    async def _held(session: AsyncSession, tenant_id: str) -> Held | None:
        now = database_now()
        # Renewed in the future: the database's clock was set back. By little, it is held.
        query = select(LeaseRow, now.label("now")).where(
            LeaseRow.tenant_id == tenant_id, func.abs(now - LeaseRow.renewed) < LeaseRow.lasts
        )
        found = (await session.execute(query)).one_or_none()
        if found is None:
            return None
        row, at = found
        return Held(
            work=Work(row.work),
            holder=row.holder,
            since=datetime.fromtimestamp(row.since / 1000, UTC),
            free=max(0.0, (row.renewed + row.lasts - at) / 1000),
            token=row.token,
            renewed=row.renewed,
        )

    async def _keep(self, lease: Lease, body: asyncio.Task[object]) -> None:
        """Renews a lease for as long as it can be, and stops the work when it cannot."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        # Longer than it lasts: a write of the same process may be in the way, and then nobody else
        # can take it either. Whoever does makes the next renewal fail.
        while loop.time() - renewed < 2 * self.lasts:
            await asyncio.sleep(self.lasts / 3)
            begun = loop.time()
            try:
                async with asyncio.timeout(self.lasts):
                    await self.renew(lease)
                renewed = begun
            except LeaseLost:
                break
            except (TimeoutError, MosaicError) as error:  # it may be there again in a moment
                _log.warning("the lease of %s was not renewed: %s", lease.tenant.slug, error)
            except Exception:  # noqa: BLE001 - whatever it is, nobody would renew it any more
                _log.exception("the lease of %s cannot be renewed", lease.tenant.slug)
                break
        if not lease._ended:
            lease.lost = True
            body.cancel()

    async def _leave(self, lease: Lease) -> None:
        try:
            await self.release(lease)
        except MosaicError as error:  # it is free again by itself
            _log.warning("the lease of %s was not given back: %s", lease.tenant.slug, error)


def taken(tenant: TenantContext, held: Held) -> LeaseTaken:
    """Says what is done to a tenant at the moment."""
    since = f"{held.since:%Y-%m-%d %H:%M:%S} UTC"
    return LeaseTaken(
        f"{tenant.slug!r} {_GOES_ON[held.work]}, since {since}, by {held.holder}.",
        hint="Wait until that has ended. If nobody works at it any more, it is free in "
        f"{math.ceil(held.free)} s.",
    )


def lost(lease: Lease) -> LeaseLost:
    """Says that what was done may have been done by somebody else meanwhile."""
    return LeaseLost(
        f"The {lease.work} of {lease.tenant.slug!r} was stopped: its lease was lost.",
        hint="The process was held up for too long, and somebody else may work at it. Try again.",
    )
