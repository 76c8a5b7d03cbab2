"""Moves that a process does not go on with, and those that it does all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from mosaic_core.database.clock import database_now
from mosaic_core.directory import trusted_clock
from mosaic_core.errors import Conflict, DatabaseMissing, DatabaseNewer
from mosaic_core.moves import Move, Mover, Moving, Step, store
from mosaic_core.persistence import HeadStatus
from tests.cms.deployment import Deployment
from tests.cms.moves.killing import dying_at
from tests.cms.moves.moving import Ground, move, tenant_of
from tests.cms.moves.test_killing import Died, die


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

            async def fails(*given: object) -> None:
                raise RuntimeError("Nor of this.")

            async def sweep() -> int:
                swept.set()
                return 0

            monkeypatch.setattr(moving, "_take_up_all", fails)
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


def test_a_move_that_takes_long_keeps_no_later_one_waiting(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            moving, run = deployment.product.platform.moving, Moving._run
            await deployment.rule("tenants.create", slug="bread", name="Bread", tier="file")
            first = await deployment.rule("tenants.move", slug="aurora", tier="other")
            stands, goes = asyncio.Event(), asyncio.Event()

            async def slow(self: Moving, move: Move, *others: object) -> Move:
                if move.id == first.id:
                    stands.set()
                    await goes.wait()
                return await run(self, move, *others)  # type: ignore[arg-type]

            async def come(slug: str) -> None:
                async with asyncio.timeout(30):
                    while deployment.scope(slug).tenant.tier != "other":
                        await asyncio.sleep(0.1)

            monkeypatch.setattr(Moving, "_run", slow)
            running = asyncio.create_task(moving.run())
            await asyncio.wait_for(stands.wait(), 10)
            await deployment.rule("tenants.move", slug="bread", tier="other")
            await come("bread")
            assert tenant_of(deployment).tier == "file"
            goes.set()
            await come("aurora")
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(main())


@pytest.mark.parametrize(("step", "tier"), [(Step.FENCE, "file"), (Step.SWITCH, "other")])
def test_a_tenant_that_was_deleted_while_it_moved_is_had_back_by_newer_code(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, step: Step, tier: str
) -> None:
    """It is migrated then, which nobody can do behind a fence."""

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            platform = deployment.product.platform
            with pytest.MonkeyPatch.context() as patch:
                dying_at(patch, step, "after", die)
                with pytest.raises(Died):
                    await move(deployment, "other")
            await platform.directory.refresh(now=True)
            tenant = tenant_of(deployment)
            assert (tenant.tier, tenant.epoch) == (tier, 1 if tier == "file" else 2)
            await deployment.rule("tenants.delete", slug="aurora")

            async def behind(*given: object) -> str:
                return "k0003,c0004"

            with monkeypatch.context() as patch:
                patch.setattr(type(platform.persistence(tenant)), "revision", behind)
                await deployment.rule("tenants.recover", slug="aurora")
            assert await platform.moving.moves.unended() == []
            assert tenant_of(deployment).tier == tier
            assert (await platform.persistence(tenant).head(tenant)).status is HeadStatus.OPEN
            await deployment.do("redirects.set", source="/back/", target="/deep/")
            assert (await deployment.get("/back/")).status_code == 301

    asyncio.run(main())


def test_no_clock_has_an_old_home_removed_early(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = timedelta(days=400)

    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - far

    async def leave() -> None:
        async with ground.opened() as deployment:
            with monkeypatch.context() as patch:
                patch.setattr(store, "datetime", Behind)
                await move(deployment, "other")
            (left,) = await deployment.product.platform.moving.moves.keeping(
                tenant_of(deployment).tenant_id
            )
            assert left.kept_until is not None
            assert left.kept_until > datetime.now(UTC) + timedelta(days=6)

    async def look() -> None:
        ahead = 1000 * int(far.total_seconds())
        monkeypatch.setattr(trusted_clock, "database_now", lambda: database_now() + ahead)
        async with ground.opened() as deployment:
            moving = deployment.product.platform.moving
            assert await moving.sweep() == 0
            assert await moving.sweep(now=datetime.now(UTC) + timedelta(days=8)) == 1

    asyncio.run(ground.make())
    asyncio.run(leave())
    asyncio.run(look())


def test_a_tenant_is_not_renamed_while_it_moves(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            await deployment.rule("tenants.move", slug="aurora", tier="other")
            with pytest.raises(Conflict, match="on its way to the other tier"):
                await deployment.rule("tenants.rename", slug="aurora", new="dawn")
            assert await deployment.product.platform.moving.go_on() == 1
            await deployment.rule("tenants.rename", slug="aurora", new="dawn")

    asyncio.run(main())


def test_a_tenant_is_not_renamed_where_the_home_that_it_left_would_not_be_found(
    ground: Ground,
) -> None:
    """It is named by the slug in the configuration, and is to be removed."""

    name = f"{ground.prefix}_given"
    ground.postgres.run(f'CREATE DATABASE "{name}"')
    ground.given = {"aurora": ground.postgres.url(database=name)}

    async def main() -> None:
        await ground.make("database")
        async with ground.opened() as deployment:
            await move(deployment, "file")
            with pytest.raises(Conflict, match="not be found as 'dawn'"):
                await deployment.rule("tenants.rename", slug="aurora", new="dawn")

    asyncio.run(main())
