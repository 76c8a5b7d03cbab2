"""Releases: several pages at once, or not at all."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.content import releases
from mosaic_cms.timekeeper import Timekeeper
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import TENANT
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt


async def release_of(deployment: Deployment, **pages: tuple[str, ...]) -> uuid.UUID:
    release = await deployment.do("releases.create", title="Spring")
    for action, paths in pages.items():
        await deployment.do("releases.add", id=release.id, paths=paths, action=action)
    key: uuid.UUID = release.id
    return key


async def states(deployment: Deployment) -> dict[str, str]:
    return {page.path: page.state for page in await deployment.do("pages.list")}


async def counters(deployment: Deployment) -> tuple[int, int]:
    async with deployment.scope().read() as session:
        row = (await session.execute(select(TENANT.head))).mappings().one()
        return row["version"], row["published"]


async def assert_as_made_anew(deployment: Deployment) -> None:
    assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")


async def assert_published(deployment: Deployment, key: uuid.UUID) -> Any:
    detail = await deployment.do("releases.publish", id=key)
    assert detail.released_at is not None
    await assert_as_made_anew(deployment)
    return detail


def test_its_pages_are_published_and_unpublished_in_one_write(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path in ("/news/a/", "/news/b/"):
            await deployment.add(path, publish=False, body=f"[Visit](/visit/) {path}")
        await deployment.do("pages.edit", path="/news/", title="All news")
        key = await release_of(
            deployment,
            publish=("/news/", "/news/a/", "/news/b/"),
            unpublish=("/visit/", "/visit/hours/"),
        )
        before, shown = await counters(deployment)
        with monkeypatch.context() as patch:
            patch.setattr(type(deployment.product), "settle", lambda *args: _nothing())
            await deployment.do("releases.publish", id=key)
        assert await counters(deployment) == (before + 1, shown + 1)
        rows = (await projected(deployment, "aurora")).values()
        html = {row["path"]: row["html"] for row in rows if "html" in row}
        assert html.keys() == {"/", "/news/", "/news/a/", "/news/b/"}
        assert all(html.values()), "each shows whole at once"
        assert "/visit/hours/" not in html["/news/"]
        await deployment.product.settle_all()
        assert await states(deployment) == {
            "/": "published",
            "/news/": "published",
            "/news/a/": "published",
            "/news/b/": "published",
            "/visit/": "draft",
            "/visit/hours/": "draft",
        }
        await assert_as_made_anew(deployment)

    deployments(scenario)


async def _nothing() -> int:
    return 0


def test_none_is_published_when_one_cannot_be_and_every_problem_is_listed(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for name in ("a", "b"):
            regions = {"main": [{"type": "image", "data": {}}]}
            await deployment.add(f"/news/{name}/", publish=False, regions=regions)
        await deployment.do("pages.edit", path="/", title="New")
        await deployment.add("/gone/", publish=False)
        key = await release_of(
            deployment,
            publish=("/", "/news/a/", "/news/b/", "/gone/"),
            unpublish=("/visit/",),
        )
        gone = await deployment.do("pages.delete", path="/gone/")
        before = await counters(deployment), await projected(deployment, "aurora")
        with pytest.raises(InvalidInput, match="None of its pages was changed") as caught:
            await deployment.do("releases.publish", id=key)
        places = {where for where, _ in caught.value.problems}
        assert f"page:{gone.id}" in places
        assert "/visit/" in places
        assert any(where.startswith("/news/a/ main[0]") for where in places)
        assert any(where.startswith("/news/b/ main[0]") for where in places)
        assert before == (await counters(deployment), await projected(deployment, "aurora"))
        shown = await deployment.do("releases.show", id=key)
        assert {problem.where for problem in shown.problems} == places
        await deployment.do(
            "releases.remove",
            id=key,
            paths=["/news/a/", "/news/b/", "/visit/"],
            page_ids=[gone.id],
        )
        detail = await assert_published(deployment, key)
        assert [page.path for page in detail.content] == ["/"]

    deployments(scenario)


def test_a_release_that_was_published_is_closed(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        key = await release_of(deployment)
        with pytest.raises(InvalidInput, match="there are none"):
            await deployment.do("releases.publish", id=key)
        await deployment.do("releases.add", id=key, paths=["/news/"])
        await assert_published(deployment, key)
        for name, given in (
            ("releases.publish", {}),
            ("releases.add", {"paths": ["/visit/"]}),
            ("releases.remove", {"paths": ["/news/"]}),
            ("releases.schedule", {"at": "2090-01-01 09:00"}),
        ):
            with pytest.raises(Conflict, match="was published at"):
                await deployment.do(name, id=key, **given)
            with pytest.raises(NotFound, match="no release"):
                await deployment.do(name, **{**given, "id": uuid.uuid4()})
        (listed,) = await deployment.do("releases.list")
        assert (listed.title, listed.pages) == ("Spring", 1)

    deployments(scenario)


def test_what_happens_to_a_page_can_be_changed_and_a_release_has_its_limit(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        key = await release_of(deployment, publish=("/visit/hours/",))
        detail = await deployment.do(
            "releases.add", id=key, paths=["/visit/hours/"], action="unpublish"
        )
        assert [(page.path, page.action) for page in detail.content] == [
            ("/visit/hours/", "unpublish")
        ]
        monkeypatch.setattr(releases, "MOST_PAGES", 2)
        with pytest.raises(InvalidInput, match="3 pages is too large"):
            await deployment.do("releases.add", id=key, paths=["/", "/visit/"])

    deployments(scenario)


def test_a_release_is_published_at_its_time(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        start = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)
        now = [start]
        monkeypatch.setattr(Timekeeper, "now", lambda self: now[0])
        await deployment.do("pages.edit", path="/visit/", title="New")
        key = await release_of(
            deployment, publish=("/visit/",), unpublish=("/visit/hours/", "/news/")
        )
        for hour in (9, 10):
            planned = await deployment.do(
                "releases.schedule", id=key, at=f"2031-01-15 {hour:02}:00"
            )
            assert (planned.release_id, planned.title) == (key, "Spring")
        now[0] = start + timedelta(hours=1)
        assert await deployment.product.timekeeper.keep() == 1
        assert (await states(deployment))["/news/"] == "draft"
        assert await deployment.do("pages.schedules") == [], "it is published once"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_deleted_release_is_gone_with_its_schedules_and_its_pages_stay(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        start = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)
        now = [start]
        monkeypatch.setattr(Timekeeper, "now", lambda self: now[0])
        key = await release_of(deployment, unpublish=("/news/",))
        other = await release_of(deployment, unpublish=("/visit/hours/",))
        for release in (key, other):
            await deployment.do("releases.schedule", id=release, at="2031-01-15 09:00")
        before = await states(deployment)
        deleted = await deployment.do("releases.delete", id=key)
        assert (deleted.id, deleted.title, deleted.pages) == (key, "Spring", 1)
        assert await states(deployment) == before
        for name in ("releases.show", "releases.delete", "releases.publish"):
            with pytest.raises(NotFound, match="no release"):
                await deployment.do(name, id=key)
        (planned,) = await deployment.do("pages.schedules")
        assert planned.release_id == other
        now[0] = start + timedelta(hours=1)
        assert await deployment.product.timekeeper.keep() == 1
        assert await states(deployment) == before | {"/visit/hours/": "draft"}
        events = await deployment.do("audit.list")
        assert "releases.delete" in [event.action for event in events]
        assert (await deployment.do("releases.delete", id=other)).released_at is not None
        assert await deployment.do("releases.list") == []
        assert (await states(deployment))["/visit/hours/"] == "draft", "what it did stays done"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_release_is_deleted_at_the_command_line(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    made = json.loads(invoke("release", "create", "Spring", "-s", "aurora", "--json"))
    assert "'Spring' is deleted" in invoke("release", "delete", made["id"], "-s", "aurora")
    assert json.loads(invoke("release", "list", "-s", "aurora", "--json")) == []
