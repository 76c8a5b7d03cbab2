"""Tenants with leaflets, as the tests of searching need them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from mosaic_tenancy_sqlite.plugin import mosaic_persistence
from pydantic import ByteSize

from mosaic_core.file_databases.search_index import SearchIndex
from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.search import SearchQuery
from mosaic_core.tenants import Limits, TenantContext, Tier
from mosaic_core.testing.persistence.tools import write
from mosaic_core.testing.services import ROOMY, make_services, make_tenant
from mosaic_core.testing.tables import ROOM, ToyBase, put_leaflet, toy_schema


@asynccontextmanager
async def opened(
    folder: Path, *, limit: int | None = None, **options: Any
) -> AsyncIterator[Persistence]:
    """With ``limit``, a database of so many bytes is full."""
    provider = mosaic_persistence()
    services = make_services(folder, provider=provider.name, schema=toy_schema(**options))
    if limit is not None:
        limits = Limits(database=ByteSize(limit))
        tier = Tier(persistence=provider.name, storage=provider.name, limits=limits)
        services = replace(services, tiers={ROOMY: tier})
    async with provider.open(provider.settings(reserve=ByteSize(0)), services) as persistence:
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


def leaflets_index() -> SearchIndex:
    index = SearchIndex.of(ToyBase.metadata)
    assert index is not None
    return index


def has_index(tmp_path: Path, tenant: TenantContext) -> bool:
    index = leaflets_index()
    with closing(sqlite3.connect(file_of(tmp_path, tenant))) as connection:
        return index.is_in(connection)


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


def spelled(path: Path) -> set[str]:
    """The words that are looked for when another one was typed."""
    with closing(sqlite3.connect(path)) as connection:
        return {word for (word,) in connection.execute("SELECT term FROM search_spelling")}
