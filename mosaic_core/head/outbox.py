"""The outbox: what is to be done after a write, kept in the same database until it is done.

Some work may be done twice without harm, such as rendering a page; several messages about it are
read, dealt with and acknowledged together. What has an effect outside, such as mail, goes through
:meth:`Outbox.take`: one process has a message for a while, and a try that fails is put off. A
process that is killed meanwhile leaves the message to the next one.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.head.tables import HeadTables
from mosaic_core.head.write import Write
from mosaic_core.types import new_id

#: Told of each topic when something is due next; None for never.
Note = Callable[[Mapping[str, datetime | None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be done after a write.

    Attributes:
        due: when it is to be done, or tried again; None once it was given up.
        attempts: how often it was tried.
        error: why the last try failed.
    """

    id: uuid.UUID
    topic: str
    payload: Any
    at: datetime
    due: datetime | None
    attempts: int
    error: str


async def enqueue(write: Write, tables: HeadTables, topic: str, payload: Any) -> uuid.UUID:
    """Puts a message into the outbox, in the same transaction as everything else; its id."""
    now, message_id = datetime.now(UTC), new_id()
    with write.permit.kernel():
        await write.session.execute(
            insert(tables.outbox).values(
                id=message_id, at=now, topic=topic, payload=payload, due=now, attempts=0, error=""
            )
        )
    write.topics.add(topic)
    return message_id


async def messages(
    session: AsyncSession, tables: HeadTables, most: int, topics: Collection[str] | None = None
) -> list[Message]:
    """The oldest messages of the outbox, at most ``most``: of some topics, or of all."""
    query = _select(tables)
    if topics is not None:
        query = query.where(tables.outbox.c.topic.in_(topics))
    rows = await session.execute(query.order_by(tables.outbox.c.id).limit(most))
    return [Message(*row) for row in rows]


async def acknowledge(write: Write, tables: HeadTables, ids: Collection[uuid.UUID]) -> int:
    """Removes messages that were dealt with; how many were there."""
    return await _changed(write, delete(tables.outbox).where(tables.outbox.c.id.in_(ids)))


class Outbox:
    """The outbox of one database.

    Args:
        session: opens a session that reads.
        write: a write to the same database, as :meth:`Writer.write` makes it.
        note: keeps for the workers when they are to look into this outbox next. A look that finds
            nothing says so while nobody else can write, so nothing that came meanwhile is missed.
    """

    def __init__(
        self,
        tables: HeadTables,
        session: Callable[[], AbstractAsyncContextManager[AsyncSession]],
        write: Callable[..., Awaitable[Any]],
        note: Note | None = None,
    ) -> None:
        self._tables = tables
        self._session = session
        self._do_write = write
        self._note = note

    async def messages(self, topics: Collection[str], most: int) -> list[Message]:
        """The oldest messages about some topics."""
        async with self._session() as session:
            return await messages(session, self._tables, most, topics)

    async def find(self, topic: str, message_id: uuid.UUID) -> Message | None:
        """One message."""
        outbox = self._tables.outbox.c
        async with self._session() as session:
            row = await session.execute(
                _select(self._tables).where(outbox.id == message_id, outbox.topic == topic)
            )
            found = row.first()
        return None if found is None else Message(*found)

    async def acknowledge(self, *ids: uuid.UUID) -> int:
        """Removes messages that were dealt with, or never will be; how many were there."""
        done = await self._write(lambda write: acknowledge(write, self._tables, ids), "acknowledge")
        return int(done)

    async def take(self, topic: str, now: datetime, lease: timedelta) -> Message | None:
        """The message that has been due for longest; no other process has it before the lease ends.
        It counts as tried from now on, and has no error until that try failed.

        Returns:
            None when nothing is due now.
        """
        outbox = self._tables.outbox.c
        oldest = (
            _select(self._tables)
            .where(outbox.topic == topic, outbox.due <= now)
            .order_by(outbox.due, outbox.id)
            .limit(1)
        )
        while True:
            async with self._session() as session:
                row = (await session.execute(oldest)).first()
            if row is None:
                return None
            found = Message(*row)
            taken = dataclasses.replace(
                found, due=now + lease, attempts=found.attempts + 1, error=""
            )
            if await self._claim(taken, outbox.due == found.due):
                return taken

    async def take_anew(
        self, topic: str, message_id: uuid.UUID, now: datetime, lease: timedelta
    ) -> Message | None:
        """One message as if it were new, whenever it is due, also one that was given up.

        Returns:
            None when it is not there, or another process has it.
        """
        found = await self.find(topic, message_id)
        if found is None or (found.attempts and not found.error and found.due is not None):
            return None
        taken = dataclasses.replace(found, due=now + lease, attempts=1, error="")
        outbox = self._tables.outbox.c
        same = outbox.due.is_(None) if found.due is None else outbox.due == found.due
        return taken if await self._claim(taken, same, hint=True) else None

    async def _claim(self, taken: Message, as_found: Any, *, hint: bool = False) -> bool:
        outbox = self._tables.outbox
        claim = (
            update(outbox)
            .where(outbox.c.id == taken.id, as_found)
            .values(due=taken.due, attempts=taken.attempts, error=taken.error)
        )

        async def fn(write: Write) -> int:
            changed = await _changed(write, claim)
            if changed and hint:  # what was given up is due again, at the latest after the lease
                write.topics.add(taken.topic)
            return changed

        return bool(await self._write(fn, "take"))

    async def put_off(self, message_id: uuid.UUID, due: datetime | None, error: str) -> None:
        """Has a message that was taken tried again at ``due``; None gives it up."""
        later = (
            update(self._tables.outbox)
            .where(self._tables.outbox.c.id == message_id)
            .values(due=due, error=error)
        )
        await self._write(partial(_changed, statement=later), "put_off")

    async def rest(self, topics: Collection[str], now: datetime) -> bool:
        """Has it noted when something is due next; False when that is now already. An outbox of
        which nothing is noted has nothing to do here."""
        if self._note is None:
            return True
        note = self._note
        outbox = self._tables.outbox.c
        query = select(outbox.topic, func.min(outbox.due)).where(outbox.topic.in_(topics))

        async def fn(write: Write) -> bool:
            rows = await write.session.execute(query.group_by(outbox.topic))
            found = {topic: due for topic, due in rows if due is not None}
            if any(due <= now for due in found.values()):
                return False
            await note({topic: found.get(topic) for topic in topics})
            return True

        return bool(await self._write(fn, "rest"))

    async def _write(self, fn: Callable[[Write], Awaitable[Any]], action: str) -> Any:
        return await self._do_write(fn, actor="system", action=f"outbox.{action}", reserve=True)


def _select(tables: HeadTables) -> Any:
    outbox = tables.outbox.c
    return select(
        outbox.id,
        outbox.topic,
        outbox.payload,
        outbox.at,
        outbox.due,
        outbox.attempts,
        outbox.error,
    )


async def _changed(write: Write, statement: Any) -> int:
    """Changes the outbox; how many messages that were. A change of none leaves no trace."""
    with write.permit.kernel():
        done = await write.session.execute(statement)
    changed = int(done.rowcount)  # type: ignore[attr-defined]
    if changed:
        write.permit.derived = True
    return changed
