"""A page with many below it, such as the index of a long blog, shows them page by page."""

from __future__ import annotations

import gzip
import re

import pytest
from sqlalchemy import select

from mosaic_cms.content import surroundings
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.web import further_pages
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_pages import assert_as_made_anew

HOME = "http://museum.example"
MOST = 5


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five on a page, so that twelve are three of them."""
    for module in (surroundings, further_pages):
        monkeypatch.setattr(module, "MOST_BELOW", MOST)


def titles(text: str) -> list[str]:
    return re.findall(r">(P\d+)\.<", text)


async def add(deployment: Deployment, below: str, count: int, layout: str, dated: int) -> None:
    """Pages below one, of which the first are dated, the newest last."""
    for number in range(1, count + 1):
        details = {"date": f"2025-01-{number:02}"} if number <= dated else {}
        path = f"{below}p{number:02}/"
        await deployment.add(path, layout=layout, title=f"P{number}.", details=details)


async def every_page(deployment: Deployment, path: str) -> list[list[str]]:
    answers = [await deployment.get(path)]
    answers += [await deployment.get(f"{path}?page={number}") for number in (2, 3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    return [titles(answer.text) for answer in answers]


@pytest.mark.parametrize("layout", ["list", "page", "home"])
@pytest.mark.parametrize("theme", ["iznik", "folio", "harbour"])
def test_its_list_goes_on_on_further_pages(
    deployments: Deployments, theme: str, layout: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", theme=theme)
        await deployment.add("/blog/", layout=layout, title="Blog")
        await add(deployment, "/blog/", 12, "post", dated=12)
        await assert_as_made_anew(deployment)
        found = await every_page(deployment, "/blog/")
        assert [len(some) for some in found] == [5, 5, 2]
        assert [title for some in found for title in some] == [f"P{n}" for n in range(12, 0, -1)]
        first = await deployment.get("/blog/")
        assert 'rel="next" href="/blog/?page=2"' in first.text
        second = await deployment.get("/blog/?page=2")
        assert "<h1>Blog</h1>" in second.text
        assert f'<link rel="canonical" href="{HOME}/blog/?page=2">' in second.text
        assert f'<link rel="prev" href="{HOME}/blog/">' in second.text
        assert f'<link rel="next" href="{HOME}/blog/?page=3">' in second.text
        assert (await deployment.get("/blog/?page=2")).headers["etag"] == second.headers["etag"]

    deployments(scenario)


@pytest.mark.parametrize("dated", [0, 3])
def test_it_is_in_one_order_on_all_of_them(deployments: Deployments, dated: int) -> None:
    """That of the site, or the newest first where any has a date; those without come last."""

    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/rooms/", layout="list", title="Rooms")
        await add(deployment, "/rooms/", 12, "page", dated)
        found = await every_page(deployment, "/rooms/")
        order = [*range(dated, 0, -1), *range(dated + 1, 13)]
        assert [title for some in found for title in some] == [f"P{n}" for n in order]

    deployments(scenario)


def test_what_search_engines_are_not_to_list_they_do_not_list_in_part(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path, details in (("/blog/", {}), ("/hidden/", {"noindex": True})):
            await deployment.add(path, layout="list", details=details)
            await add(deployment, path, 6, "post", dated=6)
            for query in ("", "?page=2"):
                found = (await deployment.get(f"{path}{query}")).text
                assert ('content="noindex"' in found) == bool(details), query

    deployments(scenario)


def test_beyond_them_there_is_the_page_itself(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/blog/", layout="list", title="Blog")
        await add(deployment, "/blog/", 7, "post", dated=7)
        await deployment.add("/short/", layout="list", title="Short")
        for path, numbers in (("/blog/", "1 3 0 -1 x 99999"), ("/short/", "1 2 x")):
            alone = await deployment.get(path)
            for number in numbers.split():
                answer = await deployment.get(f"{path}?page={number}")
                assert (answer.status_code, answer.text) == (200, alone.text), number

    deployments(scenario)


def test_they_follow_what_is_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/blog/", layout="list", title="Blog")
        await add(deployment, "/blog/", 6, "post", dated=6)
        assert titles((await deployment.get("/blog/?page=2")).text) == ["P1"]
        await deployment.do("pages.unpublish", path="/blog/p06/")
        alone = await deployment.get("/blog/")
        assert titles(alone.text) == [f"P{n}" for n in range(5, 0, -1)]
        assert "?page=2" not in alone.text
        assert (await deployment.get("/blog/?page=2")).text == alone.text

    deployments(scenario)


def test_the_index_of_a_long_blog_is_light(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTML under 15 kB gzipped, however many posts there are."""
    for module in (surroundings, further_pages):
        monkeypatch.setattr(module, "MOST_BELOW", 50)

    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/blog/", layout="list", title="Blog")
        words = "Some ninety characters of a summary that says what the post is about, and not more"
        for number in range(60):
            path, details = f"/blog/p{number}/", {"date": "2025-01-01", "tags": ["a", "b"]}
            title = f"A title of the usual length, number {number}"
            await deployment.add(path, layout="post", title=title, summary=words, details=details)
        async with deployment.scope().read() as session:
            html = await session.scalar(
                select(PublishedPage.html).where(PublishedPage.path == "/blog/")
            )
        assert html is not None
        assert html.count("<time") == 50
        assert len(gzip.compress((await deployment.get("/blog/")).content)) < 15_000

    deployments(scenario)
