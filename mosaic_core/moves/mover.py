"""Does a move, step by step, from wherever it stands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from mosaic_core.database import TenantSchema
from mosaic_core.directory import Lease
from mosaic_core.errors import (
    DatabaseDamaged,
    LeaseLost,
    MosaicError,
    WriteTimeout,
)
from mosaic_core.head.tables import TENANT, first_head
from mosaic_core.moves.copying import copy_rows
from mosaic_core.moves.files import FileCopies
from mosaic_core.moves.home import Home, head_of
from mosaic_core.moves.progress import Noted
from mosaic_core.moves.replay import catch_up
from mosaic_core.moves.states import Move, Step
from mosaic_core.moves.store import MoveCancelled, Moves
from mosaic_core.persistence import HeadStatus, Rows
from mosaic_core.search import SearchQuery, searched_table

_log = logging.getLogger("mosaic.moves")
#: Seconds for which a fence is up at most, before it is lifted and put up again later, and how
#: often that is done before the move is given up.
FENCE, FENCES = 8.0, 3
#: Nearly level: so few versions behind, or so often tried.
_NEAR, _PASSES = 3, 50
#: How often a step is tried that meets something that passes, and the pause after the first.
_TRIES, _PAUSE = 5, 0.2
_FENCED = (Step.FENCE, Step.FINISH, Step.SWITCH)
_TAKES_WRITES = (HeadStatus.OPEN, HeadStatus.FOLLOWED)


class Mover:
    """One move, while this process has its lease.

    Args:
        source, target: the two homes.
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
        shared: Callable[[Home], Awaitable[bool]],
        watch: Callable[[str, int, int], None],
    ) -> None:
        self.move = move
        self._lease = lease
        self._source = source
        self._target = target
        self._moves = moves
        self._schema = schema
        self._shared = shared
        self._files = FileCopies(source, target)
        self._progress = Noted(self._note, watch)
        #: The target is as it was made.
        self._fresh = False
        self._fences = 0
        #: When the fence was put up here, and for how long it was.
        self._fenced: float | None = None
        self._pause: int | None = None

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
            if self.move.step in _FENCED and not self._lease.lost:
                # Whoever waits behind the fence is not to wait for the next who takes this up.
                await asyncio.shield(asyncio.ensure_future(self._lift()))
            raise
        if failure is not None:
            raise failure
        return self.move

    async def _tried(self) -> MosaicError | None:
        """Does the next step; an error of one that can be undone begins that."""
        try:
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
        if step in _FENCED:
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
            self.move = await self._moves.switch(self.move, self._lease)
            return
        if step is Step.FENCE:
            values["fenced_at"] = datetime.now(UTC)
        elif step is Step.OPEN:
            values |= {"pause": self._pause, "kept_until": self._moves.keep_until(), "error": ""}
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
        """Does a step for which writers wait, unless it takes too long: then they write first."""
        waited = 0.0 if self._fenced is None else time.monotonic() - self._fenced
        try:
            async with asyncio.timeout(max(FENCE - waited, 0.0)):
                await self._effect(step)
        except TimeoutError:
            self._fences += 1
            await self._lift()
            if self._fences >= FENCES:
                raise WriteTimeout(
                    f"The last changes could not be carried over within {FENCE:g} s.",
                    hint="Move it when less is written to it, or look at what is slow.",
                ) from None
            return False
        return True

    async def _lift(self) -> None:
        """What was to be done behind the fence takes too long: people write first."""
        self._fenced = None
        await self._record(Step.FOLLOW)
        await self._source.set_status(HeadStatus.FOLLOWED, before=[HeadStatus.FENCED])

    async def _effect(self, step: Step) -> None:
        """Does what a step is; it may have been done before, in part or whole."""
        effects: dict[Step, Callable[[], Awaitable[Any]]] = {
            Step.PROVISION: self._provision,
            Step.COPY: self._copy,
            Step.FILES: self._level_files,
            Step.VERIFY: self._verify,
            Step.FOLLOW: self._follow,
            Step.FENCE: self._fence,
            Step.FINISH: self._finish,
            Step.SWITCH: self._may_switch,
            Step.RETIRE: self._retire,
            Step.OPEN: self._open,
            Step.REOPEN: self._reopen,
            Step.DISCARD: self._discard,
        }
        for tries in range(1, _TRIES + 1):
            try:
                await effects[step]()
                return
            except MosaicError as error:
                if not error.transient or tries == _TRIES:
                    raise
                await asyncio.sleep(_PAUSE * tries)

    # The steps

    async def _provision(self) -> None:
        target, self._fresh = self._target, True
        await target.persistence.drop(target.tenant)
        await target.require()
        head = first_head(target.tenant.tenant_id, target.tenant.epoch)
        rows = [Rows(TENANT.head, [head | {"status": HeadStatus.FENCED}])]
        await target.persistence.provision(target.tenant, rows)

    async def _copy(self) -> None:
        if not self._fresh:  # a copy that was broken off is begun anew
            await self._provision()
        self._fresh = False
        await self._source.set_status(HeadStatus.FOLLOWED, before=_TAKES_WRITES)
        await copy_rows(self._source, self._target, self._schema, self._progress)

    async def _level_files(self) -> None:
        await self._files.level(self._progress)

    async def _verify(self) -> None:
        await catch_up(self._source, self._target, self._schema, self._progress)
        await self._warm()

    async def _warm(self) -> None:
        """Has the new home's index of what is searched made, so that nobody waits for it."""
        found = searched_table(self._schema.metadata)
        if found is None:
            return
        table, searchable = found
        async with self._target.session() as session:
            by = select(*(table.c[name] for name in searchable.by)).limit(1)
            row = (await session.execute(by)).first()
        if row is not None:
            await self._target.persistence.search(
                self._target.tenant, SearchQuery("mosaic", tuple(row))
            )

    async def _follow(self) -> None:
        """Catches up until hardly anything is left for the time in which nobody can write."""
        before = (*_TAKES_WRITES, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.FOLLOWED, before=before)
        for _ in range(_PASSES):
            files = await self._files.level(self._progress)
            if await catch_up(self._source, self._target, self._schema) + files <= _NEAR:
                return

    async def _fence(self) -> None:
        before = (HeadStatus.FOLLOWED, HeadStatus.OPEN, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.FENCED, before=before)
        self._fenced = time.monotonic()

    async def _finish(self) -> None:
        """Nobody writes: what is carried over now is all there is."""
        await self._files.level(_quiet)
        await catch_up(self._source, self._target, self._schema)
        async with self._source.session() as one, self._target.session() as other:
            old, new = await head_of(one), await head_of(other)
        if old["status"] != HeadStatus.FENCED:
            raise DatabaseDamaged(
                f"The fence of {self._source.tenant.slug!r} is not up.",
                hint="Something else changed its head: run 'mosaic doctor'.",
            )
        if (old["version"], old["digest"]) != (new["version"], new["digest"]):
            raise DatabaseDamaged(
                f"The two homes of {self._source.tenant.slug!r} do not agree at their end.",
                hint="Something else writes to one of them: run 'mosaic doctor'.",
            )

    async def _may_switch(self) -> None:
        """A fence that was up all the time; what the directory says is written with the step."""
        async with self._source.session() as session:
            head = await head_of(session)
        if head["status"] != HeadStatus.FENCED:
            raise DatabaseDamaged(f"The fence of {self._source.tenant.slug!r} is not up.")

    async def _retire(self) -> None:
        before = (*_TAKES_WRITES, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.MOVED, before=before)

    async def _open(self) -> None:
        await self._target.set_status(HeadStatus.OPEN, before=[HeadStatus.FENCED])
        self._pause = self._paused()

    async def _reopen(self) -> None:
        before = (HeadStatus.FENCED, HeadStatus.FOLLOWED)
        await self._source.set_status(HeadStatus.OPEN, before=before)

    async def _discard(self) -> None:
        target = self._target
        await target.require()
        await target.persistence.drop(target.tenant)
        if not self._files.stays and not await self._shared(target):
            await target.storage.drop(target.tenant)

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

    def _paused(self) -> int | None:
        """For how many milliseconds nobody could write."""
        if self._fenced is not None:
            return round((time.monotonic() - self._fenced) * 1000)
        if self.move.fenced_at is None:
            return None
        since = datetime.now(UTC) - self.move.fenced_at  # by whoever put the fence up
        return max(round(since.total_seconds() * 1000), 0)

    async def _turn_back(self, why: str) -> None:
        self._fenced = None
        await self._record(Step.REOPEN, error=why)


async def _quiet(what: str, done: int, of: int) -> None:
    """While people wait, nothing is noted."""


def _broken(error: Exception) -> MosaicError:
    raised = DatabaseDamaged(
        f"The move met an error in the system: {type(error).__name__}: {error}.",
        hint="The tenant is where it was; tell whoever looks after MOSAIC.",
    )
    raised.__cause__ = error
    return raised
