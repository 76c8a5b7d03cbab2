"""What a process knows of heads: at most so old, own writes at once, and back when it must."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.errors import ConfigurationError, DatabaseMissing
from mosaic_core.head import Heads
from mosaic_core.persistence import HeadState, HeadStatus
from tests.core.head.toys import Shown, Toys, opened, toy, toy_tenant


class Looks:
    """A persistence that counts looks and answers what it is told, after it is let."""

    def __init__(self) -> None:
        self.count = 0
        self.state = HeadState(1, 1)
        self.let = asyncio.Event()
        self.let.set()
        self.error: Exception | None = None
        self.glanced: HeadState | None = None

    def glance(self, tenant: Any) -> HeadState | None:
        return self.glanced

    async def head(self, tenant: Any) -> HeadState:
        self.count += 1
        state = self.state
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return state


def _heads(freshness: float) -> tuple[Heads, Looks]:
    looks = Looks()
    return Heads(freshness, lambda tenant: looks), looks  # type: ignore[arg-type, return-value]


def test_a_look_counts_for_as_long_as_it_is_fresh() -> None:
    async def main() -> None:
        heads, looks = _heads(0.05)
        tenant = toy_tenant()
        for _ in range(5):
            assert (await heads.look(tenant)).version == 1
        assert looks.count == 1
        looks.state = HeadState(2, 1)
        await asyncio.sleep(0.06)
        assert (await heads.look(tenant)).version == 2
        assert looks.count == 2

    asyncio.run(main())


def test_a_thousand_askers_take_one_look() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        looks.let.clear()
        asking = [asyncio.create_task(heads.look(toy_tenant())) for _ in range(1000)]
        await asyncio.sleep(0)
        asking[0].cancel()
        await asyncio.sleep(0)
        looks.let.set()
        states = await asyncio.gather(*asking[1:])
        assert {state.version for state in states} == {1}
        assert looks.count == 1

    asyncio.run(main())


def test_an_own_write_counts_at_once_and_a_look_from_before_does_not_undo_it() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        tenant = toy_tenant()
        looks.let.clear()
        looking = asyncio.create_task(heads.look(tenant))
        await asyncio.sleep(0.01)
        heads.committed(tenant.tenant_id, HeadState(2, 2))
        looks.let.set()
        assert (await looking).version == 2
        assert heads.watched(tenant.tenant_id).published == 2

    asyncio.run(main())


def test_a_head_that_went_back_is_believed() -> None:
    async def main() -> None:
        heads, looks = _heads(0.0)
        looks.state = HeadState(9, 5)
        await heads.look(toy_tenant())
        looks.state = HeadState(3, 2)  # restored from a backup
        assert (await heads.look(toy_tenant())).version == 3
        assert heads.watched(toy_tenant().tenant_id).published == 2

    asyncio.run(main())


def test_a_look_that_fails_fails_for_its_askers_and_is_taken_again() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        looks.error = DatabaseMissing("gone")
        with pytest.raises(DatabaseMissing):
            await heads.look(toy_tenant())
        looks.error = None
        assert (await heads.look(toy_tenant())).version == 1

    asyncio.run(main())


def test_a_forgotten_head_is_looked_at_anew() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        await heads.look(toy_tenant())
        heads.forget(toy_tenant().tenant_id)
        await heads.look(toy_tenant())
        assert looks.count == 2

    asyncio.run(main())


def test_whoever_holds_a_forgotten_head_learns_of_the_next_look() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        await heads.look(toy_tenant())
        held = heads.watched(toy_tenant().tenant_id)
        heads.forget(toy_tenant().tenant_id)
        assert held.until <= time.monotonic()
        looks.state = HeadState(1, 7, epoch=2)
        await heads.look(toy_tenant())
        assert (held.published, held.state.epoch) == (7, 2)
        heads.committed(toy_tenant().tenant_id, HeadState(2, 8, epoch=2))
        assert held.published == 8

    asyncio.run(main())


def test_a_look_from_before_the_forgetting_is_not_trusted() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        looks.let.clear()
        early = asyncio.create_task(heads.look(toy_tenant()))
        await asyncio.sleep(0.01)
        heads.forget(toy_tenant().tenant_id)
        looks.state = HeadState(5, 5, epoch=2)
        late = asyncio.create_task(heads.look(toy_tenant()))
        await asyncio.sleep(0.01)
        looks.let.set()
        assert (await late).version == 5
        await early
        assert heads.watched(toy_tenant().tenant_id).published == 5
        assert looks.count == 2

        heads.forget(toy_tenant().tenant_id)
        looks.let.clear()
        early = asyncio.create_task(heads.look(toy_tenant()))
        await asyncio.sleep(0.01)
        heads.forget(toy_tenant().tenant_id)
        looks.let.set()
        await early
        await heads.look(toy_tenant())
        assert looks.count == 4

    asyncio.run(main())


def test_another_instances_write_is_seen_within_its_freshness(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as writing, opened(tmp_path) as reading:
            heads = Heads(0.1, lambda tenant: reading)
            mine = Toys(reading, writing.tenant)
            assert (await heads.look(mine.tenant)).published == 0
            await writing.add(Shown(path="/", text="news"))
            begun = time.monotonic()
            while (await heads.look(mine.tenant)).published == 0:
                await asyncio.sleep(0.01)
                assert time.monotonic() - begun < 1

    asyncio.run(main())


def test_a_home_that_was_left_has_nothing_to_say_of_where_the_tenant_lives() -> None:
    async def main() -> None:
        heads, looks = _heads(0.0)
        tenant = toy_tenant()
        heads.committed(tenant.tenant_id, HeadState(5, 5, epoch=2))
        looks.state = HeadState(9, 9, HeadStatus.MOVED, epoch=1)
        assert (await heads.look(tenant)).version == 5
        looks.state = HeadState(2, 2, epoch=2)  # restored, where it lives
        assert (await heads.look(tenant)).version == 2

    asyncio.run(main())


def test_a_glance_counts_as_a_look() -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        assert not heads.glance(toy_tenant())
        looks.glanced = HeadState(4, 3)
        assert heads.glance(toy_tenant())
        assert (await heads.look(toy_tenant())).version == 4
        assert looks.count == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "old", [HeadState(9, 9, HeadStatus.MOVED, epoch=1), HeadState(9, 9, epoch=1)]
)
def test_a_glance_at_a_home_that_was_left_counts_for_nothing(old: HeadState) -> None:
    async def main() -> None:
        heads, looks = _heads(60)
        tenant = toy_tenant()
        heads.committed(tenant.tenant_id, HeadState(5, 5, epoch=2))
        looks.glanced, looks.state = old, HeadState(6, 6, epoch=2)
        assert not heads.glance(tenant)
        assert (await heads.look(tenant)).version == 6

    asyncio.run(main())


def test_a_glance_at_a_tier_that_is_not_configured_is_none() -> None:
    def unknown(tenant: Any) -> Any:
        raise ConfigurationError("no such tier")

    assert not Heads(60, unknown).glance(toy_tenant())
