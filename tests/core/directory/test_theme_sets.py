"""Theme sets: kept while a tenant may need one, and each tenant is renewed by one process."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from mosaic_core.database import History
from mosaic_core.directory import Directory, TenantRow
from mosaic_core.directory.database import OWNER
from mosaic_core.directory.tables import RenderedRow, ThemeSetRow
from mosaic_core.directory.theme_sets import CLAIM, KEPT, SEEN, ThemeSets
from mosaic_core.head import PLATFORM, Write, Writer
from mosaic_core.platform import platform_history
from tests.core.head.toys import toy_tenant
from tests.platforms import Place

A, B = "a" * 16, "b" * 16
ONE, TWO = toy_tenant(1).tenant_id, toy_tenant(2).tenant_id
MIGRATIONS = Path(platform_history().folders[0])


def run(place: Place, scenario: Callable[[Directory], Awaitable[None]]) -> None:
    async def main() -> None:
        database = place.database()
        await database.migrate()
        directory = Directory(database, "localhost", 3600.0)
        try:
            await scenario(directory)
        finally:
            await database.close()

    asyncio.run(main())


async def keep(sets: ThemeSets, key: str, *, serving: bool = False) -> None:
    await sets.keep(key, {"plain": key}, key.encode, serving=serving)


async def back(directory: Directory, *, seen: timedelta = timedelta(), again: timedelta) -> None:
    """What was noted was noted so much earlier."""

    async def fn(write: Write) -> None:
        for column, by in ((ThemeSetRow.seen, seen), (RenderedRow.again, again)):
            rows = update(column.class_).values({column: datetime.now(UTC) - by})
            await write.session.execute(rows)

    await directory.write(fn, actor="tester", action="test")


async def version(directory: Directory) -> int:
    await directory.refresh(now=True)
    return directory._known


def test_a_set_is_kept_once_and_noted_once_an_hour(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        sets = directory.theme_sets
        packed = []

        def pack() -> bytes:
            packed.append(True)
            return b"content"

        for _ in range(3):
            await sets.keep(A, {"plain": "1"}, pack)
        assert len(packed) == 1
        assert await version(directory) == 1
        assert await sets.content(A) == b"content"
        assert await sets.revisions() == {A: {"plain": "1"}}
        assert await sets.content(B) is None
        await back(directory, seen=SEEN, again=SEEN)
        before = await version(directory)
        await sets.keep(A, {"plain": "1"}, pack)
        assert await version(directory) == before + 1
        assert len(packed) == 1

    run(place, scenario)


def test_the_set_of_the_server_that_started_last_is_the_newest(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        sets = directory.theme_sets
        await keep(sets, A)
        assert await sets.newest() is None  # nobody serves with it
        for key in (A, B, A):
            await keep(sets, key, serving=True)
            before = await version(directory)
            await keep(sets, key, serving=True)
            assert (await sets.newest(), await version(directory)) == (key, before)

    run(place, scenario)


def test_a_tenant_with_pages_of_other_sets_is_claimed_by_one(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        sets = directory.theme_sets
        await keep(sets, A, serving=True)
        for tenant_id in (ONE, ONE, TWO):
            await sets.need(tenant_id, A)
        assert await sets.claim(A) is None
        await keep(sets, B, serving=True)
        claimed = await asyncio.gather(*(sets.claim(B) for _ in range(3)))
        assert sorted(claimed, key=str) == sorted([ONE, TWO, None], key=str)
        await sets.need(ONE, B)
        assert await sets.needed(ONE) == {A, B}
        await sets.settle(ONE, B)
        assert await sets.needed(ONE) == {B}
        assert await sets.claim(B) is None
        await back(directory, again=CLAIM)  # who claimed it was killed
        assert await sets.claim(B) == TWO
        await sets.forget(TWO)
        assert await sets.needed(TWO) == set()

    run(place, scenario)


def test_a_visited_tenant_is_claimed_before_others(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        sets = directory.theme_sets
        await keep(sets, B, serving=True)
        await sets.need(ONE, A)
        await sets.need(TWO, A)
        await sets.prefer(TWO, B)
        assert await sets.claim(B) == TWO
        await sets.prefer(TWO, B)  # somebody is at it
        assert await sets.claim(B) == ONE
        await sets.settle(ONE, B)
        await sets.prefer(ONE, B)  # what was noted of it is wrong
        assert await sets.needed(ONE) == {B, ""}
        assert await sets.claim(B) == ONE

    run(place, scenario)


def test_a_set_is_dropped_when_no_tenant_has_needed_it_for_a_day(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        sets = directory.theme_sets
        for key in (A, B):
            await keep(sets, key, serving=True)
        await sets.need(ONE, A)
        await back(directory, seen=KEPT, again=KEPT)
        assert await sets.drop(B) == 0  # it is needed
        await sets.settle(ONE, B)
        assert await sets.drop(B) == 0  # it was, a moment ago
        await back(directory, seen=KEPT, again=KEPT)
        before = await version(directory)
        assert await sets.drop(B) == 1
        assert set(await sets.revisions()) == {B}
        assert await sets.drop(B) == 0
        assert await version(directory) == before + 1  # nothing is written for nothing
        await keep(sets, A)
        assert set(await sets.revisions()) == {A, B}

    run(place, scenario)


def test_of_tenants_that_are_there_already_nobody_knows_what_they_need(
    place: Place, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for name in ("p0001_first.py", "p0002_due.py"):
        shutil.copy(MIGRATIONS / name, older)

    async def add(write: Write) -> None:  # as code of that time did
        tenant = toy_tenant(1)
        values = {name: getattr(tenant, name) for name in ("tenant_id", "slug", "name", "tier")}
        values |= {"status": "active", "reason": "", "epoch": 1, "revision": "r"}
        values |= {"subscription_status": "none", "created_at": write.at, "changed": 1}
        write.session.add(TenantRow(**values))

    async def main() -> None:
        before = place.database(History("platform", [older]))
        await before.migrate()
        await Writer(PLATFORM, OWNER, before.exclusive).write(add, actor="tester", action="test")
        await before.close()
        database = place.database()
        await database.migrate()
        async with database.session() as session:
            (row,) = await session.execute(select(RenderedRow.tenant_id, RenderedRow.theme_set))
        assert tuple(row) == (ONE, "")
        assert await Directory(database, "localhost", 3600.0).theme_sets.claim(A) == ONE
        await database.close()

    asyncio.run(main())
