"""The contract of a cache, as tests. Subclass :class:`CacheContract` and set ``provider``."""

from __future__ import annotations

import asyncio
import uuid

from mosaic_core.cache import Cache, Rate
from mosaic_core.testing.contract import Contract, contract_test

#: Seconds within which what expires in :data:`SHORT` seconds is gone.
SHORT = 0.05
KEYS = ("plain", "with space", "tenant:1/site:ü", "x" * 400, "{braces}", "*", "漢字")
VALUES = (b"", b"text", bytes(range(256)), b"x" * 100_000)


def own(name: str = "key") -> str:
    """A name that no other test has: a server may be shared by several."""
    return f"{name}-{uuid.uuid4().hex}"


class CacheContract(Contract[Cache]):
    """What every cache does."""

    @contract_test
    async def test_a_value_is_kept_as_it_is_under_any_key(self, cache: Cache) -> None:
        assert isinstance(cache, Cache)
        keys = [f"{uuid.uuid4().hex[: 400 - len(key)]}{key}" for key in KEYS]
        for number, key in enumerate(keys):
            assert await cache.get(key) is None
            await cache.set(key, str(number).encode(), seconds=60)
        for number, key in enumerate(keys):
            assert await cache.get(key) == str(number).encode()
        for value in VALUES:
            await cache.set(keys[0], value, seconds=60)
            assert await cache.get(keys[0]) == value

    @contract_test
    async def test_what_is_deleted_is_gone_and_nothing_else(self, cache: Cache) -> None:
        one, two, three = own(), own(), own()
        for key in (one, two, three):
            await cache.set(key, b"value", seconds=60)
        await cache.delete(one, two, own("never there"))
        await cache.delete()
        assert [await cache.get(key) for key in (one, two, three)] == [None, None, b"value"]

    @contract_test
    async def test_a_value_goes_after_its_time_and_a_new_one_has_its_own(
        self, cache: Cache
    ) -> None:
        key, renewed = own(), own()
        await cache.set(key, b"value", seconds=SHORT)
        await cache.set(renewed, b"old", seconds=SHORT)
        await cache.set(renewed, b"new", seconds=60)
        assert await cache.get(key) == b"value"
        await asyncio.sleep(2 * SHORT)
        assert await cache.get(key) is None
        assert await cache.get(renewed) == b"new"

    @contract_test
    async def test_a_value_is_swapped_for_the_one_that_was_seen_and_no_other(
        self, cache: Cache
    ) -> None:
        key = own()
        assert not await cache.swap(key, b"seen", b"value", seconds=60)
        assert await cache.get(key) is None
        assert await cache.swap(key, None, b"", seconds=60)
        assert not await cache.swap(key, None, b"value", seconds=60), "nothing is not empty"
        previous = b""
        for value in VALUES:
            assert not await cache.swap(key, b"another", value, seconds=60)
            assert await cache.swap(key, previous, value, seconds=60)
            assert await cache.get(key) == value
            previous = value
        assert await cache.swap(key, previous, b"short", seconds=SHORT)
        await asyncio.sleep(2 * SHORT)
        assert await cache.get(key) is None

    @contract_test
    async def test_of_many_who_swap_at_once_one_does(self, cache: Cache) -> None:
        key = own()
        swapped = await asyncio.gather(
            *(cache.swap(key, None, str(number).encode(), seconds=60) for number in range(20))
        )
        assert sum(swapped) == 1
        assert await cache.get(key) == str(swapped.index(True)).encode()

    @contract_test
    async def test_a_bucket_gives_a_burst_and_then_says_how_long_to_wait(
        self, cache: Cache
    ) -> None:
        key, rate = own(), Rate(limit=1, seconds=60, burst=3)
        taken = [await cache.take(key, rate) for _ in range(4)]
        assert [one.refused for one in taken] == [False, False, False, True]
        assert [one.remaining for one in taken] == [2, 1, 0, 0]
        assert [one.wait for one in taken[:3]] == [0, 0, 0]
        assert 55 < taken[3].wait <= 60, "a minute until there is one"
        assert 175 < taken[3].reset <= 180, "three until there are three"
        assert not (await cache.take(own(), rate)).refused, "another's bucket is another"

    @contract_test
    async def test_a_bucket_fills_steadily(self, cache: Cache) -> None:
        key, rate = own(), Rate(limit=10, seconds=1, burst=2)
        while not (found := await cache.take(key, rate)).refused:
            pass
        assert 0 < found.wait <= 0.1
        await asyncio.sleep(found.wait + 0.01)
        assert not (await cache.take(key, rate)).refused
        await asyncio.sleep(0.35)
        assert [(await cache.take(key, rate)).refused for _ in range(2)] == [False, False]
        assert (await cache.take(key, rate)).refused, "and holds no more than its burst"

    @contract_test
    async def test_a_rate_may_be_as_good_as_none(self, cache: Cache) -> None:
        key, rate = own(), Rate(limit=10**9, seconds=60, burst=10**9)
        assert not any([(await cache.take(key, rate)).refused for _ in range(3)])

    @contract_test
    async def test_many_at_once_get_no_token_twice(self, cache: Cache) -> None:
        key, rate = own(), Rate(limit=1, seconds=3600, burst=20)
        taken = await asyncio.gather(*(cache.take(key, rate) for _ in range(50)))
        assert sum(not one.refused for one in taken) == 20

    @contract_test
    async def test_messages_arrive_in_order_at_everybody_who_listens(self, cache: Cache) -> None:
        channel = own("channel")
        sent = [f"{number} – ü" for number in range(50)]
        await cache.publish(channel, "before anybody listened")
        async with cache.subscribe(channel) as one, cache.subscribe(channel) as other:
            for message in sent:
                await cache.publish(channel, message)
                await cache.publish(own("channel"), "for others")
            for messages in (one, other):
                assert [await anext(messages) for _ in sent] == sent
        await cache.publish(channel, "after everybody left")

    @contract_test
    async def test_one_that_is_cancelled_ends_and_does_not_harm_the_next(
        self, cache: Cache
    ) -> None:
        keys = [own() for _ in range(12)]
        for turns, key in enumerate(keys):
            await cache.set(key, key.encode(), seconds=60)
            # At one time, so that connections are made as well as used.
            tasks = [asyncio.ensure_future(cache.get(key)) for _ in range(turns + 1)]
            for _ in range(turns):
                await asyncio.sleep(0)
            asked = [task for task in tasks if task.cancel()]
            await asyncio.gather(*tasks, return_exceptions=True)
            assert all(task.cancelled() for task in asked)
        for key in keys:
            assert await cache.get(key) == key.encode()
