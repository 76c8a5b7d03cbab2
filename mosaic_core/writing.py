"""Writing to tenants, wherever they live, and what their outboxes hold."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.directory import Directory
from mosaic_core.errors import TenantClosed, TenantReadOnly
from mosaic_core.head import TENANT, Heads, Write, Writer, has_write
from mosaic_core.head.outbox import Message, Outbox
from mosaic_core.homes import Homes
from mosaic_core.news import News
from mosaic_core.persistence import HeadState, Persistence
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.types import new_id

T = TypeVar("T")
#: Deals with one message of a tenant's outbox.
Handler = Callable[[TenantContext, Message], Awaitable[None]]


class Writing:
    """One writer for each home; a write whose tenant moves meanwhile goes on at the new one.

    Args:
        persistence: finds a tenant's.
    """

    def __init__(
        self,
        directory: Directory,
        heads: Heads,
        homes: Homes,
        persistence: Callable[[TenantContext], Persistence],
    ) -> None:
        self._directory = directory
        self._heads = heads
        self._homes = homes
        self._persistence = persistence
        self._writers: WeakValueDictionary[tuple[str, int], Writer] = WeakValueDictionary()
        #: What instances tell each other; None where they share no cache.
        self.news: News | None = None
        #: Tenants into whose outbox this process put something that it has not dealt with.
        self.pending: set[str] = set()

    async def write(
        self,
        tenant: TenantContext,
        fn: Callable[[Write], Awaitable[T]],
        *,
        actor: str,
        action: str,
        write_id: uuid.UUID | None = None,
        reserve: bool = False,
        coalesce: bool = False,
    ) -> T:
        """A write to the tenant's database (see :meth:`Writer.write`), visible here at once.

        Raises:
            TenantReadOnly, TenantClosed: the tenant takes no writes.
        """
        options: dict[str, Any] = {
            "reserve": reserve,
            "coalesce": coalesce,
            "write_id": write_id or new_id(),
        }

        async def attempt(home: TenantContext) -> T:
            require_writable(home)
            return await self.writer(home).write(fn, actor=actor, action=action, **options)

        return await self._homes.follow(tenant, attempt)

    def writer(self, home: TenantContext) -> Writer:
        """What writes to a tenant that lives there."""
        key = (home.tenant_id, home.epoch)
        writer = self._writers.get(key)
        if writer is None:
            writer = Writer(
                TENANT,
                home.tenant_id,
                partial(self._persistence(home).exclusive, home),
                hint=partial(self._hint, home.tenant_id),
                committed=partial(self._committed, home.tenant_id),
                elsewhere=partial(self._elsewhere, home),
            )
            self._writers[key] = writer
        return writer

    def _committed(self, tenant_id: str, state: HeadState) -> None:
        self._heads.committed(tenant_id, state)
        if self.news is not None:
            self.news.tell(tenant_id)

    async def _hint(self, tenant_id: str, topics: set[str]) -> None:
        self.pending.add(tenant_id)
        await self._directory.hints.give(tenant_id, topics)

    async def _elsewhere(self, home: TenantContext, write_id: uuid.UUID) -> bool:
        async def attempt(home: TenantContext) -> bool:
            async with self._persistence(home).session(home) as session:
                return await has_write(session, TENANT, write_id)

        return await self._homes.follow(home, attempt)

    # Reading what was written

    async def at_home(self, tenant: TenantContext) -> TenantContext:
        """The tenant where it lives now, as far as its head was looked at lately."""
        await self._heads.look(self._homes.of(tenant))
        return self._homes.of(tenant)

    @asynccontextmanager
    async def read(self, tenant: TenantContext) -> AsyncIterator[AsyncSession]:
        """A session that sees one snapshot and cannot write, where the tenant lives."""
        home = await self.at_home(tenant)
        async with self._persistence(home).session(home) as session:
            yield session

    # The outbox

    def outbox(self, tenant: TenantContext) -> Outbox:
        """The outbox of one tenant."""
        return Outbox(
            TENANT,
            partial(self.read, tenant),
            partial(self._write_anyway, tenant),
            partial(self._directory.hints.note, tenant.tenant_id),
        )

    async def _write_anyway(
        self, tenant: TenantContext, fn: Callable[[Write], Awaitable[T]], **options: Any
    ) -> T:
        """A write whether or not the tenant takes any from its people."""
        options["write_id"] = new_id()
        return await self._homes.follow(tenant, lambda home: self.writer(home).write(fn, **options))

    async def drain(
        self,
        tenant: TenantContext,
        handler: Handler,
        *,
        topics: Collection[str],
        most: int = 200,
    ) -> int:
        """Deals with a tenant's messages about some topics and returns how many there were.

        A message is removed after ``handler`` returned, so it may see one twice.
        """
        self.pending.discard(tenant.tenant_id)
        outbox = self.outbox(tenant)
        done = 0
        while True:
            found = await outbox.messages(topics, most)
            for message in found:
                await handler(tenant, message)
            if found:
                await outbox.acknowledge(*(message.id for message in found))
                done += len(found)
            if len(found) < most and await outbox.rest(topics, datetime.now(UTC)):
                return done


def require_writable(tenant: TenantContext) -> None:
    """Raises TenantReadOnly or TenantClosed unless the tenant takes writes."""
    if tenant.status is TenantStatus.ACTIVE:
        return
    error = TenantReadOnly if tenant.status is TenantStatus.READ_ONLY else TenantClosed
    raise error(
        f"{tenant.slug!r} is {tenant.status.value}{f': {tenant.reason}' if tenant.reason else ''}.",
        hint="'mosaic tenant resume' opens it again.",
    )
