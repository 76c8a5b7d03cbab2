"""Moves that a process does not go on with, and those that it does all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from mosaic_core.errors import DatabaseMissing, DatabaseNewer
from mosaic_core.moves import Move, Mover, Moving, Step
from mosaic_core.persistence import HeadStatus
from tests.cms.deployment import Deployment
from tests.cms.moves.moving import Ground, move, tenant_of


def _expand(deployment: Deployment) -> None:
    """What an expanding migration of the next release does to a tenant's file."""
    folder = deployment.product.platform.settings.data_dir / "tenants"
    connection = sqlite3.connect(folder / f"{tenant_of(deployment).tenant_id}.db")
    with connection:
        connection.execute(
            "UPDATE alembic_version SET version_num = 'c9999' WHERE version_num LIKE 'c%'"
        )
        connection.execute("INSERT INTO migrations VALUES ('c9999', 0)")
    connection.close()


def test_older_code_leaves_a_move_of_a_tenant_that_is_ahead_to_newer_code(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            platform, tenant = deployment.product.platform, tenant_of(deployment)
            begun = await deployment.rule("tenants.move", slug="aurora", tier="other")
            _expand(deployment)
            assert await platform.moving.go_on() == 0
            assert (await platform.moving.moves.get(begun.id)).step is Step.PROVISION
            there = replace(tenant, tier="other", epoch=2)
            with pytest.raises(DatabaseMissing):
                await platform.persistence(there).head(there)
            with pytest.raises(DatabaseNewer):  # whoever insists is told why not
                await move(deployment, "other")
            assert (await platform.moving.moves.get(begun.id)).step is Step.UNDONE
            with pytest.raises(DatabaseNewer):
                await deployment.rule("tenants.move", slug="aurora", tier="schema")

    asyncio.run(main())


def test_a_tenant_that_is_ahead_in_the_end_is_not_switched(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            platform, tenant = deployment.product.platform, tenant_of(deployment)
            effect = Mover._effect

            async def expanded(self: Mover, doing: Step) -> None:
                if doing is Step.SWITCH:
                    _expand(deployment)
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", expanded)
                with pytest.raises(DatabaseNewer):
                    await move(deployment, "other")
            assert tenant_of(deployment) == tenant
            assert (await platform.persistence(tenant).head(tenant)).status is HeadStatus.OPEN

    asyncio.run(main())


def test_the_directory_notes_at_which_revision_the_new_home_is(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            platform, tenant = deployment.product.platform, tenant_of(deployment)
            directory = platform.directory
            await directory.change(tenant.tenant_id, actor="t", action="t", revision="c0001")
            await move(deployment, "other")
            assert await directory.behind(platform.schema.history) == []

    asyncio.run(main())


def test_a_move_that_cannot_go_on_keeps_no_other_and_no_sweep_from_being_done(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            moving, run = deployment.product.platform.moving, Moving._run
            await deployment.rule("tenants.create", slug="bread", name="Bread", tier="file")
            first = await deployment.rule("tenants.move", slug="aurora", tier="other")
            await deployment.rule("tenants.move", slug="bread", tier="other")

            async def broken(self: Moving, move: Move, *others: object) -> Move:
                if move.id == first.id:
                    raise RuntimeError("Nobody has thought of this.")
                return await run(self, move, *others)  # type: ignore[arg-type]

            monkeypatch.setattr(Moving, "_run", broken)
            assert await moving.go_on() == 1
            assert deployment.scope("bread").tenant.tier == "other"
            swept = asyncio.Event()

            async def fails() -> int:
                raise RuntimeError("Nor of this.")

            async def sweep() -> int:
                swept.set()
                return 0

            monkeypatch.setattr(moving, "go_on", fails)
            monkeypatch.setattr(moving, "sweep", sweep)
            running = asyncio.create_task(moving.run())
            await asyncio.wait_for(swept.wait(), 10)
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(main())


def test_a_move_of_a_tenant_in_the_bin_waits_until_it_comes_back(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            moving = deployment.product.platform.moving
            await deployment.rule("tenants.move", slug="aurora", tier="other")
            await deployment.rule("tenants.delete", slug="aurora")
            assert await moving.moves.unended() == []
            assert await moving.go_on() == 0
            await deployment.rule("tenants.recover", slug="aurora")
            assert await moving.go_on() == 1
            assert tenant_of(deployment).tier == "other"

    asyncio.run(main())
