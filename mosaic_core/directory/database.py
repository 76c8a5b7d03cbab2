"""The platform database: tables of the platform's own, with a head of theirs, wherever they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

from sqlalchemy import insert
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.database import History
from mosaic_core.errors import DatabaseMissing
from mosaic_core.head import PLATFORM, first_head
from mosaic_core.head.guard import Permit, migrating, permitted
from mosaic_core.persistence import Problem

#: The owner in the platform database's head.
OWNER = "platform"
#: What an error calls it.
SUBJECT = "The platform database"


class PlatformDatabase(ABC):
    """Sessions on the platform's tables. Writes take turns among processes.

    Args:
        history: the migrations that lead to the tables.
    """

    #: Where it is, for people; never with a password.
    where: str

    def __init__(self, history: History) -> None:
        self._history = history

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that sees one snapshot; the guard refuses changes."""

    @abstractmethod
    def exclusive(self, *, reserve: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """The session of one write."""

    @abstractmethod
    async def check(self) -> list[Problem]:
        """What is wrong with where it is; the tables and the log are others' business."""

    @abstractmethod
    async def _is_made(self) -> bool:
        """Whether somebody has begun to make it."""

    @abstractmethod
    def _connected(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection to what is there."""

    @abstractmethod
    def _making(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection to what is there or is made now, which no other process changes meanwhile.
        What is not committed is undone."""

    async def revision(self) -> str:
        """The revision it stands at; empty when it was never made."""
        if not await self._is_made():
            return ""
        async with self._connected() as connection:
            await connection.execution_options(**migrating())
            return await connection.run_sync(self._history.read)

    async def require_current(self) -> None:
        """Raises what is wrong when the database is at no revision that the code can serve.

        Raises:
            DatabaseMissing: it was never made.
        """
        if not await self._is_made():
            raise DatabaseMissing(
                f"There is no platform database {self.where}.",
                hint="Run 'mosaic migrate' to make it.",
            )
        revision = await self.revision()
        if revision != self._history.current:
            async with self._connected() as connection:
                await connection.execution_options(**migrating())
                applied = await connection.run_sync(self._history.read_applied)
            self._history.require_servable(revision, applied, SUBJECT)

    async def migrate(self) -> str:
        """Makes the database or brings it to the current revision, which is returned."""
        async with self._making() as connection, self._history.turn:
            await connection.execution_options(**migrating(), **permitted(Permit()))
            revision = await connection.run_sync(self._upgrade)
            await connection.commit()
        return revision

    def _upgrade(self, connection: Connection) -> str:
        revision = self._history.upgrade(connection, SUBJECT)
        if not connection.execute(PLATFORM.head.select()).first():
            connection.execute(insert(PLATFORM.head).values(**first_head(OWNER, 1)))
        return revision
