"""Moves on a platform: begun, taken up, cancelled, and what they left removed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from mosaic_core.database import TenantSchema
from mosaic_core.directory import Directory, Lease, Work
from mosaic_core.directory.leases import lost
from mosaic_core.errors import Conflict, LeaseTaken, MosaicError, NotFound
from mosaic_core.head import Heads
from mosaic_core.moves.files import place_of
from mosaic_core.moves.home import Home
from mosaic_core.moves.mover import Mover
from mosaic_core.moves.states import BACK, Move, Step
from mosaic_core.moves.store import Moves
from mosaic_core.persistence import Persistence
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext

_log = logging.getLogger("mosaic.moves")
#: Seconds between two looks for moves that nobody goes on with, and for what is left of old ones.
LOOK, SWEEP = 2.0, 600.0


def _unseen(what: str, done: int, of: int) -> None:
    """For moves that nobody watches."""


class Moving:
    """Moves tenants between tiers, and takes up what others began.

    Args:
        persistence, storage: find where a tenant of some tier is kept.
        kept: for how long an old home is kept.
    """

    def __init__(
        self,
        directory: Directory,
        heads: Heads,
        schema: TenantSchema,
        persistence: Callable[[TenantContext], Persistence],
        storage: Callable[[TenantContext], Storage],
        kept: timedelta,
    ) -> None:
        self._directory = directory
        self._heads = heads
        self._schema = schema
        self._persistence = persistence
        self._storage = storage
        self.moves = Moves(directory, kept)

    async def move(
        self,
        tenant: TenantContext,
        tier: str,
        *,
        actor: str,
        watch: Callable[[str, int, int], None] = _unseen,
    ) -> Move:
        """Moves a tenant to another tier, while people read and write it. A move there that
        somebody began is taken up.

        Raises:
            Conflict: it lives there, or somebody else works at it.
            MosaicError: why it was undone; the tenant is where it was.
        """
        async with self._leased(tenant) as lease:
            going = await self.moves.of(tenant.tenant_id)
            if going is not None and going.step in BACK and not going.step.ended:
                await self._run(going, lease, watch)  # what was left undone is undone first
                going = None
            if going is None or going.step.ended or going.to_tier != tier:
                going = await self.begin(tenant, tier, actor=actor)
            return await self._run(going, lease, watch)

    async def begin(self, tenant: TenantContext, tier: str, *, actor: str) -> Move:
        """Notes a move; any process that runs goes on with it.

        Raises:
            Conflict: the tenant lives there, or is moving.
        """
        await self._directory.refresh(now=True)
        home = self._directory.tenant(tenant.tenant_id) or tenant
        if home.tier == tier:
            raise Conflict(
                f"{tenant.slug!r} is on the {tier} tier already.", hint="Name another one."
            )
        target = dataclasses.replace(home, tier=tier)
        # Before anything is noted: what it lives in can be read, all of it is known to this code
        # (which may serve a tenant that is ahead), and there is where it is to live.
        persistence = self._persistence(home)
        await persistence.head(home)
        self._schema.history.require_current(
            await persistence.revision(home), f"The database of {home.slug!r}"
        )
        self._persistence(target), self._storage(target)
        return await self.moves.begin(home, tier, actor=actor)

    async def stalled(self, *, older_than: timedelta) -> list[Move]:
        """Moves that nobody went on with for some time."""
        before = datetime.now(UTC) - older_than
        return [
            move
            for move in await self.moves.unended()
            if move.changed_at < before and await self._directory.leases.of(move.tenant_id) is None
        ]

    async def cancel(self, tenant: TenantContext, *, actor: str) -> Move:
        """Has a tenant's move undone, by whoever goes on with it.

        Raises:
            NotFound: it does not move.
            Conflict: it is too late: the tenant lives in its new home.
        """
        return await self.moves.cancel(tenant, actor=actor)

    # Going on with what was begun

    async def run(self) -> None:
        """Takes up what nobody goes on with, for ever."""
        swept = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.go_on()
                if loop.time() - swept > SWEEP:
                    swept = loop.time()
                    await self.sweep()
            except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
                _log.exception("moves could not be looked for; trying again")
            await asyncio.sleep(LOOK)

    async def go_on(self) -> int:
        """Takes up each move that nobody else goes on with; how many came to an end."""
        ended = 0
        for move in await self.moves.unended():
            tenant = self._directory.tenant(move.tenant_id)
            if tenant is None:
                await self._directory.refresh(now=True)
                tenant = self._directory.tenant(move.tenant_id)
            if tenant is None:
                continue
            try:
                async with self._leased(tenant) as lease:
                    await self._run(await self.moves.get(move.id), lease, _unseen)
                ended += 1
            except LeaseTaken:
                continue
            except MosaicError as error:
                _log.warning("the move of %s: %s", tenant.slug, error)
        return ended

    def _leased(self, tenant: TenantContext) -> AbstractAsyncContextManager[Lease]:
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        return self._directory.leases.held(tenant, Work.MOVE, holder=holder)

    async def _run(self, move: Move, lease: Lease, watch: Callable[[str, int, int], None]) -> Move:
        mover = Mover(
            move,
            lease,
            self._home(move, lease, move.from_tier, move.from_epoch),
            self._home(move, lease, move.to_tier, move.to_epoch),
            moves=self.moves,
            schema=self._schema,
            shared=lambda home: self._shared(move, home, lease),
            watch=watch,
        )
        try:
            return await mover.run()
        finally:
            self._heads.forget(move.tenant_id)

    def _home(self, move: Move, lease: Lease, tier: str, epoch: int) -> Home:
        known = self._directory.tenant(move.tenant_id) or lease.tenant
        tenant = dataclasses.replace(known, tier=tier, epoch=epoch)

        async def require() -> None:
            held = await self._directory.leases.of(tenant.tenant_id)
            if held is None or held.token != lease.token:
                raise lost(lease)

        return Home(tenant, self._persistence(tenant), self._storage(tenant), require)

    # What moves left

    async def before(self, tenant: TenantContext) -> TenantContext | None:
        """The home that a tenant left for the one that is given, while that is kept."""
        for move in await self.moves.keeping(tenant.tenant_id):
            if move.step is Step.DONE and move.to_epoch == tenant.epoch:
                return dataclasses.replace(tenant, tier=move.from_tier, epoch=move.from_epoch)
        return None

    async def sweep(self, *, now: datetime | None = None) -> int:
        """Removes old homes whose time has come; how many."""
        removed = 0
        for move in await self.moves.leftover(now or datetime.now(UTC)):
            tenant = self._directory.tenant(move.tenant_id)
            if tenant is None:
                continue
            try:
                async with self._leased(tenant) as lease:
                    await self._remove(tenant, move, lease)
                removed += 1
            except LeaseTaken:
                continue
            except MosaicError as error:
                _log.warning("an old home of %s stays: %s", tenant.slug, error)
        return removed

    async def _remove(self, tenant: TenantContext, move: Move, lease: Lease) -> None:
        done = move.step is Step.DONE
        tier, epoch = (move.from_tier, move.from_epoch) if done else (move.to_tier, move.to_epoch)
        if epoch == tenant.epoch:
            raise NotFound("A home that somebody lives in is not removed.")
        old = self._home(move, lease, tier, epoch)
        await old.require()
        await old.persistence.drop(old.tenant)
        now = self._home(move, lease, tenant.tier, tenant.epoch)
        if place_of(old) != place_of(now) and not await self._shared(move, old, lease):
            await old.storage.drop(old.tenant)
        await self.moves.gone(move)

    async def _shared(self, move: Move, old: Home, lease: Lease) -> bool:
        """Whether another home that is kept has its files in the same place."""
        for other in await self.moves.keeping(move.tenant_id):
            kept = self._home(other, lease, other.from_tier, other.from_epoch)
            if other.id != move.id and place_of(kept) == place_of(old):
                return True
        return False
