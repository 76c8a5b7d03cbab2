"""The index of what is searched: made when it is needed, and exact ever after."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from mosaic_core.database import sqlite
from mosaic_core.errors import QuotaExceeded
from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.tools import write
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import Leaflet, put_leaflet
from tests.core.file_databases.searching import (
    contents,
    file_of,
    found,
    has_index,
    leaflets_index,
    opened,
    publish,
    run,
    spelled,
)
from tests.core.head.toys import nothing_leaks

WORDS = ("tile", "tulip", "straße", "Łódź", "検索", "東京タワー", "Αθήνα", "كتاب", "\ue000", "x1")


def test_who_is_not_searched_has_no_index_and_the_first_search_makes_it(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        assert not has_index(tmp_path, tenant)
        answers = await asyncio.gather(*(found(persistence, tenant, "tiles") for _ in range(5)))
        assert answers == [1] * 5
        assert has_index(tmp_path, tenant)
        await publish(persistence, tenant, "More tiles")
        assert await found(persistence, tenant, "tiles") == 2

    run(tmp_path, test)


#: An index as an earlier version had it: tables of the same names and other columns.
EARLIER = """
    CREATE TABLE search_documents (document_id INTEGER PRIMARY KEY, id, language, room);
    CREATE VIEW search_content AS SELECT 1 AS document_id, '' AS scope, '' AS title;
    CREATE VIRTUAL TABLE search_words
        USING fts5(scope, title, content = 'search_content', content_rowid = 'document_id');
    CREATE VIRTUAL TABLE search_vocabulary USING fts5vocab(search_words, row);
    CREATE TRIGGER search_inserted AFTER INSERT ON leaflets BEGIN
        INSERT INTO search_documents (id, language, room)
        VALUES (new.id, new.language, new.room);
    END;
    PRAGMA user_version = 7;
"""


def test_the_index_of_an_earlier_version_is_made_anew(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        with closing(sqlite3.connect(file_of(tmp_path, tenant))) as connection:
            connection.executescript(EARLIER)
        await publish(persistence, tenant, "More tiles")
        assert await found(persistence, tenant, "tiles") == 2
        await publish(persistence, tenant, "Yet more tiles")
        assert await found(persistence, tenant, "tiles") == 3
        assert await persistence.check(tenant) == []

    run(tmp_path, test)


def test_an_index_that_was_left_half_made_is_gone_on_with(tmp_path: Path) -> None:
    async def change(writing: Write) -> None:
        leaflets = (await writing.session.scalars(select(Leaflet).order_by(Leaflet.id))).all()
        for leaflet in leaflets[::7]:
            leaflet.title = f"Changed {leaflet.title}"
        for leaflet in leaflets[1::7]:
            await writing.session.delete(leaflet)
        for language in ("en", "de", "tr"):
            await put_leaflet(writing, "Iznik news", language=language)

    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        await publish(persistence, tenant, *(f"Tile {n}" for n in range(200)))
        path, index = file_of(tmp_path, tenant), leaflets_index()
        steps = 0
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            while not index.step(connection, 0.0):
                assert not index.is_in(connection)
                if steps < 4:
                    await write(persistence, tenant, change)
                if steps == 2:
                    await persistence.compact(tenant)
                steps += 1
        assert steps > 4
        assert await found(persistence, tenant, "changed tile") > 10
        assert await found(persistence, tenant, "news") > 0
        kept = contents(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            index.remove(connection)
        assert not has_index(tmp_path, tenant)
        await found(persistence, tenant, "tile")
        assert contents(path) == kept

    run(tmp_path, test)


def test_while_one_waits_for_its_index_others_are_searched(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        other = make_tenant()
        await persistence.provision(other)
        await publish(persistence, other, "Other tiles")
        lock = file_of(tmp_path, tenant).with_suffix(".lock")
        async with sqlite.Turns().take(lock):
            waiting = [asyncio.create_task(found(persistence, tenant, "tiles")) for _ in range(10)]
            assert await found(persistence, other, "tiles") == 1
            waiting[0].cancel()
            await asyncio.sleep(0)
            assert not any(task.done() for task in waiting[1:])
        assert await asyncio.gather(*waiting[1:]) == [1] * 9

    run(tmp_path, test)


def test_without_room_for_an_index_there_is_none_of_it_and_all_else_works(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=1_000_000) as persistence:
            tenant, dice = make_tenant(), random.Random(5)
            await persistence.provision(tenant)
            texts = [
                " ".join(f"{dice.randrange(10**8):x}" for _ in range(30)) for _ in range(2_200)
            ]
            await publish(persistence, tenant, *texts)
            with closing(sqlite3.connect(file_of(tmp_path, tenant))) as beside:
                seen = [beside.execute("PRAGMA data_version").fetchone()]
                for _ in range(2):
                    with pytest.raises(QuotaExceeded, match="at the roomy tier's limit"):
                        await found(persistence, tenant, "tiles")
                    query = "SELECT name FROM sqlite_master WHERE name LIKE 'search%'"
                    assert beside.execute(query).fetchall() == []
                    assert beside.execute("PRAGMA user_version").fetchone() == (0,)
                    seen.append(beside.execute("PRAGMA data_version").fetchone())
            assert seen[0] != seen[1]
            assert seen[1] == seen[2]  # not tried again at once
            await publish(persistence, tenant, "Tiles")

    asyncio.run(main())


def test_a_few_files_stay_open_between_searches(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        every = [make_tenant() for _ in range(20)]
        for other in every:
            await persistence.provision(other)
            await publish(persistence, other, "Tiles")
            assert await found(persistence, other, "tiles") == 1
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(2):
            for other in every:
                assert await found(persistence, other, "tiles") == 1
        assert len(os.listdir("/proc/self/fd")) <= before

    with nothing_leaks():
        run(tmp_path, test)


def test_a_tenant_made_anew_is_searched_by_an_instance_that_had_the_old_one_open(
    tmp_path: Path,
) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        async with opened(tmp_path) as others:
            for _ in range(2):
                assert await found(others, tenant, "tiles") == 1
                await persistence.drop(tenant)
                await persistence.provision(tenant)
                await publish(persistence, tenant, "Anew", "Tiles anew")
            assert await found(others, tenant, "anew") == 2
            assert await found(others, tenant, "iznik") == 0

    run(tmp_path, test)


def test_a_migration_brings_the_index_along(tmp_path: Path) -> None:
    async def main() -> None:
        searched, other = make_tenant(), make_tenant()
        async with opened(tmp_path) as persistence:
            for tenant in (searched, other):
                await persistence.provision(tenant)
                await publish(persistence, tenant, "Iznik tiles")
            assert await found(persistence, searched, "tiles") == 1
        async with opened(tmp_path, newer=True) as persistence:
            await persistence.migrate(searched)
            await persistence.migrate(other)
            assert has_index(tmp_path, searched)
            assert not has_index(tmp_path, other)
            for tenant in (searched, other):
                await publish(persistence, tenant, "More tiles")
                assert await found(persistence, tenant, "tiles") == 2

    asyncio.run(main())


def test_after_any_changes_the_index_equals_one_that_is_made_from_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)

    async def change(writing: Write) -> None:
        leaflets = list(await writing.session.scalars(select(Leaflet).order_by(Leaflet.id)))
        for leaflet in dice.sample(leaflets, min(len(leaflets), 4)):
            match dice.randrange(4):
                case 0:
                    await writing.session.delete(leaflet)
                case 1:
                    leaflet.language = dice.choice(("en", "de", "tr"))
                case 2:
                    leaflet.title, leaflet.text = some(), some()
                case _:
                    leaflet.summary = some()
        for _ in range(3):
            await put_leaflet(writing, some(), some(), summary=some())

    def some() -> str:
        return " ".join(dice.choices(WORDS, k=dice.randrange(6)))

    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        await found(persistence, tenant, "tiles")
        for turn in range(40):
            await write(persistence, tenant, change)
            if turn % 13 == 5:
                await persistence.compact(tenant)
        path, index = file_of(tmp_path, tenant), leaflets_index()
        kept = contents(path)
        assert all(kept)
        assert await persistence.check(tenant) == []
        words = spelled(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            index.remove(connection)
            while not index.step(connection, 0.0):
                pass
        assert contents(path) == kept
        assert words >= spelled(path)

    run(tmp_path, test)
