"""Moves in the platform database: each is written there step by step."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from mosaic_core.directory import Directory, Lease, TenantRow
from mosaic_core.directory.leases import lost
from mosaic_core.errors import Conflict, NotFound, TenantMoved
from mosaic_core.head import Write
from mosaic_core.moves.fit import Fit
from mosaic_core.moves.states import BACK, Move, MoveRow, Step
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.types import new_id

_ENDED = (Step.DONE, Step.UNDONE)


class MoveCancelled(Conflict):
    """Somebody asked that a move be undone."""


def lived_in(home: TenantContext) -> Conflict:
    """Says that a home is not to be removed."""
    return Conflict(
        f"{home.slug!r} lives in its home of epoch {home.epoch}, which is not removed.",
        hint="Somebody else ended the move; 'mosaic tenant move-status' shows it.",
    )


class Moves:
    """The moves of all tenants.

    Args:
        kept: for how long an old home is kept.
    """

    def __init__(self, directory: Directory, kept: timedelta) -> None:
        self._directory = directory
        self._kept = kept

    # Asking

    async def of(self, tenant_id: str) -> Move | None:
        """The newest move of a tenant."""
        newest = select(MoveRow).where(MoveRow.tenant_id == tenant_id)
        async with self._directory.database.session() as session:
            row = await session.scalar(newest.order_by(MoveRow.to_epoch.desc()).limit(1))
            return None if row is None else Move.of(row)

    async def get(self, move_id: uuid.UUID) -> Move:
        async with self._directory.database.session() as session:
            return Move.of(await session.get_one(MoveRow, move_id))

    async def all(self, tenant_id: str) -> list[Move]:
        """The moves of a tenant, the oldest first."""
        found = select(MoveRow).where(MoveRow.tenant_id == tenant_id).order_by(MoveRow.to_epoch)
        async with self._directory.database.session() as session:
            return [Move.of(row) for row in await session.scalars(found)]

    async def unended(self) -> list[Move]:
        """Moves that somebody has to go on with, the oldest first. That of a tenant in the bin
        waits until it comes back."""
        there = TenantRow.status != str(TenantStatus.DELETED)
        query = (
            select(MoveRow)
            .join(TenantRow, TenantRow.tenant_id == MoveRow.tenant_id)
            .where(MoveRow.step.not_in(_ENDED), there)
            .order_by(MoveRow.id)
        )
        async with self._directory.database.session() as session:
            return [Move.of(row) for row in await session.scalars(query)]

    async def leftover(self, now: datetime) -> list[Move]:
        """Moves that left something which is not to be kept any longer."""
        query = select(MoveRow).where(MoveRow.step.in_(_ENDED), MoveRow.kept_until <= now)
        async with self._directory.database.session() as session:
            return [Move.of(row) for row in await session.scalars(query)]

    async def keeping(self, tenant_id: str) -> list[Move]:
        """Moves of a tenant whose old or discarded home may be there still, the newest first."""
        query = select(MoveRow).where(
            MoveRow.tenant_id == tenant_id,
            or_(MoveRow.step.not_in(_ENDED), MoveRow.kept_until.is_not(None)),
        )
        async with self._directory.database.session() as session:
            rows = await session.scalars(query.order_by(MoveRow.to_epoch.desc()))
            return [Move.of(row) for row in rows]

    # Writing

    async def begin(self, tenant: TenantContext, tier: str, *, actor: str) -> Move:
        """Notes that a tenant is to move; the move goes on with whoever takes it up.

        Raises:
            Conflict: it is moving.
        """

        async def fn(write: Write) -> Move:
            mine = MoveRow.tenant_id == tenant.tenant_id
            session = write.session
            going = select(MoveRow.to_tier).where(mine, MoveRow.step.not_in(_ENDED))
            if (other := await session.scalar(going.limit(1))) is not None:
                raise Conflict(
                    f"{tenant.slug!r} is moving already, to the {other} tier.",
                    hint="Wait for its end, or cancel it; 'mosaic tenant move-status' shows it.",
                )
            home = await session.get(TenantRow, tenant.tenant_id)
            if home is None or home.epoch != tenant.epoch:
                raise TenantMoved(f"{tenant.slug!r} has moved.", hint="Look again.")
            # A name is never used twice: what an earlier try made may be there still.
            tried = await session.scalar(select(func.max(MoveRow.to_epoch)).where(mine)) or 0
            row = MoveRow(
                id=new_id(),
                tenant_id=tenant.tenant_id,
                from_tier=tenant.tier,
                from_epoch=tenant.epoch,
                to_tier=tier,
                to_epoch=max(tried, tenant.epoch) + 1,
                step=Step.PROVISION,
                token=0,
                cancelled=False,
                actor=actor,
                began_at=write.at,
                changed_at=write.at,
                fenced_at=None,
                pause=None,
                progress={},
                error="",
                kept_until=None,
            )
            session.add(row)
            return Move.of(row)

        return await self._directory.note(fn, actor=actor, action="moves.begin")

    async def cancel(self, tenant: TenantContext, *, actor: str) -> Move:
        """Asks that a tenant's move be undone.

        Raises:
            NotFound: it does not move.
            Conflict: it is too late.
        """

        async def fn(write: Write) -> Move:
            mine = (MoveRow.tenant_id == tenant.tenant_id, MoveRow.step.not_in(_ENDED))
            row = await write.session.scalar(select(MoveRow).where(*mine))
            if row is None:
                raise NotFound(f"{tenant.slug!r} is not moving.")
            step = Step(row.step)
            if not step.may_turn_back and step not in BACK:
                raise Conflict(
                    f"{tenant.slug!r} lives in its new home already.",
                    hint="Move it back: that is the same again.",
                )
            row.cancelled = True
            return Move.of(row)

        return await self._directory.note(fn, actor=actor, action="moves.cancel")

    async def record(
        self,
        move: Move,
        lease: Lease,
        step: Step,
        *,
        beside: Callable[[Write], Awaitable[None]] | None = None,
        **values: Any,
    ) -> Move:
        """Notes what is to be done next, while nobody else has taken up the move.

        Raises:
            LeaseLost: somebody has.
        """

        async def fn(write: Write) -> Move:
            await lease.require(write)
            row = await write.session.get_one(MoveRow, move.id)
            if row.step != move.step:  # the answer to an earlier note was lost
                raise lost(lease)
            if beside is not None:
                await beside(write)
            row.step, row.token, row.changed_at = step, lease.token, write.at
            for name, value in values.items():
                setattr(row, name, value)
            return Move.of(row)

        write = self._directory.note if beside is None else self._directory.write
        return await write(fn, actor=move.actor, action=f"moves.{move.step}")

    async def switch(self, move: Move, lease: Lease, revision: str, fit: Fit) -> Move:
        """The directory says the new home, and the move that it does, in one.

        Args:
            revision: at which the new home's database stands.

        Raises:
            MoveCancelled: somebody asked just before that it be undone.
            Conflict: it does not fit any more.
        """

        async def switched(write: Write) -> None:
            if (await write.session.get_one(MoveRow, move.id)).cancelled:
                raise MoveCancelled("The move was cancelled.")
            row = await write.session.get_one(TenantRow, move.tenant_id)
            if row.epoch != move.from_epoch:
                raise TenantMoved("The tenant is not where the move began.", hint="Look again.")
            await fit.require_at_switch(write, move.tenant_id, move.to_tier)
            row.tier, row.epoch, row.changed = move.to_tier, move.to_epoch, write.version
            row.revision = revision

        return await self.record(move, lease, move.step.next, beside=switched)

    async def at_unused(
        self, home: TenantContext, lease: Lease, effect: Callable[[], Awaitable[None]]
    ) -> None:
        """Does something to a home that its tenant does not live in. It is done inside a write to
        the platform database, so nobody takes the lease meanwhile, and no switch goes there.

        Raises:
            LeaseLost: somebody has taken the lease.
            Conflict: the tenant lives there.
        """

        async def fn(write: Write) -> None:
            await lease.require(write)
            row = await write.session.get(TenantRow, home.tenant_id)
            if row is not None and row.epoch == home.epoch:
                raise lived_in(home)
            await effect()

        await self._directory.note(fn, actor="system", action="moves.remove")

    async def gone(self, move: Move) -> None:
        """What a move left is not there any more."""

        async def fn(write: Write) -> None:
            row = await write.session.get_one(MoveRow, move.id)
            row.kept_until = None

        await self._directory.note(fn, actor="system", action="moves.gone")

    async def keep_until(self) -> datetime:
        """Until when a home is kept that a tenant leaves now; a clock that is behind makes that no
        shorter."""
        now, passed = datetime.now(UTC), await self._directory.clock.passed()
        return (now if passed is None else max(now, passed)) + self._kept
