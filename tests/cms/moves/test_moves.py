"""A tenant moves, and nobody sees a difference."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from mosaic_core.errors import ConfigurationError, Conflict, DatabaseMissing
from mosaic_core.moves import Step, effects
from mosaic_core.persistence import HeadStatus
from tests.cms.commands import invoke
from tests.cms.moves.moving import TIERS, Ground, everything, move, tenant_of


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(TIERS, 2)))
def test_a_tenant_is_the_same_in_every_row_where_it_moved_to(
    ground: Ground, one: str, other: str
) -> None:
    async def main() -> None:
        await ground.make(one)
        async with ground.opened() as deployment:
            platform = deployment.product.platform
            old = tenant_of(deployment)
            page = await deployment.get("/deep/a/")
            before = await everything(deployment, old)
            done = await move(deployment, other)
            assert done.step is Step.DONE
            new = tenant_of(deployment)
            assert (new.tier, new.epoch) == (other, 2)
            assert await everything(deployment, new) == before
            assert (await platform.persistence(old).head(old)).status is HeadStatus.MOVED
            assert (await platform.persistence(new).head(new)).status is HeadStatus.OPEN
            assert (await deployment.get("/deep/a/")).text == page.text
            await deployment.add("/after/", body="Written at the new home.\n")
            assert "at the new home" in (await deployment.get("/after/")).text
            assert "/after/" in (await deployment.get("/search/?q=written")).text

    asyncio.run(main())


def test_a_tenant_is_moved_at_the_command_line_and_back(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(ground.make("file"))
    monkeypatch.setenv("MOSAIC_CONFIG", str(ground.configuration()))
    looked = json.loads(invoke("tenant", "move", "aurora", "--to", "schema", "--dry-run", "--json"))
    assert (looked["state"], looked["misfits"]) == ("looked", [])
    assert "never moved" in invoke("tenant", "move-status", "aurora", code=1)
    moved = invoke("tenant", "move", "aurora", "--to", "schema")
    assert "file → schema: it has moved; writes waited" in moved
    assert "kept until" in invoke("tenant", "move-status", "aurora")
    assert "on the schema tier already" in invoke(
        "tenant", "move", "aurora", "--to", "schema", code=1
    )
    back = json.loads(invoke("tenant", "move", "aurora", "--to", "file", "--json"))
    assert (back["state"], back["to_tier"]) == ("done", "file")
    assert json.loads(invoke("doctor", "--json"))["problems"] == []
    assert "not moving" in invoke("tenant", "move-cancel", "aurora", code=1)
    assert "no tier 'gold'" in invoke("tenant", "move", "aurora", "--to", "gold", code=1)


def test_a_tenant_that_moved_and_is_removed_leaves_none_of_its_homes(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment:
            platform = deployment.product.platform
            homes = [tenant_of(deployment)]
            for tier in ("schema", "other"):
                await move(deployment, tier)
                homes.append(tenant_of(deployment))
            await deployment.rule("tenants.delete", slug="aurora")
            await deployment.rule("tenants.remove", slug="aurora", confirm="aurora")
            for home in homes:
                with pytest.raises(DatabaseMissing):
                    await platform.persistence(home).head(home)
            assert await platform.moving.moves.all(homes[0].tenant_id) == []

    asyncio.run(main())


def test_a_tenant_is_not_removed_while_a_home_that_it_left_cannot_be(ground: Ground) -> None:
    """Its plugin is not selected any more: what is there would stay, and nobody would know it."""
    selected = ground.tables()["platform"]["plugins"]
    fewer = tuple(name for name in selected if name != "tenancy_sqlschema")

    async def main() -> None:
        await ground.make("schema")
        async with ground.opened() as deployment:
            old = tenant_of(deployment)
            await move(deployment, "file")
            await deployment.rule("tenants.delete", slug="aurora")
        async with ground.opened(plugins=fewer) as deployment:
            for _ in range(2):
                with pytest.raises(
                    Conflict, match="has a home on the schema tier still"
                ) as refused:
                    await deployment.rule("tenants.remove", slug="aurora", confirm="aurora")
                assert "tenancy_sqlschema" in refused.value.hint
            assert await deployment.product.remover.remove_due() == 0
        async with ground.opened() as deployment:
            assert await deployment.product.remover.remove_due() == 1
            with pytest.raises(DatabaseMissing):
                await deployment.product.platform.persistence(old).head(old)

    asyncio.run(main())


def test_what_a_tier_needs_and_is_not_selected_is_told_before_a_move(ground: Ground) -> None:
    selected = ground.tables()["platform"]["plugins"]
    fewer = tuple(name for name in selected if name != "tenancy_sqlschema")

    async def main() -> None:
        await ground.make()
        async with ground.opened(plugins=fewer) as deployment:
            for how in ({"dry_run": True}, {"wait": True}, {}):
                with pytest.raises(ConfigurationError, match="not selected"):
                    await deployment.rule("tenants.move", slug="aurora", tier="schema", **how)

    asyncio.run(main())


def test_a_tenant_to_which_somebody_always_writes_is_not_followed_for_ever(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence goes up once catching up takes no less time than before."""
    times, catch_up = 0, effects.catch_up

    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            old = tenant_of(deployment)
            persistence = deployment.product.platform.persistence(old)

            async def more(*given: Any) -> int:
                nonlocal times
                times += 1
                if (await persistence.head(old)).status is HeadStatus.FOLLOWED:
                    for number in range(5):
                        source = f"/{times}/{number}/"
                        await deployment.do("redirects.set", source=source, target="/deep/")
                return await catch_up(*given)

            monkeypatch.setattr(effects, "catch_up", more)
            assert (await move(deployment, "schema")).step is Step.DONE
            await everything(deployment, tenant_of(deployment))

    asyncio.run(main())
    assert 3 < times < 25
