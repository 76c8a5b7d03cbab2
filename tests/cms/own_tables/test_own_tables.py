"""A plugin owns tables: they are made, migrated, moved, exported and imported like all others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.migrating import migrate_tenants
from mosaic_core.errors import BundleNewer, DatabaseBehind, DatabaseNewer
from mosaic_core.moves import Step
from mosaic_core.persistence import HeadStatus
from tests.cms.commands import invoke
from tests.cms.deployment import OPERATOR, Deployment, settings_for
from tests.cms.moves.moving import TIERS, Ground, everything, move, tenant_of
from tests.cms.own_tables.kit import NAME, Kit

TABLE = "notes_notes"


def choose(ground: Ground) -> None:
    ground.plugins = {NAME: {}}


async def migrate(ground: Ground, **options: Any) -> Any:
    settings = settings_for(ground.root, **ground.tables())
    return await migrate_tenants(settings, lambda *_: None, OPERATOR, **options)


async def noted(deployment: Deployment, slug: str = "aurora") -> list[str]:
    return sorted(note.text for note in await deployment.do("notes.list", slug))


async def coloured(deployment: Deployment, slug: str) -> list[str | None]:
    """What every note has as its colour."""
    (table,) = [
        one
        for one in deployment.product.platform.schema.metadata.sorted_tables
        if one.name == TABLE
    ]
    async with deployment.scope(slug).read() as session:
        return list(await session.scalars(select(table.c.colour)))


def run(ground: Ground, scenario: Callable[[Deployment], Awaitable[None]]) -> None:
    async def main() -> None:
        async with ground.opened() as deployment:
            await scenario(deployment)

    asyncio.run(main())


def test_a_tenant_that_was_there_before_gets_them_by_a_migration(ground: Ground, kit: Kit) -> None:
    async def main() -> None:
        await ground.make()
        choose(ground)
        async with ground.opened() as deployment:
            assert (await deployment.get("/deep/")).status_code == 503
            with pytest.raises(DatabaseBehind, match="notes_0001"):
                await deployment.do("notes.add", text="too early")
        ground.plugins = {}
        async with ground.opened() as deployment:  # servers that go on while it is migrated
            assert (await deployment.get("/deep/")).status_code == 200
            choose(ground)
            done = await migrate(ground)
            assert (done["migrated"], done["failed"]) == (["aurora"], {})
            assert (await deployment.get("/top/")).status_code == 200
            await deployment.add("/later/", body="Written by who knows nothing of it.\n")
        async with ground.opened() as deployment:
            await deployment.do("notes.add", text="in time")
            assert await noted(deployment) == ["in time"]
        assert (await migrate(ground, verify=True))["corrected"] == []

    asyncio.run(main())


def test_rows_move_through_every_kind_of_home_and_their_log_with_them(
    ground: Ground, kit: Kit
) -> None:
    async def main() -> None:
        choose(ground)
        ground.made = None
        await ground.make("file")
        async with ground.opened() as deployment:
            for number in range(3):
                await deployment.do("notes.add", text=f"note {number} \U0001f40d")
            before = await everything(deployment, tenant_of(deployment))
            assert len(before[TABLE]) == 3
            for tier in ("schema", "database", "file"):
                old = tenant_of(deployment)
                assert (await move(deployment, tier)).step is Step.DONE
                assert await everything(deployment, tenant_of(deployment)) == before, tier
                persistence = deployment.product.platform.persistence(old)
                assert (await persistence.head(old)).status is HeadStatus.MOVED
            await deployment.do("notes.add", text="afterwards")
            assert len(await noted(deployment)) == 4

    asyncio.run(main())


def test_a_bundle_has_them_and_says_what_it_needs(ground: Ground, kit: Kit) -> None:
    file = ground.root.parent / "aurora.mosaic"

    async def main() -> None:
        choose(ground)
        ground.made = None
        await ground.make("schema")
        async with ground.opened() as deployment:
            await deployment.do("notes.add", text="carried along")
            await deployment.do("tenants.export", file=str(file))
            for tier in TIERS:
                slug = f"clone-{tier}"
                await deployment.rule("tenants.import", file=str(file), slug=slug, tier=tier)
                assert await noted(deployment, slug) == ["carried along"]
        ground.plugins = {}
        async with ground.opened() as deployment:
            with pytest.raises(BundleNewer, match="not selected: 'notes'"):
                await deployment.rule("tenants.import", file=str(file), slug="no", tier="file")

    asyncio.run(main())


def test_a_second_version_migrates_the_fleet_while_the_first_serves_it(
    ground: Ground, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        choose(ground)
        ground.made = None
        await ground.make("file")
        async with ground.opened() as deployment:
            for tier in TIERS[1:]:
                await deployment.rule("tenants.create", slug=tier, name=tier, tier=tier)
            for slug in ("aurora", *TIERS[1:]):
                await deployment.do("notes.add", slug, text="first")
            kit.release()
            done = await migrate(ground)
            assert sorted(done["migrated"]) == ["aurora", "database", "schema"]
            for slug in ("aurora", *TIERS[1:]):  # by the first version
                await deployment.do("notes.add", slug, text="second")
                with pytest.raises(DatabaseNewer, match="notes_0002"):
                    await deployment.do("tenants.export", slug, file=str(ground.root / slug))
        async with ground.opened() as deployment:
            assert (await migrate(ground))["migrated"] == []
            for slug in ("aurora", *TIERS[1:]):
                assert await noted(deployment, slug) == ["first", "second"]
                assert await coloured(deployment, slug) == [None, None]

    async def first_version_again(deployment: Deployment) -> None:
        assert await noted(deployment) == ["first", "second"]

    asyncio.run(main())
    monkeypatch.setenv("MOSAIC_CONFIG", str(ground.configuration()))
    assert json.loads(invoke("doctor", "--json"))["problems"] == []
    kit.withdraw()
    run(ground, first_version_again)


def test_without_the_plugin_its_rows_stay_and_the_doctor_says_so(
    ground: Ground, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ground.root.parent / "aurora.mosaic"
    choose(ground)
    ground.made = None
    asyncio.run(ground.make("file"))

    async def note(deployment: Deployment) -> None:
        await deployment.do("notes.add", text="kept")

    async def without(deployment: Deployment) -> None:
        await deployment.add("/later/", body="Without it.\n")
        with pytest.raises(DatabaseNewer, match="not selected: 'notes'"):
            await move(deployment, "schema")
        with pytest.raises(DatabaseNewer, match="not selected: 'notes'"):
            await deployment.do("tenants.export", file=str(file))
        assert not file.exists()

    async def again(deployment: Deployment) -> None:
        assert await noted(deployment) == ["kept"]
        await everything(deployment, tenant_of(deployment))
        assert (await move(deployment, "schema")).step is Step.DONE

    run(ground, note)
    ground.plugins = {}
    done = asyncio.run(migrate(ground))
    assert (done["migrated"], done["failed"]) == (["aurora"], {})
    assert asyncio.run(migrate(ground))["migrated"] == []
    assert asyncio.run(migrate(ground, verify=True))["corrected"] == []
    run(ground, without)
    monkeypatch.setenv("MOSAIC_CONFIG", str(ground.configuration()))
    (problem,) = json.loads(invoke("doctor", "--json", code=1))["problems"]
    assert problem["subject"] == "plugin notes"
    assert "aurora" in problem["what"]
    choose(ground)
    asyncio.run(migrate(ground))
    run(ground, again)
    monkeypatch.setenv("MOSAIC_CONFIG", str(ground.configuration()))
    assert json.loads(invoke("doctor", "--json"))["problems"] == []
