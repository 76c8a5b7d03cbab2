"""Instances that share a cache learn of each other's writes at once; without it, soon."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.product import open_product
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.errors import ConfigurationError
from mosaic_core.testing.fakes import memory_cache
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments, settings_for
from tests.cms.plugs import plugins_with
from tests.redis_server import RedisServer

PLUGINS = ["host_resolvers", "tenancy_sqlite", "storage_local", "cache_redis"]
#: Nothing is seen in time by looking.
NEVER = 60.0
SOON = 5.0


@asynccontextmanager
async def instance(root: Path, url: str, freshness: float) -> AsyncIterator[Deployment]:
    settings = settings_for(
        root,
        platform={"plugins": PLUGINS, "freshness": freshness},
        plugins={"cache_redis": {"url": url, "timeout": 10}},
    )
    async with open_product(settings) as product:
        deployment = Deployment(product, SiteApp(product))
        async with deployment.client:
            yield deployment


@asynccontextmanager
async def two(
    deployments: Deployments, server: RedisServer, freshness: float = NEVER
) -> AsyncIterator[tuple[Deployment, Deployment]]:
    """Two instances on one folder, the second of which listens."""
    root = deployments.copy()
    async with (
        instance(root, server.url, freshness) as one,
        instance(root, server.url, freshness) as other,
    ):
        news = other.product.platform.news
        assert news is not None
        listening = asyncio.create_task(news.listen())
        await asyncio.sleep(0.1)
        try:
            yield one, other
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def seen(deployment: Deployment, text: str, seconds: float = SOON) -> None:
    """Returns once a visitor of an instance sees a text."""
    async with asyncio.timeout(seconds):
        while text not in (await deployment.get("/")).text:
            await asyncio.sleep(0.02)


async def publish(deployment: Deployment, text: str) -> None:
    await deployment.do("pages.edit", path="/", body=text)
    await deployment.do("pages.publish", path="/")


def test_what_is_published_here_is_seen_there_at_once(deployments: Deployments) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with two(deployments, server) as (one, other):
                await seen(other, "This is the text of /")
                await publish(one, "It was changed.")
                await seen(other, "It was changed.")

    asyncio.run(main())


def test_a_new_tenant_and_a_closed_one_are_known_there_at_once(deployments: Deployments) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with two(deployments, server) as (one, other):
                await one.rule("tenants.create", slug="brass", name="Brass")
                async with asyncio.timeout(SOON):
                    while (await other.get("/", "brass.mosaic.test")).status_code != 200:
                        await asyncio.sleep(0.02)
                await one.rule("tenants.suspend", slug="brass", status="closed")
                async with asyncio.timeout(SOON):
                    while (await other.get("/", "brass.mosaic.test")).status_code == 200:
                        await asyncio.sleep(0.02)

    asyncio.run(main())


def test_without_the_server_everything_is_seen_as_it_is_without_a_cache(
    deployments: Deployments,
) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with two(deployments, server, freshness=0.2) as (one, other):
                await seen(other, "This is the text of /")
                server.stop()
                await publish(one, "Redis is away.")
                await seen(other, "Redis is away.")
                server.start()
                await publish(one, "Redis is back.")
                await seen(other, "Redis is back.")

    asyncio.run(main())


def test_the_doctor_names_a_cache_that_is_away(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = command_line(deployments, monkeypatch)
    text = path.read_text().replace('"storage_local"]', '"storage_local", "cache_redis"]')
    path.write_text(f'{text}[plugins.cache_redis]\nurl = "redis://127.0.0.1:1"\n')
    (problem,) = json.loads(invoke("doctor", "--json", code=1))["problems"]
    assert problem["subject"] == "the cache"
    assert "cannot be reached" in problem["what"]


def test_several_caches_are_one_too_many(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = {"mosaic_cache": memory_cache}
    plugins = plugins_with(monkeypatch, attic=cache)
    deployments(nothing, plugins=plugins)

    def other() -> Any:
        return dataclasses.replace(memory_cache(), name="other")

    plugins = plugins_with(monkeypatch, attic=cache, cellar={"mosaic_cache": other})
    with pytest.raises(ConfigurationError, match="memory, other"):
        deployments(nothing, plugins=plugins)


async def nothing(deployment: Deployment) -> None:
    """Only opens it."""
