"""Moves that are not to be, or cannot be: the tenant keeps serving from where it was."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from mosaic_cms.incoming import Incoming
from mosaic_core.directory import Work
from mosaic_core.errors import (
    Conflict,
    DatabaseError,
    LeaseTaken,
    MosaicError,
    NotFound,
    QuotaExceeded,
)
from mosaic_core.moves import Mover, Step
from mosaic_core.persistence import HeadStatus
from tests.cms.deployment import Deployment
from tests.cms.media.sending import send
from tests.cms.moves.killing import cancelling_at
from tests.cms.moves.moving import Ground, everything, move, tenant_of


async def _stays(deployment: Deployment, tier: str = "file") -> None:
    """It is where it was, takes writes, and nothing of the move is left."""
    platform = deployment.product.platform
    tenant = tenant_of(deployment)
    assert tenant.tier == tier
    assert (await platform.persistence(tenant).head(tenant)).status is HeadStatus.OPEN
    await deployment.do("redirects.set", source="/stays/", target="/deep/")
    assert (await deployment.get("/stays/")).status_code == 301
    assert await platform.moving.moves.unended() == []


@pytest.mark.parametrize("step", [Step.COPY, Step.FOLLOW, Step.SWITCH])
def test_a_move_is_cancelled_until_the_directory_says_the_new_home(
    ground: Ground, step: Step
) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            with pytest.MonkeyPatch.context() as patch:
                cancelling_at(patch, step)
                ended = await move(deployment, "other")
            assert (ended.step, ended.error) == (Step.UNDONE, "The move was cancelled.")
            await _stays(deployment)
            again = await move(deployment, "other")
            assert again.to_epoch == 3  # a name is never used twice

    asyncio.run(main())


def test_after_the_switch_it_is_too_late_to_cancel(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            refused: list[BaseException] = []
            effect = Mover._effect

            async def cancelled(self: Mover, doing: Step) -> None:
                if doing is Step.RETIRE:
                    with pytest.raises(Conflict, match="new home already") as error:
                        await deployment.rule("tenants.cancel_move", slug="aurora")
                    refused.append(error.value)
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", cancelled)
                assert (await move(deployment, "other")).step is Step.DONE
            assert refused
            with pytest.raises(NotFound, match="not moving"):
                await deployment.rule("tenants.cancel_move", slug="aurora")

    asyncio.run(main())


def test_a_tenant_moves_once_at_a_time(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            tenant = tenant_of(deployment)
            begun = await deployment.rule("tenants.move", slug="aurora", tier="other")
            assert (begun.state, begun.step) == ("moving", "provision")
            with pytest.raises(Conflict, match="moving already, to the other tier"):
                await deployment.rule("tenants.move", slug="aurora", tier="schema")
            leases = deployment.product.platform.directory.leases
            async with leases.held(tenant, Work.MIGRATION, holder="a test"):
                with pytest.raises(LeaseTaken, match="being migrated"):
                    await move(deployment, "other")
            assert await deployment.product.platform.moving.go_on() == 1
            shown = await deployment.rule("tenants.move_status", slug="aurora")
            assert (shown.state, shown.from_tier, shown.to_tier) == ("done", "file", "other")
            assert shown.progress["rows"][0] == shown.progress["rows"][1] > 0
            with pytest.raises(Conflict, match="on the other tier already"):
                await move(deployment, "other")

    asyncio.run(main())


def test_what_has_no_room_on_another_tier_is_told_before_anything_is_done(ground: Ground) -> None:
    small = {
        "persistence": "tenancy_sqlite",
        "storage": "storage_local",
        "limits": {
            "sites": 1,
            "files": 5,
            "file": 5,
            "database": 1000,
            "custom_domains": False,
            "network_lists": False,
        },
    }
    ground.tiers["small"] = small

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            await deployment.do("sites.create", key="second", title="Second")
            await deployment.do("networks.set", block=("192.0.2.0/24",))
            sent = await send(deployment, b"much longer than what it is now", "a.txt")
            given = {"media": sent.media.reference, "content": Incoming.of(b"less\n")}
            await deployment.do("media.replace", **given)
            directory = deployment.product.platform.directory
            tenant = tenant_of(deployment)
            await directory.add_domain(tenant.tenant_id, "aurora.example", actor="test")
            looked = await deployment.rule(
                "tenants.move", slug="aurora", tier="small", dry_run=True
            )
            found = {one.what: one.has for one in looked.misfits}
            assert found.keys() == {"sites", "database", "files", "file", "domains", "networks"}
            assert (found["sites"], found["file"], found["domains"]) == (2, 31, 1)
            with pytest.raises(Conflict, match="sites: 2, and 1 fit"):
                await deployment.rule("tenants.move", slug="aurora", tier="small", wait=True)
            assert await deployment.product.platform.moving.moves.of(tenant.tenant_id) is None

    asyncio.run(main())


@pytest.mark.parametrize(
    ("step", "what"), [(Step.FOLLOW, "sites"), (Step.FOLLOW, "domains"), (Step.SWITCH, "domains")]
)
def test_what_is_added_meanwhile_and_has_no_room_there_keeps_a_tenant_where_it_is(
    ground: Ground, step: Step, what: str
) -> None:
    ground.tiers["small"] = {
        "persistence": "tenancy_sqlite",
        "storage": "storage_local",
        "limits": {"sites": 1, "custom_domains": False, "branding_required": True},
    }

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            effect, directory = Mover._effect, deployment.product.platform.directory

            async def adding(self: Mover, doing: Step) -> None:
                if doing is step and what == "sites":
                    await deployment.do("sites.create", key="second", title="Second")
                elif doing is step:
                    tenant_id = tenant_of(deployment).tenant_id
                    await directory.add_domain(tenant_id, "aurora.example", actor="test")
                await effect(self, doing)

            given = {"slug": "aurora", "tier": "small"}
            looked = await deployment.rule("tenants.move", **given, dry_run=True)
            assert looked.misfits == ()
            assert looked.changes == ("Its pages show the platform's name.",)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", adding)
                with pytest.raises(Conflict, match=f"does not fit the small tier: {what}"):
                    await deployment.rule("tenants.move", **given, wait=True)
            await _stays(deployment)

    asyncio.run(main())


@pytest.mark.parametrize("where", ["nowhere", "nobody"])
def test_a_server_that_is_not_there_or_lets_nobody_in_keeps_the_tenant_where_it_is(
    ground: Ground, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mosaic_core.moves.mover._PAUSE", 0.05)
    urls = {
        "nowhere": "postgresql://nobody@127.0.0.1:1/nothing",
        "nobody": ground.postgres.url(database="no_such_database"),
    }
    ground.url = urls[where]

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            with pytest.raises(MosaicError) as error:
                await move(deployment, "schema")
            assert error.value.hint
            await _stays(deployment)
            shown = await deployment.rule("tenants.move_status", slug="aurora")
            assert shown.state == "undone"
            assert error.value.message in shown.error

    asyncio.run(main())


def test_a_tenant_that_grows_beyond_the_other_tier_while_it_moves_stays(ground: Ground) -> None:
    ground.tiers["small"] = {
        "persistence": "tenancy_sqlite",
        "storage": "storage_local",
        "limits": {"database": 900_000},
    }

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            effect = Mover._effect

            async def grown(self: Mover, doing: Step) -> None:
                if doing is Step.FOLLOW:
                    await deployment.add("/large/", body="large " * 160_000)
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", grown)
                with pytest.raises(QuotaExceeded, match="small tier's limit"):
                    await deployment.rule("tenants.move", slug="aurora", tier="small", wait=True)
            await _stays(deployment)
            assert "large" in (await deployment.get("/large/")).text

    asyncio.run(main())


def test_what_cannot_be_carried_over_in_time_lets_people_write_first(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            effect, seen = Mover._effect, []

            async def slow(self: Mover, doing: Step) -> None:
                if doing is Step.SWITCH:
                    seen.append(doing)
                    if len(seen) < 3:
                        await asyncio.sleep(60)
                await effect(self, doing)

            async def write() -> None:
                while len(seen) < 1:
                    await asyncio.sleep(0.01)
                await deployment.do("redirects.set", source="/meanwhile/", target="/deep/")

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", slow)
                patch.setattr("mosaic_core.moves.mover.FENCE", 0.2)
                writing = asyncio.create_task(write())
                assert (await move(deployment, "other")).step is Step.DONE
            await writing
            assert (await deployment.get("/meanwhile/")).status_code == 301

    asyncio.run(main())


def test_whoever_stops_a_move_leaves_no_fence_behind(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            effect = Mover._effect
            stuck = asyncio.Event()

            async def waits(self: Mover, doing: Step) -> None:
                await effect(self, doing)
                if doing is Step.SWITCH:
                    stuck.set()
                    await asyncio.sleep(60)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", waits)
                moving = asyncio.create_task(move(deployment, "other"))
                await stuck.wait()
                moving.cancel()
                with suppress(asyncio.CancelledError):
                    await moving
            await deployment.do("redirects.set", source="/stopped/", target="/deep/")
            before = await everything(deployment, tenant_of(deployment))
            assert await deployment.product.platform.moving.go_on() == 1
            assert tenant_of(deployment).tier == "other"
            assert await everything(deployment, tenant_of(deployment)) == before

    asyncio.run(main())


def test_a_copy_that_is_not_what_was_copied_is_not_moved_into(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            effect = Mover._effect

            async def spoiled(self: Mover, doing: Step) -> None:
                if doing is Step.VERIFY:
                    metadata = deployment.product.platform.schema.metadata
                    redirects: Any = metadata.tables["tenant.redirects"]
                    async with self._target.putting() as connection:
                        await connection.execute(redirects.update().values(target="/elsewhere/"))
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", spoiled)
                with pytest.raises(DatabaseError, match="rows of redirects differ"):
                    await move(deployment, "other")
            await _stays(deployment)

    asyncio.run(main())
