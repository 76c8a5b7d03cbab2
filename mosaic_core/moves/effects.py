"""What each step of a move does. Each can be done again, from wherever it was left."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from sqlalchemy import select

from mosaic_core.database import TenantSchema
from mosaic_core.errors import DatabaseDamaged
from mosaic_core.head.tables import TENANT, first_head
from mosaic_core.moves.copying import copy_rows
from mosaic_core.moves.files import FileCopies
from mosaic_core.moves.fit import Fit
from mosaic_core.moves.home import Home, head_of
from mosaic_core.moves.progress import Progress
from mosaic_core.moves.replay import catch_up
from mosaic_core.moves.states import Step
from mosaic_core.persistence import HeadStatus, Rows
from mosaic_core.search import SearchQuery, searched_table

#: Nearly level: so few versions behind, or so often tried, or so often in no less time than before.
_NEAR, _PASSES, _SHORTER, _IN_VAIN = 3, 50, 0.8, 4
_TAKES_WRITES = (HeadStatus.OPEN, HeadStatus.FOLLOWED, HeadStatus.SETTLED)


class Effects:
    """The steps between two homes.

    Args:
        fit: looks whether the tenant still fits.
        shared: whether another home that is kept has its files where one has them.
        remove: removes the database of the target, which nobody lives in.
    """

    def __init__(
        self,
        source: Home,
        target: Home,
        schema: TenantSchema,
        fit: Fit,
        shared: Callable[[Home], Awaitable[bool]],
        remove: Callable[[], Awaitable[None]],
        progress: Progress,
    ) -> None:
        self._source = source
        self._target = target
        self._schema = schema
        self._fit = fit
        self._shared = shared
        self._remove = remove
        self._progress = progress
        self._files = FileCopies(source, target)
        #: The target is as it was made.
        self._fresh = False
        #: When the fence was put up here (monotonic seconds).
        self.fenced: float | None = None

    async def do(self, step: Step) -> None:
        """Does a step; it may have been done before, in part or whole."""
        effects: dict[Step, Callable[[], Awaitable[None]]] = {
            Step.PROVISION: self._provision,
            Step.COPY: self._copy,
            Step.FILES: self._level_files,
            Step.VERIFY: self._verify,
            Step.FOLLOW: self._follow,
            Step.SETTLE: self._settle,
            Step.FENCE: self._fence,
            Step.SWITCH: self._finish,
            Step.RETIRE: self._retire,
            Step.OPEN: self._open,
            Step.REOPEN: self._reopen,
            Step.DISCARD: self._discard,
        }
        await effects[step]()

    async def lift_fence(self) -> None:
        """The old home takes writes again, and is followed."""
        self.fenced = None
        before = (HeadStatus.SETTLED, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.FOLLOWED, before=before)

    async def _provision(self) -> None:
        target, self._fresh = self._target, True
        await self._require_current(self._source)
        await self._remove()
        await target.require()
        head = first_head(target.tenant.tenant_id, target.tenant.epoch)
        rows = [Rows(TENANT.head, [head | {"status": HeadStatus.FENCED}])]
        await target.persistence.provision(target.tenant, rows)

    async def _copy(self) -> None:
        if not self._fresh:  # a copy that was broken off is begun anew
            await self._provision()
        self._fresh = False
        await self._require_current(self._source, self._target)
        await self._source.set_status(HeadStatus.FOLLOWED, before=_TAKES_WRITES)
        await copy_rows(self._source, self._target, self._schema, self._progress)

    async def _require_current(self, *homes: Home) -> None:
        """What is copied is what this code knows of: all there is, at the code's own revision."""
        for home in homes:
            revision = await home.persistence.revision(home.tenant)
            subject = f"The database of {home.tenant.slug!r} (epoch {home.tenant.epoch})"
            self._schema.history.require_whole(revision, subject)

    async def _level_files(self) -> None:
        await self._files.level(self._progress)

    async def _verify(self) -> None:
        await catch_up(self._source, self._target, self._schema, self._progress)
        await self._warm()

    async def _warm(self) -> None:
        """Has the new home's index of what is searched made, so that nobody waits for it."""
        found = searched_table(self._schema.metadata.sorted_tables)
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
        await self._fit.require(self._source.tenant, self._target.tenant.tier)
        before = (*_TAKES_WRITES, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.FOLLOWED, before=before)
        shortest, in_vain = float("inf"), 0
        for _ in range(_PASSES):
            began = time.monotonic()
            files = await self._files.level(self._progress)
            behind = await catch_up(self._source, self._target, self._schema) + files
            took = time.monotonic() - began
            # Where so much is written that there is always more, the next will take as long.
            in_vain = in_vain + 1 if took > _SHORTER * shortest else 0
            if behind <= _NEAR or in_vain == _IN_VAIN:
                return
            shortest = min(shortest, took)

    async def _settle(self) -> None:
        """Asks for the last time which files there are, before anybody waits who writes rows."""
        if self._files.stays:
            return
        await self._source.set_status(HeadStatus.SETTLED, before=_TAKES_WRITES)
        await self._files.level(_quiet)
        await catch_up(self._source, self._target, self._schema)  # that may have taken a while

    async def _fence(self) -> None:
        before = (*_TAKES_WRITES, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.FENCED, before=before)
        self.fenced = time.monotonic()

    async def _finish(self) -> None:
        """Nobody writes: what is carried over now is all there is. That the directory says so is
        written with the step."""
        await self._require_current(self._source, self._target)
        if self._files.there is None:  # another process settled them: what it came to is not known
            await self._files.level(_quiet)
        await catch_up(self._source, self._target, self._schema)
        async with self._source.session() as one, self._target.session() as other:
            old, new = await head_of(one), await head_of(other)
        agree = (old["version"], old["digest"]) == (new["version"], new["digest"])
        if old["status"] != HeadStatus.FENCED or not agree:
            raise DatabaseDamaged(
                f"The two homes of {self._source.tenant.slug!r} do not agree at their end, or the "
                "fence was not up.",
                hint="Something else writes to one of them: run 'mosaic doctor'.",
            )

    async def _retire(self) -> None:
        before = (*_TAKES_WRITES, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.MOVED, before=before)

    async def _open(self) -> None:
        await self._target.set_status(HeadStatus.OPEN, before=[HeadStatus.FENCED])

    async def _reopen(self) -> None:
        before = (HeadStatus.FOLLOWED, HeadStatus.SETTLED, HeadStatus.FENCED)
        await self._source.set_status(HeadStatus.OPEN, before=before)

    async def _discard(self) -> None:
        target = self._target
        await self._remove()
        if not self._files.stays and not await self._shared(target):
            await target.require()
            await target.storage.drop(target.tenant)


async def _quiet(what: str, done: int, of: int) -> None:
    """While people wait, nothing is noted."""
