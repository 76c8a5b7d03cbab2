"""A page that takes long to render keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.content.paths import check_slug
from mosaic_cms.content.slugs import slugify
from mosaic_core.errors import InvalidInput, InvalidKey
from mosaic_core.storage import normalise_key
from tests.cms.deployment import Deployment, Deployments

#: Every line is looked at once for each of the quotations that it may continue.
DEEP = f"{'>' * 18}a\n" + "a\n" * 50_000
MARKS = "a" + "\u0315\u0300" * 500_000


class Anywhere:
    def link(self, target: str) -> str | None:
        return target

    def picture(self, target: str) -> Picture | None:
        return Picture(target, 1, 1)


def test_others_are_served_while_a_long_page_is_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.create", slug="deep", title="Deep", body=DEEP)
        begun = time.monotonic()
        publishing = asyncio.create_task(deployment.do("pages.publish", path="/deep/"))
        served, slowest = 0, 0.0
        while not publishing.done():
            asked = time.monotonic()
            answer = await deployment.get("/visit/", "bread.mosaic.test")
            assert answer.status_code == 200
            answer = await deployment.get(f"/missing-{served}/", "steel.mosaic.test")
            assert answer.status_code == 404
            slowest = max(slowest, time.monotonic() - asked)
            served += 1
            await asyncio.sleep(0.01)
        took = time.monotonic() - begun
        assert (await publishing).state == "published"
        assert (await deployment.get("/deep/")).status_code == 200
        assert took > 0.5, "too short to tell"
        assert served > 5
        assert slowest < took / 2

    deployments(scenario)


def test_many_long_pages_leave_threads_for_other_work(deployments: Deployments) -> None:
    at_once = most = 0

    def render() -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return threading.current_thread() is threading.main_thread()

    async def scenario(deployment: Deployment) -> None:
        in_time = deployment.product.projection._in_time
        assert (
            await asyncio.gather(*(in_time(1_000_000, render) for _ in range(12))) == [False] * 12
        )
        assert 1 <= most <= 2
        assert await in_time(100, render)

    deployments(scenario)


def test_a_million_combining_marks_are_no_work() -> None:
    begun = time.process_time()
    rendered = Markup().render(f"# {MARKS}\n\n[x]({MARKS})", Anywhere())
    assert len(rendered.headings[0][1]) <= 120
    assert slugify(MARKS)
    with pytest.raises(InvalidInput, match="too long"):
        check_slug(MARKS)
    with pytest.raises(InvalidKey, match="1000001"):
        normalise_key(MARKS)
    assert time.process_time() - begun < 20
