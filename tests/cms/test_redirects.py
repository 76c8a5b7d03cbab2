"""Redirects: an old address leads to where things are now, in one step, whatever happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.errors import Conflict, InvalidInput, NotFound
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_pages import assert_as_made_anew


async def leads(deployment: Deployment, path: str) -> str | int:
    """Where an address leads, or the status of what is there."""
    answer = await deployment.get(path)
    return answer.headers["location"] if answer.status_code == 301 else answer.status_code


async def move(deployment: Deployment, path: str, slug: str) -> None:
    await deployment.do("pages.move", path=path, slug=slug)
    await assert_as_made_anew(deployment)


async def put(deployment: Deployment, source: str, target: str) -> Any:
    return await deployment.do("redirects.set", source=source, target=target)


# What pages leave behind


def test_descendants_lead_on_too(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/visit/hours/winter/")
        await move(deployment, "/visit/", "plan")
        await move(deployment, "/plan/hours/", "open")
        for old in ("/visit/hours/winter/", "/plan/hours/winter/"):
            assert await leads(deployment, old) == "/plan/open/winter/"
        assert await leads(deployment, "/visit/hours/") == "/plan/open/"
        views = await deployment.do("redirects.list")
        assert all(view.automatic and view.shown for view in views)

    deployments(scenario)


def test_a_page_that_moves_back_and_forth_leaves_no_circle(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for _ in range(2):
            await move(deployment, "/visit/", "plan")
            assert await leads(deployment, "/visit/hours/") == "/plan/hours/"
            await move(deployment, "/plan/", "visit")
            assert await leads(deployment, "/plan/hours/") == "/visit/hours/"
            assert await leads(deployment, "/visit/hours/") == 200

    deployments(scenario)


def test_two_pages_can_exchange_their_addresses(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await move(deployment, "/visit/", "between")
        await move(deployment, "/news/", "visit")
        await move(deployment, "/between/", "news")
        assert "the text of /news/" in (await deployment.get("/visit/")).text
        assert "the text of /visit/" in (await deployment.get("/news/")).text
        assert await leads(deployment, "/between/") == "/news/"
        assert [view.source for view in await deployment.do("redirects.list")] == [
            "/between/",
            "/between/hours/",
            "/visit/hours/",
        ]

    deployments(scenario)


def test_a_redirect_waits_while_its_page_is_unpublished(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await move(deployment, "/news/", "blog")
        await deployment.do("pages.unpublish", path="/blog/")
        assert await leads(deployment, "/news/") == 404
        await assert_as_made_anew(deployment)
        assert [view.shown for view in await deployment.do("redirects.list")] == [False]
        await move(deployment, "/blog/", "journal")
        await deployment.do("pages.publish", path="/journal/")
        assert await leads(deployment, "/news/") == "/journal/"
        assert await leads(deployment, "/blog/") == "/journal/"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_the_redirects_to_a_deleted_page_go_with_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await put(deployment, "/old/", "/news/")
        await move(deployment, "/news/", "blog")
        await deployment.do("pages.delete", path="/blog/")
        assert await leads(deployment, "/news/") == 404
        await deployment.do("pages.empty_bin")
        await assert_as_made_anew(deployment)
        views = await deployment.do("redirects.list")
        assert [(view.source, view.target) for view in views] == [("/old/", "/blog/")]
        await deployment.add("/blog/")
        assert await leads(deployment, "/old/") == "/blog/"

    deployments(scenario)


def test_a_new_page_at_an_old_address_comes_first(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await move(deployment, "/news/", "blog")
        await deployment.add("/news/", body="The new one.")
        assert "The new one." in (await deployment.get("/news/")).text
        await assert_as_made_anew(deployment)
        await move(deployment, "/news/", "press")
        assert await leads(deployment, "/news/") == "/press/"
        assert await leads(deployment, "/blog/") == 200

    deployments(scenario)


# What editors write


def test_the_address_of_a_page_cannot_be_redirected(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/draft/", publish=False)
        for source in ("/visit/", "/draft"):
            with pytest.raises(Conflict, match="the address of a page"):
                await put(deployment, source, "/news/")
        for source in ("/", "/-/media/x/", "/a/?b=1"):
            with pytest.raises(InvalidInput, match="cannot be redirected"):
                await put(deployment, source, "/news/")

    deployments(scenario)


def test_chains_become_single_steps(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await put(deployment, "/a/", "/b/?from=a")
        await put(deployment, "/b/", "/c/")
        assert await leads(deployment, "/a/") == "/c/?from=a"
        await put(deployment, "/c/", "/visit/#top")
        assert await leads(deployment, "/a/") == "/visit/#top"
        await put(deployment, "/0/", "/b/#mine")
        for source in ("/0/", "/b/", "/c/"):
            assert await leads(deployment, source) == "/visit/#top"
        await move(deployment, "/visit/", "plan")
        for source in ("/0/", "/b/", "/c/"):
            assert await leads(deployment, source) == "/plan/#top"
        await put(deployment, "/shop/", "https://shop.example/")
        view = await put(deployment, "/store/", "/shop/?x=1")
        assert view.leads_to == "https://shop.example/"

    deployments(scenario)


def test_a_page_that_leaves_straightens_what_led_to_its_address(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await put(deployment, "/a/", "/later/#x")
        await deployment.add("/later/")
        await move(deployment, "/later/", "last")
        assert await leads(deployment, "/a/") == "/last/#x"

    deployments(scenario)


@pytest.mark.parametrize(
    "rules",
    [
        [("/a/", "/a/")],
        [("/a/", "/a/?x=1")],
        [("/a/", "/b/"), ("/b/", "/a/")],
        [("/a/", "/b/"), ("/b/", "/c/"), ("/c/", "/a/#x")],
    ],
)
def test_circles_are_refused(deployments: Deployments, rules: list[tuple[str, str]]) -> None:
    async def scenario(deployment: Deployment) -> None:
        *fine, last = rules
        for rule in fine:
            await put(deployment, *rule)
        with pytest.raises(InvalidInput, match="leads in a circle"):
            await put(deployment, *last)
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_redirect_can_be_taken_away(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await put(deployment, "/a/", "/visit/")
        view = await deployment.do("redirects.remove", source="/a")
        assert (view.source, view.leads_to) == ("/a/", "/visit/")
        assert await leads(deployment, "/a/") == 404
        with pytest.raises(NotFound, match="Nothing is redirected"):
            await deployment.do("redirects.remove", source="/a/")

    deployments(scenario)


def test_a_file_of_redirects_is_reported_line_by_line(deployments: Deployments) -> None:
    lines = ["source,target", "/old/,/visit/", "/visit/,/news/", "/x/,/x/", "/b/,/c/", "/c/,/news/"]
    content = "\n".join(lines).encode()

    async def scenario(deployment: Deployment) -> None:
        await put(deployment, "/b/", "/visit/")
        report = await deployment.do("redirects.import", content=content)
        assert (report.set, report.unchanged) == (3, 0)
        problems = {line.line: line.message for line in report.lines if line.level == "problem"}
        assert sorted(problems) == [3, 4]
        assert "the address of a page" in problems[3]
        assert await leads(deployment, "/old/") == "/visit/"
        assert await leads(deployment, "/b/") == "/news/"
        again = await deployment.do("redirects.import", content=content)
        assert (again.set, again.unchanged) == (0, 3)
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_redirects_on_the_command_line(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    invoke("redirect", "add", "/old", "/visit/", "-s", "aurora")
    file = tmp_path / "redirects.csv"
    file.write_text("/older/,/old/\n/visit/,/news/\n")
    report = invoke("redirect", "import", str(file), "-s", "aurora", "--json", code=2)
    assert json.loads(report)["set"] == 1
    listed = json.loads(invoke("redirect", "list", "-s", "aurora", "--json"))
    assert [(one["source"], one["leads_to"]) for one in listed] == [
        ("/old/", "/visit/"),
        ("/older/", "/visit/"),
    ]
    invoke("redirect", "remove", "/old/", "-s", "aurora")
    invoke("redirect", "remove", "/older/", "-s", "aurora")
    assert "0 redirects" in invoke("redirect", "list", "-s", "aurora")


def test_a_redirect_from_where_a_page_is_now_is_not_said_to_be_followed(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("redirects.set", source="/open/", target="/news/")

        async def shown() -> list[bool]:
            listed = await deployment.do("redirects.list")
            return [view.shown for view in listed if view.source == "/open/"]

        assert await shown() == [True]
        await deployment.do("pages.move", path="/visit/hours/", parent="/", slug="open")
        assert (await deployment.get("/open/")).status_code == 200
        assert await shown() == [False]
        await deployment.do("pages.move", path="/open/", slug="hours")
        listed = {view.source: view for view in await deployment.do("redirects.list")}
        assert listed["/open/"].shown

    deployments(scenario)
