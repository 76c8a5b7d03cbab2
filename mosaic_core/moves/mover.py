"""Does a move, step by step, from wherever it stands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from mosaic_core.database import TenantSchema
from mosaic_core.directory import Lease
from mosaic_core.errors import DatabaseDamaged, LeaseLost, MosaicError, WriteTimeout
from mosaic_core.moves.effects import Effects
from mosaic_core.moves.fit import Fit
from mosaic_core.moves.home import Home
from mosaic_core.moves.progress import Noted
from mosaic_core.moves.removing import remove_database
from mosaic_core.moves.states import Move, Step
from mosaic_core.moves.store import MoveCancelled, Moves
from mosaic_core.persistence import HeadStatus

_log = logging.getLogger("mosaic.moves")
#: Seconds for which files are settled at most, and then a fence is up, before people go on and it
#: is tried again later; and how often that is done before the move is given up.
SETTLE, FENCE, FENCES = 40.0, 8.0, 3
#: How often a step is tried that meets something that passes, and the pause after the first.
_TRIES, _PAUSE = 5, 0.2
_WAITED_FOR = (Step.SETTLE, Step.FENCE, Step.SWITCH)
#: Somebody may wait for their end; the switch itself looks whether it is still wanted.
_HURRIED = (Step.SWITCH, Step.RETIRE, Step.OPEN)


class Mover:
    """One move, while this process has its lease.

    Args:
        source, target: the two homes.
        fit: looks whether the tenant still fits.
        shared: whether another home that is kept has its files where one has them.
        watch: told how far it has come.
    """

    def __init__(
        self,
        move: Move,
        lease: Lease,
        source: Home,
        target: Home,
        *,
        moves: Moves,
        schema: TenantSchema,
        fit: Fit,
        shared: Callable[[Home], Awaitable[bool]],
        watch: Callable[[str, int, int], None],
    ) -> None:
        self.move = move
        self._lease = lease
        self._source = source
        self._target = target
        self._moves = moves
        self._fit = fit
        self._revision = schema.history.current
        progress = Noted(self._note, watch)

        async def remove() -> None:
            await remove_database(target, moves, lease, HeadStatus.FENCED)

        self._effects = Effects(source, target, schema, fit, shared, remove, progress)
        self._fences = 0

    async def run(self) -> Move:
        """Goes on until the move is done, or undone.

        Raises:
            MosaicError: why it was undone; or why it stays where it is, after the switch.
        """
        failure: MosaicError | None = None
        try:
            while not self.move.step.ended:
                failure = await self._tried() or failure
        except asyncio.CancelledError:
            if self.move.step in _WAITED_FOR and not self._lease.lost:
                # Whoever waits behind the fence is not to wait for the next who takes this up.
                await asyncio.shield(asyncio.ensure_future(self._lift()))
            raise
        if failure is not None:
            raise failure
        return self.move

    async def _tried(self) -> MosaicError | None:
        """Does the next step; an error of one that can be undone begins that."""
        try:
            if self.move.step not in _HURRIED:
                self._require_wanted(await self._moves.get(self.move.id))
            await self._step()
        except LeaseLost:
            raise
        except MoveCancelled as error:
            await self._turn_back(error.message)
        except Exception as error:
            if not self.move.step.may_turn_back:
                await self._record(self.move.step, error=str(error))
                raise
            _log.warning("the move of %s is undone: %s", self._source.tenant.slug, error)
            failure = error if isinstance(error, MosaicError) else _broken(error)
            await self._turn_back(str(failure))
            return failure
        return None

    async def _step(self) -> None:
        """Does the next step, and notes that it is done."""
        step, values = self.move.step, dict[str, Any]()
        if step in _WAITED_FOR:
            if not await self._in_time(step):
                return
        elif step is Step.DISCARD:
            if not await self._could_discard():
                values["kept_until"] = datetime.now(UTC)
        else:
            await self._effect(step)
        await self._recorded(step, **values)

    async def _recorded(self, step: Step, **values: Any) -> None:
        """Notes that a step is done."""
        if step is Step.SWITCH:
            self.move = await self._moves.switch(self.move, self._lease, self._revision, self._fit)
            return
        if step is Step.FENCE:
            values["fenced_at"] = datetime.now(UTC)
        elif step is Step.OPEN:
            kept_until = await self._moves.keep_until()
            values |= {"pause": self._paused(), "kept_until": kept_until, "error": ""}
        await self._record(step.next, **values)

    async def _could_discard(self) -> bool:
        """The tenant is where it was; what cannot be removed now is removed later."""
        try:
            await self._effect(Step.DISCARD)
        except LeaseLost:
            raise
        except MosaicError as error:
            _log.warning("what was made for %s stays: %s", self._target.tenant.slug, error)
            return False
        return True

    async def _in_time(self, step: Step) -> bool:
        """Does a step for which people wait, unless it takes too long: then they go on first."""
        most, since = SETTLE if step is Step.SETTLE else FENCE, self._effects.fenced
        waited = 0.0 if since is None else time.monotonic() - since
        try:
            async with asyncio.timeout(max(most - waited, 0.0)):
                await self._effect(step)
        except TimeoutError:
            self._fences += 1
            await self._lift()
            if self._fences >= FENCES:
                raise WriteTimeout(
                    f"The last changes could not be carried over within {most:g} s.",
                    hint="Move it when less is written to it, or look at what is slow.",
                ) from None
            return False
        return True

    async def _lift(self) -> None:
        """What was to be done behind the fence takes too long: people write first."""
        await self._record(Step.FOLLOW)
        await self._effects.lift_fence()

    async def _effect(self, step: Step) -> None:
        """Does what a step is, and again when it meets something that passes."""
        for tries in range(1, _TRIES + 1):
            try:
                await self._effects.do(step)
                return
            except MosaicError as error:
                if not error.transient or tries == _TRIES:
                    raise
                await asyncio.sleep(_PAUSE * tries)

    # Notes

    async def _record(self, step: Step, **values: Any) -> None:
        self.move = await self._moves.record(self.move, self._lease, step, **values)

    async def _note(self, facts: dict[str, Any]) -> None:
        await self._record(self.move.step, progress=facts)
        self._require_wanted(self.move)

    @staticmethod
    def _require_wanted(move: Move) -> None:
        if move.cancelled and move.step.may_turn_back:
            raise MoveCancelled("The move was cancelled.")

    async def _turn_back(self, why: str) -> None:
        self._effects.fenced = None
        await self._record(Step.REOPEN, error=why)

    def _paused(self) -> int | None:
        """For how many milliseconds nobody could write."""
        if self._effects.fenced is not None:
            return round((time.monotonic() - self._effects.fenced) * 1000)
        if self.move.fenced_at is None:
            return None
        since = datetime.now(UTC) - self.move.fenced_at  # by whoever put the fence up
        return max(round(since.total_seconds() * 1000), 0)


def _broken(error: Exception) -> MosaicError:
    raised = DatabaseDamaged(
        f"The move met an error in the system: {type(error).__name__}: {error}.",
        hint="The tenant is where it was; tell whoever looks after MOSAIC.",
    )
    raised.__cause__ = error
    return raised
