"""Listings that no page stands for: tags, categories, authors and the archive."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cms.deployment import Deployment, Deployments

HOME = "http://museum.example"


async def add_posts(deployment: Deployment, count: int, **details: Any) -> None:
    for number in range(1, count + 1):
        day = f"2025-{(number - 1) // 28 + 1:02}-{(number - 1) % 28 + 1:02}"
        given = {"date": day, "author": "Ada L.", "tags": ["Blue Tiles"], "categories": ["Craft"]}
        await deployment.add(
            f"/news/p{number}/", layout="post", title=f"P{number}.", details=given | details
        )


def titles(text: str) -> list[str]:
    return re.findall(r">(P\d+)\.<", text)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/tags/blue-tiles/", "Blue Tiles"),
        ("/categories/craft/", "Craft"),
        ("/authors/ada-l/", "Ada L."),
        ("/archive/", "Archive"),
        ("/archive/2025/", "Archive 2025"),
        ("/archive/2025/01/", "January 2025"),
    ],
)
def test_what_belongs_together_is_listed_newest_first(
    deployments: Deployments, path: str, title: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 3)
        answer = await deployment.get(path)
        assert answer.status_code == 200
        assert titles(answer.text) == ["P3", "P2", "P1"]
        assert f"<h1>{title}</h1>" in answer.text
        assert f'<link rel="canonical" href="{HOME}{path}">' in answer.text
        assert f'<meta name="description" content="{title} – ' in answer.text
        assert (await deployment.get(path, "bread.mosaic.test")).status_code == 404
        await deployment.do("pages.unpublish", path="/news/p2/")
        assert titles((await deployment.get(path)).text) == ["P3", "P1"]

    deployments(scenario)


def test_a_long_listing_has_pages_of_twenty(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 41)
        path = "/tags/blue-tiles/"
        assert len(titles((await deployment.get(path)).text)) == 20
        found = [titles((await deployment.get(f"{path}?page={n}")).text) for n in (1, 2, 3)]
        assert [len(page) for page in found] == [20, 20, 1]
        assert [title for page in found for title in page] == [f"P{n}" for n in range(41, 0, -1)]
        second = await deployment.get(f"{path}?page=2")
        assert f'rel="canonical" href="{HOME}{path}?page=2"' in second.text
        assert f'<link rel="prev" href="{HOME}{path}">' in second.text
        assert f'<link rel="next" href="{HOME}{path}?page=3">' in second.text
        assert f'rel="next" href="{path}?page=3"' in second.text
        for number in ("4", "0", "-1", "x", "99999", "1e1"):
            assert (await deployment.get(f"{path}?page={number}")).status_code == 404
        kept = len(deployment.app.cache)
        again = await deployment.get(f"{path}?page=2", if_none_match=second.headers["etag"])
        assert (again.status_code, len(deployment.app.cache)) == (304, kept)
        # A path that looks like it is another one.
        assert (await deployment.get(f"{path}%3Fpage=2")).status_code == 404

    deployments(scenario)


def test_what_nobody_has_is_not_listed(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        missing = ("/tags/x/", "/tags/", "/tags/blue-tiles/x/", "/authors/craft/")
        months = ("/archive/2024/", "/archive/2025/13/", "/archive/2025/1/", "/archive/x/")
        for path in (*missing, *months):
            assert (await deployment.get(path)).status_code == 404, path
        assert (await deployment.get("/tags/blue-tiles")).headers["location"] == "/tags/blue-tiles/"

    deployments(scenario)


def test_a_post_is_in_the_month_that_its_readers_see(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1, date="2025-03-01T00:30:00+03:00")  # in UTC, still February
        assert titles((await deployment.get("/archive/2025/03/")).text) == ["P1"]
        assert (await deployment.get("/archive/2025/02/")).status_code == 404
        assert (
            'href="/archive/2025/03/">March 2025' in (await deployment.get("/archive/2025/")).text
        )

    deployments(scenario)


def test_a_listing_is_in_one_language(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        await deployment.do("sites.configure", languages=["de"])
        await deployment.do("pages.translate", path="/", language="de", title="Start")
        await deployment.do("pages.publish", path="/de/")
        await deployment.add(
            "/de/p7/",
            layout="post",
            title="P7.",
            details={"date": "2025-05-01", "tags": ["Blue Tiles"]},
        )
        assert titles((await deployment.get("/tags/blue-tiles/")).text) == ["P1"]
        german = await deployment.get("/de/tags/blue-tiles/")
        assert titles(german.text) == ["P7"]
        assert german.headers["content-language"] == "de"
        assert "Mai 2025" in (await deployment.get("/de/archive/2025/05/")).text

    deployments(scenario)
