"""The write: the one way in which anything that matters changes.

``await writer.write(fn, …)`` waits its turn, moves the head, runs ``fn`` with a session, logs every
change that was flushed, and commits. ``fn`` may run again, so it touches nothing but the session.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mosaic_core.database.schema import is_derived, is_kernel
from mosaic_core.errors import (
    DatabaseBusy,
    DatabaseError,
    DatabaseMissing,
    MosaicError,
    TenantFenced,
    TenantMoved,
    UnloggedWrite,
    WriteTimeout,
)
from mosaic_core.head import chain
from mosaic_core.head.guard import Permit
from mosaic_core.head.recorder import record, recording
from mosaic_core.head.rows import inserted, insertion, row_of
from mosaic_core.head.sealing import Sealing
from mosaic_core.head.tables import HeadTables, Moved
from mosaic_core.persistence import Begin, HeadState, HeadStatus
from mosaic_core.types import new_id

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """Seconds that a write may take, and how often it is tried."""

    function: float = 30.0
    commit: float = 20.0
    fence: float = 30.0
    tries: int = 8
    #: How long a transient error, such as a locked database, is tried again.
    again: float = 10.0


@dataclass(slots=True)
class Write:
    """A write while it runs. Change rows through ``session``'s objects."""

    session: AsyncSession
    info: chain.WriteInfo
    #: For the kernel: what this write may do at this moment.
    permit: Permit
    #: Topics of messages that were put into the outbox.
    topics: set[str] = field(default_factory=set)
    #: For the kernel: entries of the log that no row stands for.
    extra: list[chain.Change] = field(default_factory=list)
    #: What has to be done elsewhere before this is committed, and goes on meanwhile. It is waited
    #: for when nothing else is left to do.
    meanwhile: list[asyncio.Future[Any]] = field(default_factory=list)

    @property
    def version(self) -> int:
        return self.info.version

    @property
    def at(self) -> datetime:
        return self.info.at

    async def insert(self, new: Any) -> None:
        """Inserts a new object's row at once, in a fifth of the time that the unit of work takes
        for it. The session does not know the object, and nothing hangs on it.

        Raises:
            sqlalchemy.exc.IntegrityError: a constraint refuses it.
            UnloggedWrite: its table belongs to the kernel.
        """
        table, values = row_of(new)
        if is_kernel(table):
            raise UnloggedWrite(f"{table.name} belongs to the kernel.", hint="Leave it alone.")
        if is_derived(table) and self.permit.followed:  # the guard sees which row it is
            await self.session.execute(insert(table), values)
            return

        def run(session: Session) -> None:
            with self.permit.kernel():
                insertion(table).run(session.connection(), values)

        await self.session.run_sync(run)
        if is_derived(table):
            self.permit.changed(table)
        else:
            record(self.session.sync_session, inserted(table, values))


@dataclass(slots=True)
class _Job(Generic[T]):
    """One write, from its first try to its end."""

    fn: Callable[[Write], Awaitable[T]]
    actor: str
    action: str
    write_id: uuid.UUID
    reserve: bool
    coalesce: bool
    #: The commit was sent: from here on, only the database knows whether it happened.
    committing: bool = False
    #: Nobody waits for the result any more.
    abandoned: bool = False
    #: When it had its turn first, or saw a fence last: what passes is tried again from then on.
    since: float | None = None


class _NotCommitted(WriteTimeout):
    """The commit was sent, its answer did not come, and the database says that it did not happen.
    So the write may be tried again."""

    transient = True


class Writer:
    """Writes to one database, one at a time in this process.

    Args:
        tables: the head's tables in that database.
        owner: whose database it must be; a write to any other is refused.
        begin: opens a write's session, holding off other processes.
        hint: told, before the commit, of the topics that the write put into the outbox.
        committed: told of every commit, before the write returns.
        elsewhere: says whether a write is in the log of the home that came after this one, which
            is asked when this one is no more.
    """

    def __init__(
        self,
        tables: HeadTables,
        owner: str,
        begin: Begin,
        *,
        hint: Callable[[set[str]], Awaitable[None]] | None = None,
        committed: Callable[[HeadState], None] | None = None,
        elsewhere: Callable[[uuid.UUID], Awaitable[bool]] | None = None,
        limits: WriteLimits | None = None,
    ) -> None:
        self._tables = tables
        self._owner = owner
        self._sealing = Sealing(tables, owner)
        self._begin = begin
        self._hint = hint
        self._committed = committed
        self._elsewhere = elsewhere
        self._limits = limits or WriteLimits()
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def write(
        self,
        fn: Callable[[Write], Awaitable[T]],
        *,
        actor: str,
        action: str,
        write_id: uuid.UUID | None = None,
        reserve: bool = False,
        coalesce: bool = False,
    ) -> T:
        """Runs ``fn`` in a write and returns what it returned. Applied once or not at all.

        A write that changes nothing leaves no trace. When the caller is cancelled, the write is
        undone, unless its commit has begun: then the commit is finished first.

        Args:
            write_id: unique in the change log; a repeated id is refused by the database.
            reserve: may use the room beyond the tier's limit that deleting needs.
            coalesce: drop the image that the same actor's same action left just before, as
                autosaves do.

        Raises:
            WriteTimeout: ``fn`` or the commit took too long.
            TenantFenced: the fence of a move did not lift in time.
            TenantMoved: this home is not the tenant's any more.
            DatabaseError: what the strategy reports.
        """
        job = _Job(fn, actor, action, write_id or new_id(), reserve, coalesce)
        task = asyncio.create_task(self._tries(job))
        self._running.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            job.abandoned = True
            if not job.committing:
                task.cancel()
            await asyncio.wait([task])
            raise

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen by the caller, unless it was cancelled meanwhile

    async def _tries(self, job: _Job[T]) -> T:
        loop = asyncio.get_running_loop()
        started = loop.time()
        tries = 0
        while True:
            try:
                async with self._turn:
                    return await self._behind_fence(job, started)
            except MosaicError as error:
                tries += 1
                since = started if job.since is None else job.since
                late = tries >= self._limits.tries or loop.time() - since > self._limits.again
                if job.abandoned or late or not error.transient:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02 * 2**tries))  # noqa: S311

    async def _behind_fence(self, job: _Job[T], started: float) -> T:
        """Tries once; while the head is fenced, again and again. The others of this process wait
        for their turn meanwhile: one who asks is enough."""
        loop = asyncio.get_running_loop()
        if job.since is None:
            job.since = loop.time()
        while True:
            try:
                return await self._try(job)
            except TenantFenced:
                job.since = loop.time()
                late = job.since - started > self._limits.fence
                if job.abandoned or late:
                    raise
                await asyncio.sleep(0.05)

    async def _try(self, job: _Job[T]) -> T:
        state: HeadState | None = None
        job.committing = False
        try:
            async with self._begin(reserve=job.reserve) as session:
                permit = Permit()
                head = _taken(await session.run_sync(self._sealing.move, permit), self._owner)
                permit.followed = HeadStatus(head.status).followed
                now = datetime.now(UTC)
                info = chain.WriteInfo(job.write_id, head.version, now, job.actor, job.action)
                write = Write(session, info, permit)
                async with _limit(self._limits.function, job.action):
                    with recording(session.sync_session, permit) as changes:
                        result = await job.fn(write)
                        if permit.spoiled:
                            raise permit.spoil("")
                        await session.flush()
                    changes += write.extra
                    if permit.followed:
                        changes += _touched(permit)
                    if changes or permit.derived or write.topics:
                        state = await session.run_sync(
                            self._sealing.seal, info, permit, head, changes, coalesce=job.coalesce
                        )
                    if write.topics and self._hint is not None:
                        await self._hint(write.topics)
                    for other in write.meanwhile:
                        await asyncio.shield(other)
                if state is None:
                    return result
                job.committing = permit.committing = True
                async with asyncio.timeout(self._limits.commit):
                    await session.commit()
        except Exception as error:
            # Also an error while the session is closed: it may come after the commit.
            if not job.committing:
                raise
            if not await self._applied(job.write_id):
                if isinstance(error, MosaicError) and type(error) is not DatabaseError:
                    raise
                raise _NotCommitted(
                    f"The write {job.write_id} was not committed: {error or 'no answer'}.",
                    hint="Try again; nothing was changed.",
                ) from error
        if state is not None and self._committed is not None:
            self._committed(state)
        return result

    async def _applied(self, write_id: uuid.UUID) -> bool:
        """Whether a write whose commit went unanswered is in the log.

        Moving the head first, which is rolled back, waits for a commit that is still on its way.
        """
        for pause in (0.0, 0.1, 0.5, 2.0):
            await asyncio.sleep(pause)
            try:
                async with self._begin(reserve=True) as session:
                    await session.run_sync(self._sealing.move, Permit())
                    return await has_write(session, self._tables, write_id)
            except DatabaseBusy:
                continue
            except DatabaseMissing:
                if self._elsewhere is None:
                    raise
                return await self._elsewhere(write_id)
        raise WriteTimeout(
            f"The database did not say whether the write {write_id} was committed.",
            hint=f"Look for {write_id} in the change log before you repeat it.",
        )


async def has_write(session: AsyncSession, tables: HeadTables, write_id: uuid.UUID) -> bool:
    """Whether a write is in the change log."""
    log = tables.changes
    found = await session.scalar(select(log.c.version).where(log.c.write_id == write_id).limit(1))
    return found is not None


def _touched(permit: Permit) -> list[chain.Change]:
    """What was changed of derived tables past the unit of work."""
    return [
        chain.Change(chain.DERIVE, name, rows, None)
        for name, found in sorted(permit.touched.items())
        for rows in sorted(found)
    ]


def _taken(head: Moved, owner: str) -> Moved:
    """The head itself, when this home takes writes."""
    if head.status == HeadStatus.FENCED:
        raise TenantFenced(f"{owner} is being moved.", hint="Try again in a moment.")
    if head.status == HeadStatus.MOVED:
        raise TenantMoved(f"{owner} has moved.", hint="Try again.")
    return head


class _limit:  # noqa: N801 - used as a statement
    """A time limit whose error names the action."""

    def __init__(self, seconds: float, action: str) -> None:
        self._seconds = seconds
        self._action = action
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *exc: Any) -> None:
        try:
            await self._timeout.__aexit__(*exc)
        except TimeoutError:
            if not self._timeout.expired():
                raise
            raise WriteTimeout(
                f"{self._action} held the head for more than {self._seconds:g} s and was undone.",
                hint="Do slow work before the write, or split it.",
            ) from None
