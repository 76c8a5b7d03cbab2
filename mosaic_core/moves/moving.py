"""Moves on a platform: begun, taken up, cancelled, and what they left removed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from mosaic_core.database import TenantSchema
from mosaic_core.directory import Directory, Lease, Work
from mosaic_core.errors import ConfigurationError, Conflict, LeaseTaken, MosaicError
from mosaic_core.head import Heads
from mosaic_core.moves.files import place_of
from mosaic_core.moves.fit import Anything, Fit
from mosaic_core.moves.home import Home
from mosaic_core.moves.mover import Mover
from mosaic_core.moves.removing import remove_database
from mosaic_core.moves.states import BACK, FORWARD, Move, Step
from mosaic_core.moves.store import Moves
from mosaic_core.persistence import HeadStatus, Persistence
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext

_log = logging.getLogger("mosaic.moves")
#: Seconds between two looks for moves that nobody goes on with, and for what is left of old ones.
LOOK, SWEEP = 2.0, 600.0
#: Moves that a process goes on with at a time.
_TOGETHER = 4
#: What is done in these steps asks for all that the tenant's database has.
_COPYING = FORWARD[: FORWARD.index(Step.FENCE)]


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
        #: Looks once more whether a tenant fits, before it is too late.
        self.fit: Fit = Anything()

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
            DatabaseBehind, DatabaseNewer: it is not at the revision that is copied.
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
        self._schema.history.require_whole(
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

    async def settle(self, tenant: TenantContext, lease: Lease, *, actor: str) -> None:
        """Ends what a killed process left of a move: undone, or done where the tenant lives in its
        new home already.

        Args:
            lease: of whoever works at the tenant.
        """
        going = await self.moves.of(tenant.tenant_id)
        if going is None or going.step.ended:
            return
        if going.step.may_turn_back:
            going = await self.moves.cancel(tenant, actor=actor)
        try:
            await self._run(going, lease, _unseen)
        except MosaicError:
            if not (await self.moves.get(going.id)).step.ended:
                raise  # else it says why the move was undone

    async def cancel(self, tenant: TenantContext, *, actor: str) -> Move:
        """Has a tenant's move undone, by whoever goes on with it.

        Raises:
            NotFound: it does not move.
            Conflict: it is too late: the tenant lives in its new home.
        """
        return await self.moves.cancel(tenant, actor=actor)

    # Going on with what was begun

    async def run(self) -> None:
        """Takes up what nobody goes on with, for ever. A long move keeps neither the others nor the
        sweep from their turn."""
        swept = float("-inf")
        loop = asyncio.get_running_loop()
        going: dict[uuid.UUID, asyncio.Task[bool]] = {}
        turns = asyncio.Semaphore(_TOGETHER)
        try:
            while True:
                await self._whatever_happens(lambda: self._take_up_all(going, turns))
                if loop.time() - swept > SWEEP:
                    swept = loop.time()
                    await self._whatever_happens(self.sweep)
                await asyncio.sleep(LOOK)
        finally:
            for task in going.values():
                task.cancel()
            await asyncio.gather(*going.values(), return_exceptions=True)

    @staticmethod
    async def _whatever_happens(look: Callable[[], Awaitable[object]]) -> None:
        try:
            await look()
        except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
            _log.exception("moves could not be looked for; trying again")

    async def go_on(self) -> int:
        """Takes up each move that nobody else goes on with, some at a time; how many came to an
        end."""
        going: dict[uuid.UUID, asyncio.Task[bool]] = {}
        await self._take_up_all(going, asyncio.Semaphore(_TOGETHER))
        return sum(await asyncio.gather(*going.values()))

    async def _take_up_all(
        self, going: dict[uuid.UUID, asyncio.Task[bool]], turns: asyncio.Semaphore
    ) -> None:
        """Begins to go on with what is not gone on with here; what has ended is left out."""
        for move_id, task in list(going.items()):
            if task.done():
                del going[move_id]
        moves = await self.moves.unended()
        if any(self._directory.tenant(move.tenant_id) is None for move in moves):
            await self._directory.refresh(now=True)

        async def one(move: Move) -> bool:
            async with turns:
                return await self._take_up(move)

        for move in moves:
            if move.id not in going:
                going[move.id] = asyncio.create_task(one(move))

    async def _take_up(self, move: Move) -> bool:
        """Goes on with a move until it ends; whatever comes of it, the others go on."""
        tenant = self._directory.tenant(move.tenant_id)
        if tenant is None:
            return False
        try:
            if await self._beyond(move, tenant):
                return False
            async with self._leased(tenant) as lease:
                await self._run(await self.moves.get(move.id), lease, _unseen)
            return True
        except LeaseTaken:
            return False
        except MosaicError as error:
            _log.warning("the move of %s: %s", tenant.slug, error)
        except Exception:  # noqa: BLE001 - it may be this tenant's alone
            _log.exception("the move of %s could not go on", tenant.slug)
        return False

    async def _beyond(self, move: Move, tenant: TenantContext) -> bool:
        """Whether a tenant is ahead of this code, which would copy what it knows of and no more;
        newer code goes on with such a move."""
        if move.step not in _COPYING:
            return False
        home = dataclasses.replace(tenant, tier=move.from_tier, epoch=move.from_epoch)
        found = await self._persistence(home).revision(home)
        known = self._schema.history.applied
        return any(name not in known for name in filter(None, found.split(",")))

    def _leased(self, tenant: TenantContext) -> AbstractAsyncContextManager[Lease]:
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        return self._directory.leases.held(tenant, Work.MOVE, holder=holder)

    async def _run(self, move: Move, lease: Lease, watch: Callable[[str, int, int], None]) -> Move:
        source = self._home(move, lease, move.from_tier, move.from_epoch)
        try:
            target = self._home(move, lease, move.to_tier, move.to_epoch)
        except ConfigurationError as error:
            if move.step.may_turn_back or move.step in BACK:
                await self._end_without_target(move, lease, source, error)
            raise
        mover = Mover(
            move,
            lease,
            source,
            target,
            moves=self.moves,
            schema=self._schema,
            fit=self.fit,
            shared=lambda home: self._shared(move, home, lease),
            watch=watch,
        )
        try:
            return await mover.run()
        finally:
            self._heads.forget(move.tenant_id)

    async def _end_without_target(
        self, move: Move, lease: Lease, source: Home, error: ConfigurationError
    ) -> None:
        """Undoes a move whose target is not configured any more; what was made of it is removed
        once it is again."""
        if move.step.may_turn_back:
            move = await self.moves.record(move, lease, Step.REOPEN, error=str(error))
        before = (HeadStatus.FOLLOWED, HeadStatus.SETTLED, HeadStatus.FENCED)
        await source.set_status(HeadStatus.OPEN, before=before)
        await self.moves.record(move, lease, Step.UNDONE, kept_until=datetime.now(UTC))
        self._heads.forget(move.tenant_id)

    def _home(self, move: Move, lease: Lease, tier: str, epoch: int) -> Home:
        known = self._directory.tenant(move.tenant_id) or lease.tenant
        tenant = dataclasses.replace(known, tier=tier, epoch=epoch)
        persistence, storage = self._persistence(tenant), self._storage(tenant)
        return Home(tenant, persistence, storage, lambda: self._directory.leases.require(lease))

    # What moves left

    async def before(self, tenant: TenantContext) -> TenantContext | None:
        """The home that a tenant left for the one that is given, while that is kept."""
        for move in await self.moves.keeping(tenant.tenant_id):
            if move.step is Step.DONE and move.to_epoch == tenant.epoch:
                return dataclasses.replace(tenant, tier=move.from_tier, epoch=move.from_epoch)
        return None

    async def sweep(self, *, now: datetime | None = None) -> int:
        """Removes old homes whose time has come; how many. A clock that is far ahead is not
        believed."""
        now = now or await self._directory.clock.now()
        removed = 0
        for move in await self.moves.leftover(now):
            tenant = self._directory.tenant(move.tenant_id)
            if tenant is None:
                continue
            try:
                async with self._leased(tenant) as lease:
                    removed += await self._remove(move, lease, now)
            except LeaseTaken:
                continue
            except MosaicError as error:
                _log.warning("an old home of %s stays: %s", tenant.slug, error)
            except Exception:  # noqa: BLE001 - it may be this tenant's alone
                _log.exception("an old home of %s stays", tenant.slug)
        return removed

    async def _remove(self, seen: Move, lease: Lease, now: datetime) -> bool:
        """Removes what a move left, unless somebody did. Until the lease was had, all may have
        changed: the tenant may live where its files are by now."""
        self._directory.expire()
        await self._directory.refresh(now=True)
        tenant, move = self._directory.tenant(seen.tenant_id), await self.moves.get(seen.id)
        if tenant is None or move.kept_until is None or move.kept_until > now:
            return False
        if move.step is Step.DONE:
            old = self._home(move, lease, move.from_tier, move.from_epoch)
            await remove_database(old, self.moves, lease, HeadStatus.MOVED)
        else:
            old = self._home(move, lease, move.to_tier, move.to_epoch)
            await remove_database(old, self.moves, lease, HeadStatus.FENCED)
        here = self._home(move, lease, tenant.tier, tenant.epoch)
        if place_of(old) != place_of(here) and not await self._shared(move, old, lease):
            await old.require()
            await old.storage.drop(old.tenant)
        await self.moves.gone(move)
        return True

    async def _shared(self, move: Move, old: Home, lease: Lease) -> bool:
        """Whether another home that is kept has its files in the same place."""
        for other in await self.moves.keeping(move.tenant_id):
            kept = self._home(other, lease, other.from_tier, other.from_epoch)
            if other.id != move.id and place_of(kept) == place_of(old):
                return True
        return False
