"""The index of what is searched: made when it is needed, exact ever after, and bounded."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from mosaic_tenancy_sqlite.plugin import mosaic_persistence
from mosaic_tenancy_sqlite.search_index import SearchIndex
from mosaic_tenancy_sqlite.spelling import distance
from mosaic_tenancy_sqlite.words import FOLDS, fold, words_of
from sqlalchemy import select

from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.search import CLOSE, MOST_FOUND, OPEN, SearchQuery, segments
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.tools import add_toy, write
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.tables import ROOM, Leaflet, ToyBase, put_leaflet, toy_schema

WORDS = ("tile", "tulip", "straße", "Łódź", "検索", "東京タワー", "Αθήνα", "كتاب", "\ue000", "x1")


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Persistence]:
    provider = mosaic_persistence()
    services = make_services(folder, provider=provider.name, schema=toy_schema(**options))
    async with provider.open(provider.settings(), services) as persistence:
        yield persistence


def run(tmp_path: Path, test: Callable[[Persistence, TenantContext], Awaitable[None]]) -> None:
    """Runs a test with a tenant that has one leaflet, ``Iznik tiles``."""

    async def main() -> None:
        async with opened(tmp_path) as persistence:
            tenant = make_tenant()
            await persistence.provision(tenant)
            await publish(persistence, tenant, "Iznik tiles")
            await test(persistence, tenant)

    asyncio.run(main())


async def publish(persistence: Persistence, tenant: TenantContext, *titles: str) -> None:
    async def fn(writing: Write) -> None:
        for title in titles:
            await put_leaflet(writing, title)

    await write(persistence, tenant, fn)


async def found(persistence: Persistence, tenant: TenantContext, text: str) -> int:
    return (await persistence.search(tenant, SearchQuery(text, (ROOM, "en")))).total


def file_of(tmp_path: Path, tenant: TenantContext) -> Path:
    return tmp_path / "tenants" / f"{tenant.tenant_id}.db"


def has_index(tmp_path: Path, tenant: TenantContext) -> bool:
    index = SearchIndex.of(ToyBase.metadata)
    assert index is not None
    with closing(sqlite3.connect(file_of(tmp_path, tenant))) as connection:
        return index.is_in(connection)


def test_who_is_not_searched_has_no_index_and_the_first_search_makes_it(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        assert not has_index(tmp_path, tenant)
        answers = await asyncio.gather(*(found(persistence, tenant, "tiles") for _ in range(5)))
        assert answers == [1] * 5
        assert has_index(tmp_path, tenant)
        await publish(persistence, tenant, "More tiles")
        assert await found(persistence, tenant, "tiles") == 2

    run(tmp_path, test)


def test_another_definition_of_the_index_is_made_anew(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        assert await found(persistence, tenant, "tiles") == 1
        with closing(sqlite3.connect(file_of(tmp_path, tenant))) as connection:
            connection.execute("DROP TRIGGER search_inserted")
            connection.execute("PRAGMA user_version = 7")
        await publish(persistence, tenant, "More tiles")
        assert await found(persistence, tenant, "tiles") == 2
        await publish(persistence, tenant, "Yet more tiles")
        assert await found(persistence, tenant, "tiles") == 3

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


def contents(path: Path) -> list[list[tuple[Any, ...]]]:
    """All that an index has, words and places, by the rows that they are of."""
    with closing(sqlite3.connect(path)) as connection:
        rows = {
            number: (key, language)
            for number, key, language in connection.execute(
                "SELECT document_id, id, language FROM search_documents"
            )
        }
        tables = []
        for table in ("search_words", "search_grams"):
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.v_{table} USING fts5vocab(main, {table}, instance)"
            )
            found = connection.execute(f"SELECT term, doc, col, offset FROM temp.v_{table}")
            tables.append(sorted((rows[doc], term, col, at) for term, doc, col, at in found))
        return tables


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
        path, index = file_of(tmp_path, tenant), SearchIndex.of(ToyBase.metadata)
        kept = contents(path)
        assert index is not None
        assert all(kept)
        assert await persistence.check(tenant) == []
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            index.remove(connection)
            while not index.step(connection, 0.0):
                pass
        assert contents(path) == kept

    run(tmp_path, test)


def test_a_word_that_is_everywhere_is_counted_up_to_a_bound_and_titles_come_first(
    tmp_path: Path,
) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        async def fn(writing: Write) -> None:
            for n in range(MOST_FOUND + 100):
                await put_leaflet(writing, f"Number {n}", "common words")

        await publish(persistence, tenant, "A common title")
        await write(persistence, tenant, fn)
        result = await persistence.search(tenant, SearchQuery("common", (ROOM, "en")))
        assert (result.total, result.more) == (MOST_FOUND, True)
        assert result.hits[0].key[1] == "A common title"
        assert result.hits[1].key[1] == f"Number {MOST_FOUND + 99}"

    run(tmp_path, test)


def test_what_is_not_searched_moves_nothing(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        await found(persistence, tenant, "tiles")
        before = contents(file_of(tmp_path, tenant))
        await add_toy(persistence, tenant, "a toy of tiles")
        assert contents(file_of(tmp_path, tenant)) == before
        assert await found(persistence, tenant, "toy") == 0

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        *[("tulip", "tulip", 0), ("tulip", "tulips", 1), ("tulip", "tupil", 2), ("ab", "ba", 1)],
        *[
            ("mosque", "mosqe", 1),
            ("mosque", "msoqe", 2),
            ("mosque", "garden", 3),
            ("aa", "aaa", 1),
        ],
        *[("tile", "xtile", 1), ("tiles", "tile", 1), ("abab", "ab", 2)],
    ],
)
def test_slips_are_counted_both_ways(one: str, other: str, slips: int) -> None:
    assert distance(one, other, 2) == distance(other, one, 2) == slips


def test_folding_a_text_keeps_its_words_apart_as_they_were() -> None:
    assert all(plain == "" or plain.isalpha() for plain in FOLDS.values())
    assert [fold(word) for word in words_of("Straße, ŁÓDŹ & İstanbul!")] == [
        "strasse",
        "lodz",
        "istanbul",
    ]
    assert words_of("\0 '\" \u0301 ـ \ud800") == []


def test_a_marked_text_comes_in_pieces_whatever_is_in_it() -> None:
    assert list(segments(f"a {OPEN}b{CLOSE} c")) == [("a ", False), ("b", True), (" c", False)]
    assert list(segments("")) == []
    assert all(not marked for _, marked in segments(f"a{CLOSE}b"))
