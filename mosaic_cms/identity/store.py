"""What is known of people in the platform database, and what of it is kept in memory.

Whoever asks gets what was true at most ``freshness`` ago: a process looks at the directory's
version then, and forgets what it keeps when anything of this was changed, here or elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.conditions import Conditions
from mosaic_cms.identity.tables import IdentityState
from mosaic_cms.scope import Actor
from mosaic_core.directory import Directory
from mosaic_core.head import Write

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
_Then = Callable[[], Awaitable[None]]
#: Entries of one kind that are kept; a flood of invented ones starts over.
_MOST = 20_000
#: Where a database session has what is to be done once its write is committed.
_THEN = "mosaic identity: then"


class Kept(Generic[K, V]):
    """What was looked up, until anything changes."""

    def __init__(self) -> None:
        self._found: dict[K, V] = {}
        self._cleared = 0

    def get(self, key: K) -> V | None:
        return self._found.get(key)

    def put(self, key: K, value: V) -> None:
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[key] = value

    async def look_up(self, key: K, look: Callable[[], Awaitable[V | None]]) -> V | None:
        """What a look finds, which is kept unless something changed during the look."""
        cleared = self._cleared
        value = await look()
        if value is not None and cleared == self._cleared:
            self.put(key, value)
        return value

    def clear(self) -> None:
        self._found.clear()
        self._cleared += 1


class Forgetful(Protocol):
    """Something that is kept in memory."""

    def clear(self) -> None:
        """Forgets it."""
        ...


F = TypeVar("F", bound=Forgetful)


class IdentityStore:
    """Reads and writes the tables of :mod:`mosaic_cms.identity.tables`."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._kept: list[Forgetful] = []
        self._seen = -1
        self._changed = -1

    def keep(self, kept: F) -> F:
        """Has something forgotten whenever anything changes."""
        self._kept.append(kept)
        return kept

    async def refresh(self) -> None:
        """Forgets what is not true any more, when the last look is older than ``freshness``."""
        await self.directory.refresh()
        version = self.directory.version
        if version != self._seen:
            async with self.session() as session:
                changed = await session.scalar(select(IdentityState.version))
            self._seen = version
            if changed != self._changed:
                self._changed = changed or 0
                for kept in self._kept:
                    kept.clear()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one snapshot and cannot write."""
        async with self.directory.database.session() as session:
            yield session

    async def write(
        self,
        fn: Callable[[Write], Awaitable[T]],
        *,
        actor: Actor | str,
        action: str,
        kept: bool | Callable[[T], bool] = True,
    ) -> T:
        """A write, known here when it returns and elsewhere within ``freshness``.

        Args:
            actor: who asks for it, on their conditions; or in whose name it is logged.
            kept: whether it may change what is kept in memory; a function says so of the result.
        """

        conditions = (actor.conditions if isinstance(actor, Actor) else None) or Conditions()
        write_id = conditions.next_id()

        async def noted(write: Write) -> tuple[T, bool, list[_Then]]:
            await conditions.require_on_platform(write)
            then: list[_Then] = []
            write.session.info[_THEN] = then
            result = await fn(write)
            changed = kept(result) if callable(kept) else kept
            if changed:
                await self.changed(write)
            return result, changed, then

        async def attempt() -> tuple[T, bool, list[_Then]]:
            return await self.directory.write(
                noted, actor=str(actor), action=action, write_id=write_id
            )

        result, changed, then = await conditions.attempt(attempt)
        conditions.committed_on_platform()
        if changed:
            await self.refresh()
        for do in then:
            await do()
        return result

    def afterwards(self, write: Write, do: _Then) -> None:
        """Has something done once a write of :meth:`write` is committed, before that returns. What
        it raises is raised there."""
        write.session.info[_THEN].append(do)

    async def changed(self, write: Write) -> None:
        """Notes, inside a write, that it changes what is kept in memory."""
        await write.session.flush()
        await write.session.execute(update(IdentityState).values(version=write.version))
