"""What a directory knows after it has added a tenant: that one, and whatever others changed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from mosaic_core.directory import Directory
from tests.core.head.toys import toy_tenant
from tests.platforms import Place


async def _two(place: Place) -> tuple[Directory, Directory]:
    """Two directories on one database, as two processes have them."""
    database = place.database()
    await database.migrate()
    one, other = (Directory(database, "localhost", 3600.0) for _ in range(2))
    await one.refresh()
    await other.refresh()
    return one, other


def test_a_directory_knows_what_it_added_and_what_others_did_before(place: Place) -> None:
    async def main() -> None:
        one, other = await _two(place)
        await one.add(toy_tenant(1), "r", actor="tester")
        assert one.named("toy-1") == toy_tenant(1)
        await one.add_domain(toy_tenant(1).tenant_id, "toys.example", actor="tester")
        await other.add(toy_tenant(2), "r", actor="tester")
        assert other.named("toy-1") == toy_tenant(1)
        assert other.named("toy-2") == toy_tenant(2)
        assert other.tenant_of_domain("toys.example") is not None
        await one.change(toy_tenant(1).tenant_id, actor="tester", action="rename", slug="toy-9")
        await other.add(toy_tenant(1 << 8), "r", actor="tester")
        assert other.tenant_of_slug("toy-1") is None
        assert other.tenant_of_slug("toy-9") is not None
        await one.database.close()

    asyncio.run(main())


def test_what_was_learned_is_what_a_new_look_finds(place: Place) -> None:
    async def main() -> None:
        one, other = await _two(place)
        tenants = [toy_tenant(n) for n in range(1, 9)]
        async with asyncio.TaskGroup() as group:
            for number, tenant in enumerate(tenants):
                who = one if number % 2 else other
                group.create_task(who.add(tenant, "r", actor="tester"))
                group.create_task(one.hints.give(tenant.tenant_id, ("test.topic",)))
                group.create_task(who.refresh(now=True))
        for directory in (one, other):
            before = [
                directory.tenant_of_slug(tenant.slug) for tenant in tenants[directory is one :: 2]
            ]
            assert None not in before, "each knows its own at once"
            await directory.refresh(now=True)
            assert [directory.named(tenant.slug) for tenant in tenants] == tenants
            assert len(directory) == len(tenants)
        await one.database.close()

    asyncio.run(main())


def test_an_error_does_not_tell_what_was_noted(place: Place) -> None:
    async def main() -> None:
        one, _ = await _two(place)
        statement = text("SELECT 1 FROM tenants WHERE name = :one AND name = :two")
        with pytest.raises(StatementError, match="two") as caught:
            async with one.database.session() as session:
                await session.execute(statement, {"one": "dear diary"})
        assert "diary" not in str(caught.value)
        await one.database.close()

    asyncio.run(main())
