"""A tenant moves, and nobody sees a difference."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from mosaic_core.moves import Step
from mosaic_core.persistence import HeadStatus
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
