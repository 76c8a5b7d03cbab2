"""A page that takes long to render keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from typing import Any

import pytest

from mosaic_cms.content.ahead import LONG, Aside, Work
from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.content.paths import check_slug
from mosaic_cms.content.slugs import slugify
from mosaic_core.errors import InvalidInput, InvalidKey
from mosaic_core.storage import normalise_key
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt

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


def test_many_long_pages_leave_threads_for_other_work() -> None:
    at_once = most = 0

    def render() -> dict[str, Any]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return {"here": threading.current_thread() is threading.main_thread()}

    async def main() -> None:
        aside = Aside()
        long, short = (Work(uuid.uuid4(), size, None, render) for size in (1_000_000, 100))
        done = await asyncio.gather(*(aside.run(long) for _ in range(12)))
        assert done == [{"here": False}] * 12
        assert 1 <= most <= 2
        assert await aside.run(short) == {"here": True}

    asyncio.run(main())


class Held:
    """Long pages are rendered when the test says so."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun, self.go, self.runs = asyncio.Event(), asyncio.Event(), 0
        run = Aside.run

        async def held(aside: Aside, work: Work) -> dict[str, Any]:
            if work.size > LONG:
                self.runs += 1
                self.begun.set()
                await self.go.wait()
            return await run(aside, work)

        patch.setattr(Aside, "run", held)


LONG_TEXT = "A long page. " * 1_000


@pytest.mark.parametrize("how", ["publish", "release"])
def test_nobody_waits_for_the_tenant_while_a_long_page_is_rendered(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        do, held = deployment.do, Held(monkeypatch)
        for slug in ("one", "two"):
            await do("pages.create", slug=slug, title=slug.title(), body=LONG_TEXT)
        if how == "release":
            release = await do("releases.create", title="Both")
            await do("releases.add", id=release.id, paths=["/one/", "/two/"])
            publishing = asyncio.create_task(do("releases.publish", id=release.id))
        else:
            publishing = asyncio.create_task(do("pages.publish", path="/one/"))
        await held.begun.wait()
        await do("pages.edit", path="/visit/hours/", title="Other hours")
        await do("pages.publish", path="/visit/hours/")
        assert not publishing.done()
        assert (await deployment.get("/one/")).status_code == 404
        held.go.set()
        await publishing
        assert LONG_TEXT.strip() in (await deployment.get("/one/")).text
        assert held.runs == (2 if how == "release" else 1)
        await deployment.product.settle_all()
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_a_long_page_is_rendered_again_when_something_that_it_shows_changed_meanwhile(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        hours = await deployment.do("pages.show", path="/visit/hours/")
        body = f"[There](page:{hours.id})\n\n{LONG_TEXT}"
        await deployment.do("pages.create", slug="one", title="One", body=body)
        held = Held(monkeypatch)
        publishing = asyncio.create_task(deployment.do("pages.publish", path="/one/"))
        await held.begun.wait()
        await deployment.do("pages.move", path="/visit/hours/", slug="times")
        held.go.set()
        await publishing
        assert held.runs == 2
        assert 'href="/visit/times/"' in (await deployment.get("/one/")).text
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_a_long_page_that_changes_all_the_time_is_published_all_the_same(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.create", slug="one", title="One", body=LONG_TEXT)
        run, runs = Aside.run, []

        async def overtaken(aside: Aside, work: Work) -> dict[str, Any]:
            if work.size > LONG:
                runs.append(work)
                if len(runs) <= 3:  # the next time, everybody else waits
                    title = f"Title {len(runs)}"
                    await deployment.do("pages.edit", path="/one/", title=title)
            return await run(aside, work)

        monkeypatch.setattr(Aside, "run", overtaken)
        assert (await deployment.do("pages.publish", path="/one/")).title == "Title 3"
        assert len(runs) == 4
        assert "<h1>Title 3</h1>" in (await deployment.get("/one/")).text

    deployments(scenario)


def test_a_job_renders_a_long_page_once_whatever_is_written_meanwhile(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/one/", body=LONG_TEXT)
        held = Held(monkeypatch)
        page = await deployment.do("pages.show", path="/one/")
        tenant = deployment.scope().tenant
        job = asyncio.create_task(deployment.product.render(tenant, [page.id]))
        await held.begun.wait()
        await deployment.do("pages.edit", path="/visit/", body="Meanwhile.")
        held.go.set()
        await job
        assert held.runs == 1
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_visitors_have_their_turn_between_the_pages_of_a_job(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        pages = [page.id for page in await deployment.do("pages.list")]
        job = asyncio.create_task(deployment.product.render(deployment.scope().tenant, pages))
        turns = 0
        while not job.done():
            turns += 1
            await asyncio.sleep(0)
        await job
        assert turns >= 2 * len(pages)

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
