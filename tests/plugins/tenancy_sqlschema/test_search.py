"""The index of a schema: exact whoever changes the rows, made by the first who searches."""

from __future__ import annotations

import asyncio

from sqlalchemy import delete, insert
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.search import MOST_FOUND, SearchQuery
from mosaic_core.server_databases.naming import MARK
from mosaic_core.server_databases.postgresql.backend import PostgreSQL
from mosaic_core.server_databases.postgresql.search_index import DROP
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.tools import write
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import ROOM, Leaflet, put_leaflet, toy_schema
from mosaic_core.types import new_id
from tests.plugins.tenancy_sqlschema.schemas import Schemas


async def _put(strategy: Persistence, tenant: TenantContext, *titles: str, text: str = "") -> None:
    async def fn(writing: Write) -> None:
        for title in titles:
            await put_leaflet(writing, title, text)

    await write(strategy, tenant, fn)


async def _found(strategy: Persistence, tenant: TenantContext, text: str) -> list[str]:
    found = await strategy.search(tenant, SearchQuery(text, (ROOM, "en")))
    return [hit.key[1] for hit in found.hits]


def test_whatever_changes_a_row_the_next_search_knows(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy, schemas.connected() as connection:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, "Tiles", "Tulips")
            assert await _found(strategy, tenant, "tiles") == ["Tiles"]
            table = f'"{schemas.name(tenant.tenant_id)}".leaflets'
            await connection.execute(f"UPDATE {table} SET title = 'Vases' WHERE title = 'Tiles'")
            assert await _found(strategy, tenant, "tiles") == []
            assert await _found(strategy, tenant, "vases") == ["Vases"]

            async def at_once(writing: Write) -> None:
                await writing.session.execute(delete(Leaflet))
                row = {"language": "en", "room": ROOM, "summary": "", "text": ""}
                await writing.session.execute(
                    insert(Leaflet), [{"id": new_id(), "title": f"Bowl {n}", **row} for n in "ab"]
                )

            await write(strategy, tenant, at_once)
            assert await _found(strategy, tenant, "vases") == []
            assert sorted(await _found(strategy, tenant, "bowl")) == ["Bowl a", "Bowl b"]
            await connection.execute(f"DELETE FROM {table}")
            assert await _found(strategy, tenant, "bowl") == []

    asyncio.run(main())


def test_many_who_search_first_make_the_index_once_and_all_find(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy, schemas.opened() as another:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, *(f"Tile {n}" for n in range(230)))
            done = await asyncio.gather(
                *(_found(each, tenant, "tile") for each in (strategy, another) * 4)
            )
            assert {len(found) for found in done} == {10}
            async with schemas.connected() as connection:
                count = await connection.fetchval(
                    f'SELECT count(*) FROM "{schemas.name(tenant.tenant_id)}".search_documents'
                )
            assert count == 230

    asyncio.run(main())


def test_whoever_waited_for_the_index_to_be_made_does_not_make_it_again(schemas: Schemas) -> None:
    """The one who waits has just seen that there is none, and its connection remembers it."""

    async def main() -> None:
        async with (
            schemas.opened() as strategy,
            schemas.connected() as maker,
            schemas.connected() as waiter,
        ):
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, "Tiles")
            name, dialect = schemas.name(tenant.tenant_id), PGDialect_asyncpg()
            index = PostgreSQL().search_index(toy_schema().metadata, dialect, roles=False)
            assert index is not None
            oid = f"""SELECT to_regclass('"{name}".search_documents')::oid"""
            assert not await index.is_made(waiter, name)
            making = maker.transaction()
            await making.start()
            await index.make(maker, name)
            made = await maker.fetchval(oid)
            async with waiter.transaction():
                waiting = asyncio.create_task(index.make(waiter, name))
                await asyncio.sleep(0.2)
                assert not waiting.done()
                await making.commit()
                await waiting
            assert await maker.fetchval(oid) == made

    asyncio.run(main())


def test_an_index_that_another_process_took_away_is_made_again(schemas: Schemas) -> None:
    """A migration does, and whoever has searched before finds it gone."""

    async def main() -> None:
        async with schemas.opened() as strategy, schemas.connected() as connection:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, "Tiles")
            assert await _found(strategy, tenant, "tiles") == ["Tiles"]
            for statement in DROP:
                await connection.execute(statement.replace(MARK, schemas.name(tenant.tenant_id)))
            assert await _found(strategy, tenant, "tiles") == ["Tiles"]

    asyncio.run(main())


def test_an_index_of_another_definition_is_made_anew(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, "Tiles")
            assert await _found(strategy, tenant, "tiles") == ["Tiles"]
        async with schemas.connected() as connection:
            documents = f'"{schemas.name(tenant.tenant_id)}".search_documents'
            await connection.execute(f"DELETE FROM {documents}")
            await connection.execute(f"COMMENT ON TABLE {documents} IS 'another'")
        async with schemas.opened() as strategy:
            assert await _found(strategy, tenant, "tiles") == ["Tiles"]

    asyncio.run(main())


def test_of_more_than_are_ranked_those_with_the_word_in_their_title_come_first(
    schemas: Schemas,
) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await _put(strategy, tenant, "The oldest tile")
            others = (f"Other {n}" for n in range(MOST_FOUND + 20))
            await _put(strategy, tenant, *others, text="of tile")
            found = await strategy.search(tenant, SearchQuery("tile", (ROOM, "en")))
            assert found.more
            assert found.total == MOST_FOUND
            assert found.hits[0].key[1] == "The oldest tile"

    asyncio.run(main())


def test_a_text_of_a_hundred_thousand_letters_of_any_script_is_searched(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = make_tenant()
            await strategy.provision(tenant)
            han = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(95_000))
            await _put(strategy, tenant, "Han", text=han + " 检索")
            await _put(strategy, tenant, "Long", text="x" * 100_000)
            words = " ".join(f"w{n}" for n in range(16_000))
            await _put(strategy, tenant, "Words", text=words)
            assert await _found(strategy, tenant, han[500:504]) == ["Han"]
            assert await _found(strategy, tenant, "x" * 200) == ["Long"]
            assert await _found(strategy, tenant, "w15999") == ["Words"]

    asyncio.run(main())


def test_compacting_forgets_words_that_are_nowhere_any_more(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy, schemas.connected() as connection:
            tenant = make_tenant()
            await strategy.provision(tenant)
            await strategy.compact(tenant)
            await _put(strategy, tenant, "Mosque garden")
            assert await _found(strategy, tenant, "mosqe") == ["Mosque garden"]
            spelling = f'SELECT term FROM "{schemas.name(tenant.tenant_id)}".search_spelling'

            async def change(writing: Write) -> None:
                await writing.session.execute(delete(Leaflet))
                await put_leaflet(writing, "Garden")

            await write(strategy, tenant, change)
            assert await _found(strategy, tenant, "garden") == ["Garden"]
            assert await _found(strategy, tenant, "mosqe") == []
            assert len(await connection.fetch(spelling)) == 2
            await strategy.compact(tenant)
            assert [row[0] for row in await connection.fetch(spelling)] == ["garden"]

    asyncio.run(main())
