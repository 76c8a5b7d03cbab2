"""kill -9 while the platform database is made or written: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Table

from mosaic_core.database import PlatformBase
from mosaic_core.directory import Directory, PlatformFile, open_directory
from mosaic_core.errors import MosaicError
from mosaic_core.head import PLATFORM
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.platform import platform_history
from tests.core.head.processes import Worker
from tests.core.head.toys import toy_tenant
from tests.platforms import Place, Schema, shared


async def whole(directory: Directory) -> None:
    """The log is intact, the tables hold what it tells, and the place is sound."""
    async with directory.database.session() as session:
        await verify(session, PLATFORM)
        content = await content_of(session, of_the_kernel())
        assert await rebuild(session, PLATFORM) == content
    database = directory.database
    assert await database.check() == []
    if isinstance(database, PlatformFile):
        with closing(sqlite3.connect(database.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def of_the_kernel() -> MetaData:
    """The kernel's own tables; others may be declared by now in this process, and are not here."""
    tables = MetaData()
    for mapper in PlatformBase.registry.mappers:
        if mapper.class_.__module__.startswith("mosaic_core."):
            assert isinstance(mapper.local_table, Table)
            mapper.local_table.to_metadata(tables)
    return tables


def _writes_survive(place: Place, folder: Path, kills: int) -> None:
    chance = random.Random(kills)
    added: set[str] = set()
    complete: set[str] = set()

    async def look() -> None:
        database = place.database()
        await database.migrate()
        async with open_directory(database, "localhost", 0.5) as directory:
            await whole(directory)
            records = {record.tenant.slug: record for record in await directory.records()}
            assert added <= set(records)
            # The one that was being added may be there.
            assert len(set(records) - added) <= 1
            hinted = {tenant.slug for tenant in await directory.hinted()}
            for slug in complete:
                assert records[slug].domains == (f"{slug}.example",)
                assert directory.tenant_of_domain(f"{slug}.example") is not None
                assert slug in hinted
            added.update(records)
            # And it can be written again.
            tenant = toy_tenant(900_000_000 + len(added))
            await directory.add(tenant, "r", actor="tester")
            added.add(tenant.slug)
        await database.close()

    asyncio.run(look())
    with Worker("nursery-register", folder, 0, 100_000) as nursery:
        nursery.ready()
        for _ in range(kills):
            first = chance.choice(["ready", "added", "done"])
            nursery.killed_child(first, chance.uniform(0, 0.06))
            added.update(nursery.words("added"))
            complete.update(nursery.words("done"))
            asyncio.run(look())
    print(f"kills: {kills}, acknowledged tenants: {len(added)}, complete: {len(complete)}")
    assert len(complete) >= kills // 2


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.campaign)])
@pytest.mark.timeout(3600)
def test_a_killed_process_loses_no_tenant_that_it_was_told_of(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    shared(place, monkeypatch)
    _writes_survive(place, tmp_path, kills)


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.campaign)])
@pytest.mark.timeout(3600)
def test_a_killed_migration_is_finished_by_the_next(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    shared(place, monkeypatch)
    chance = random.Random(kills)
    halfway = 0

    async def look(one: Place) -> None:
        nonlocal halfway
        database = one.database()
        if not await database.revision():
            halfway += 1
            with pytest.raises(MosaicError) as caught:
                await database.require_current()
            assert "platform database" in caught.value.message
            assert "mosaic migrate" in caught.value.hint
        assert await database.migrate() == platform_history().current
        async with open_directory(database, "localhost", 0.5) as directory:
            await directory.add(toy_tenant(), "r", actor="tester")
            await whole(directory)
        await database.close()

    with Worker("nursery-found", tmp_path, 0, 100_000) as nursery:
        most = 1.2 * nursery.ready().round()
        for _ in range(kills):
            nursery.killed_child(chance.choice(["start", "done"]), chance.uniform(0, most))
            for name in nursery.words("start"):
                one = place.beside(name)
                asyncio.run(look(one))
                if isinstance(one, Schema):
                    one.remove()
    print(f"kills: {kills}, of them before it was made: {halfway}")
    assert halfway
