"""A Redis that is away, does not answer or does not let us in costs nobody a request."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mosaic_cache_redis.plugin import RedisSettings, open_redis
from pydantic import ValidationError

from mosaic_core.cache import Cache, Rate
from mosaic_core.errors import CacheUnavailable
from mosaic_core.shared_cache import SharedCache
from mosaic_core.testing.services import make_services
from tests.redis_server import RedisServer

RATE = Rate(limit=1, seconds=3600, burst=3)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


@asynccontextmanager
async def opened(folder: Path, url: str, **settings: Any) -> AsyncIterator[Cache]:
    given = RedisSettings(url=url, **{"timeout": 10, **settings})
    async with open_redis(given, make_services(folder)) as cache:
        yield cache


def test_deployments_that_share_a_server_share_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        with RedisServer() as server:
            async with (
                opened(tmp_path, server.url) as one,
                opened(tmp_path, server.url) as same,
                opened(tmp_path, server.url, prefix="other:") as other,
                one.subscribe("news") as messages,
            ):
                await one.set("key", b"value", seconds=60)
                assert await same.get("key") == b"value"
                assert await other.get("key") is None
                assert (await same.take("bucket", RATE)).remaining == 2
                assert (await one.take("bucket", RATE)).remaining == 1
                assert (await other.take("bucket", RATE)).remaining == 2
                await other.publish("news", "not for us")
                await same.publish("news", "for us")
                assert await anext(messages) == "for us"

    run(scenario)


def test_a_bucket_leaves_nothing_on_the_server_once_it_is_full(tmp_path: Path) -> None:
    async def scenario() -> None:
        with RedisServer() as server:
            async with opened(tmp_path, server.url) as cache:
                await cache.take("bucket", Rate(limit=20, seconds=1, burst=5))
                assert await cache.get("bucket") is not None
                await asyncio.sleep(0.1)
                assert await cache.get("bucket") is None

    run(scenario)


def test_who_may_not_use_the_server_learns_it_and_the_password_stays_hidden(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        with RedisServer("--requirepass", "right-horse") as server:
            for settings in ({}, {"password": "wrong-horse"}):
                async with opened(tmp_path, server.url, **settings) as cache:
                    with pytest.raises(CacheUnavailable, match="does not let us in") as caught:
                        await cache.get("key")
                    assert "horse" not in str(caught.value)
            async with opened(tmp_path, server.url, password="right-horse") as cache:
                await cache.set("key", b"value", seconds=60)

    run(scenario)


def test_a_server_that_is_full_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    async def scenario() -> None:
        with RedisServer("--maxmemory", "1") as server:
            async with opened(tmp_path, server.url) as cache:
                with pytest.raises(CacheUnavailable, match="memory"):
                    await cache.set("key", b"value", seconds=60)

    run(scenario)


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_is_silent_or_not_there_is_not_waited_for(
    tmp_path: Path, listens: bool
) -> None:
    async def scenario() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            if listens:
                silent.listen()
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
            async with opened(tmp_path, url, timeout=0.05) as cache:
                started = time.monotonic()
                with pytest.raises(CacheUnavailable):
                    await cache.get("key")
                with pytest.raises(CacheUnavailable):
                    async with cache.subscribe("news"):
                        pass
                assert time.monotonic() - started < 5

    run(scenario)


def test_without_the_server_a_process_goes_on_by_itself_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        with RedisServer() as server:
            async with opened(tmp_path, server.url) as redis:
                shared = SharedCache("cache_redis", redis)
                await shared.set("key", b"shared", seconds=60)
                assert (await shared.take("bucket", RATE)).remaining == 2
                server.stop()
                for remaining in (2, 1, 0):
                    assert (await shared.take("bucket", RATE)).remaining == remaining
                assert (await shared.take("bucket", RATE)).refused
                assert await shared.get("key") is None
                await shared.publish("news", "nobody hears it")
                with pytest.raises(CacheUnavailable):
                    async with shared.subscribe("news"):
                        pass
                server.start()
                until = time.monotonic() + 20
                await shared.set("key", b"own", seconds=60)
                while await redis.get("key") is None:
                    assert time.monotonic() < until
                    await asyncio.sleep(0.05)
                    await shared.set("key", b"new", seconds=60)
                assert (await shared.take("bucket", RATE)).remaining == 2

    with caplog.at_level(logging.WARNING, "mosaic.cache"):
        run(scenario)
    went, back = [record.getMessage() for record in caplog.records]
    assert "cannot be reached" in went
    assert "goes on by itself" in went
    assert back == "cache_redis is back."


def test_while_it_is_away_one_asks_and_nobody_else_waits(tmp_path: Path) -> None:
    asked = 0

    class Slow:
        async def get(self, key: str) -> bytes | None:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.05)
            raise CacheUnavailable("It does not answer.")

    async def scenario() -> None:
        shared = SharedCache("slow", Slow())  # type: ignore[arg-type]
        await shared.get("key")
        await asyncio.gather(*(shared.get("key") for _ in range(100)))
        assert asked == 1

    run(scenario)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "cache.example.com:6379"}, "redis://"),
        ({"url": "http://cache.example.com"}, "redis://"),
        ({"url": "redis://ada:hunter2hunter2@cache.example.com"}, "settings of their own"),
        ({"url": "redis://cache.example.com?password=hunter2hunter2"}, "settings of their own"),
        ({"url": "redis://"}, "name the server"),
        ({"url": "redis://cache.example.com:port"}, "url"),
        ({"url": "unix://"}, "name the socket"),
        ({"url": "redis://cache.example.com", "prefix": "with space"}, "prefix"),
        ({"url": "redis://cache.example.com", "timeout": 60}, "timeout"),
        ({"url": "redis://cache.example.com", "pasword": "hunter2hunter2"}, "pasword"),
        ({}, "url"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        RedisSettings.model_validate(given)
    assert "hunter2" not in str(caught.value)
