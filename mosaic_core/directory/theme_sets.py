"""The themes that published pages were rendered in, kept for as long as a page needs them.

While a deployment is brought to another version, processes of both serve the same tenants, and a
page may have been rendered by either. So all themes of a version, its *theme set*, are kept here as
one object that never changes, and beside it which tenants may have pages that were rendered in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.sql import Select

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.tables import RenderedRow, ThemeSetRow
from mosaic_core.head import Write, Writer

#: Between two notes that a process has a set.
SEEN = timedelta(hours=1)
#: A set is kept for so long after it was needed: caches and browsers still have pages that ask for
#: its assets, and processes that have it may be there.
KEPT = timedelta(days=1)
#: A tenant is left to whoever renders its pages again for so long; then the next one may try.
CLAIM = timedelta(minutes=15)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_NEEDED = select(RenderedRow.again).where(
    RenderedRow.tenant_id == bindparam("tenant"), RenderedRow.theme_set == bindparam("set")
)


class ThemeSets:
    """Sets by their keys.

    What is said about a tenant is said inside a write to it, which is the only one at that time.
    So no page that visitors see was rendered in a set that is not here.
    """

    def __init__(self, database: PlatformDatabase, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    # The sets

    async def keep(
        self,
        key: str,
        revisions: Mapping[str, str],
        pack: Callable[[], bytes],
        *,
        serving: bool = False,
    ) -> None:
        """Keeps the set that this process has, and notes that it does: at least once an hour.

        With ``serving``, a server starts with it, and other versions' pages are rendered again.
        """
        begins = serving and await self.newest() != key
        async with self._database.session() as session:
            seen = await session.scalar(select(ThemeSetRow.seen).where(ThemeSetRow.key == key))
        if not begins and seen is not None and seen > datetime.now(UTC) - SEEN:
            return
        content = pack() if seen is None else b""

        async def fn(write: Write) -> None:
            row = await write.session.get(ThemeSetRow, key)
            if row is None:
                row = ThemeSetRow(key=key, revisions=dict(revisions), content=content or pack())
                write.session.add(row)
            row.seen = write.at
            if begins:
                row.began = write.at
                others = update(RenderedRow).where(RenderedRow.theme_set != key)
                await write.session.execute(others.values(again=write.at))

        await self._writer.write(fn, actor="system", action="themes.keep")

    async def newest(self) -> str | None:
        """The key of the set with which a server started last."""
        query = select(ThemeSetRow.key).where(ThemeSetRow.began.is_not(None))
        async with self._database.session() as session:
            found: str | None = await session.scalar(query.order_by(ThemeSetRow.began.desc()))
            return found

    async def revisions(self) -> dict[str, dict[str, str]]:
        """The state of each theme in each set."""
        async with self._database.session() as session:
            rows = await session.execute(select(ThemeSetRow.key, ThemeSetRow.revisions))
            return {row.key: row.revisions for row in rows}

    async def content(self, key: str) -> bytes | None:
        """A set as it was packed, if it is kept."""
        query = select(ThemeSetRow.content).where(ThemeSetRow.key == key)
        async with self._database.session() as session:
            found: bytes | None = await session.scalar(query)
            return found

    async def drop(self, key: str) -> int:
        """Drops the sets that nobody has needed for a day, but not this one; returns how many."""
        before = datetime.now(UTC) - KEPT
        needed = select(RenderedRow.theme_set)
        query = select(ThemeSetRow.key).where(
            ThemeSetRow.key != key, ThemeSetRow.seen < before, ThemeSetRow.key.not_in(needed)
        )
        if await self._first(query) is None:
            return 0

        async def fn(write: Write) -> int:
            keys = list(await write.session.scalars(query))
            await write.session.execute(delete(ThemeSetRow).where(ThemeSetRow.key.in_(keys)))
            return len(keys)

        return await self._writer.write(fn, actor="system", action="themes.drop")

    # Which tenants need them

    async def needed(self, tenant_id: str) -> set[str]:
        """The keys of the sets that a tenant's pages may need; an empty one where nobody knows."""
        query = select(RenderedRow.theme_set).where(RenderedRow.tenant_id == tenant_id)
        async with self._database.session() as session:
            return set(await session.scalars(query))

    async def need(self, tenant_id: str, key: str) -> None:
        """Notes, before the write is committed, that pages of a tenant were rendered in a set."""
        async with self._database.session() as session:
            noted = await session.scalar(_NEEDED, {"tenant": tenant_id, "set": key})
        if noted is None:
            await self._writer.write(
                self.needing(tenant_id, key), actor="system", action="themes.need"
            )

    @staticmethod
    def needing(tenant_id: str, key: str) -> Callable[[Write], Awaitable[None]]:
        """The write to the platform database that notes it of a tenant that has no pages yet."""

        async def fn(write: Write) -> None:
            await write.insert(RenderedRow(tenant_id=tenant_id, theme_set=key, again=write.at))

        return fn

    async def settle(self, tenant_id: str, key: str) -> None:
        """All pages of a tenant were rendered in this set; for caches, what they needed before is
        kept for another day."""

        async def fn(write: Write) -> None:
            mine = RenderedRow.tenant_id == tenant_id
            before = select(RenderedRow.theme_set).where(mine)
            sets = update(ThemeSetRow).where(ThemeSetRow.key.in_(before))
            await write.session.execute(sets.values(seen=write.at))
            await write.session.execute(delete(RenderedRow).where(mine))
            await self.needing(tenant_id, key)(write)

        await self._writer.write(fn, actor="system", action="themes.settle")

    async def forget(self, tenant_id: str) -> None:
        """The tenant is not there any more."""

        async def fn(write: Write) -> None:
            await write.session.execute(
                delete(RenderedRow).where(RenderedRow.tenant_id == tenant_id)
            )

        await self._writer.write(fn, actor="system", action="themes.forget")

    # Whose pages are rendered again

    async def claim(self, key: str) -> str | None:
        """A tenant that may have pages of other sets, left to the caller for a while."""
        waiting = (
            select(RenderedRow.tenant_id)
            .where(RenderedRow.theme_set != key, RenderedRow.again <= datetime.now(UTC))
            .order_by(RenderedRow.again)
        )
        if await self._first(waiting) is None:
            return None

        async def fn(write: Write) -> str | None:
            tenant_id: str | None = await write.session.scalar(waiting.limit(1))
            if tenant_id is not None:
                await write.session.execute(
                    update(RenderedRow)
                    .where(RenderedRow.tenant_id == tenant_id)
                    .values(again=write.at + CLAIM)
                )
            return tenant_id

        return await self._writer.write(fn, actor="system", action="themes.claim")

    async def prefer(self, tenant_id: str, key: str) -> None:
        """Has a tenant claimed before others: somebody saw a page of it that is of another set.
        One that somebody claimed is left alone."""
        await self._writer.write(
            self.preferring(tenant_id, key), actor="system", action="themes.prefer"
        )

    def preferring(self, tenant_id: str, key: str) -> Callable[[Write], Awaitable[None]]:
        """The write to the platform database that does so."""

        async def fn(write: Write) -> None:
            mine = (RenderedRow.tenant_id == tenant_id, RenderedRow.theme_set != key)
            others = await write.session.scalars(select(RenderedRow.theme_set).where(*mine))
            if others.first() is None:  # then what is noted here is not what the tenant has
                await self.needing(tenant_id, "")(write)
            unclaimed = update(RenderedRow).where(*mine, RenderedRow.again <= write.at)
            await write.session.execute(unclaimed.values(again=_LONG_AGO))

        return fn

    async def _first(self, query: Select[Any]) -> Any:
        async with self._database.session() as session:
            return await session.scalar(query.limit(1))
