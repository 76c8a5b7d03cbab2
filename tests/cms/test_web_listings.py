"""Listings that no page stands for: tags, categories, authors and the archive."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_core import types
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_pages import assert_as_made_anew

HOME = "http://museum.example"


async def add_posts(deployment: Deployment, count: int, **details: Any) -> None:
    for number in range(1, count + 1):
        day = f"2025-{(number - 1) // 28 + 1:02}-{(number - 1) % 28 + 1:02}"
        given = {"date": day, "author": "Ada L.", "tags": ["Blue Tiles"], "categories": ["Craft"]}
        await deployment.add(
            f"/news/p{number}/", layout="post", title=f"P{number}.", details=given | details
        )


def columns_of(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


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


def test_an_archive_goes_on_from_page_to_page_and_from_month_to_month(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 61)  # January, February, and five days of March
        await deployment.do("pages.unpublish", path="/news/p30/")
        for path, last in (("/archive/", 61), ("/archive/2025/", 61), ("/archive/2025/02/", 56)):
            first = 29 if path.endswith("02/") else 1
            wanted = [f"P{n}" for n in range(last, first - 1, -1) if n != 30]
            count = -(-len(wanted) // 20)
            found = [
                titles((await deployment.get(f"{path}?page={n + 1}")).text) for n in range(count)
            ]
            assert [len(page) for page in found[:-1]] == [20] * (count - 1)
            assert [title for page in found for title in page] == wanted
            assert (await deployment.get(f"{path}?page={count + 1}")).status_code == 404
        years = (await deployment.get("/archive/")).text
        assert re.search(r'href="/archive/2025/">2025</a>\D*60\b', years)
        months = (await deployment.get("/archive/2025/")).text
        assert re.search(r'href="/archive/2025/02/">February 2025</a>\D*27\b', months)

    deployments(scenario)


def test_a_very_long_listing_shows_each_page_once_and_those_without_a_date_last(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        dated, undated = 530, 15

        async def fn(write: Write) -> None:
            session = write.session
            post = await session.scalar(select(PublishedPage).where(PublishedPage.title == "P1."))
            term = await session.scalar(select(PublishedTerm).where(PublishedTerm.kind == "tag"))
            assert post is not None
            assert term is not None
            for n in range(2, dated + undated + 1):
                day = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=n)
                own = {"page_id": types.new_id(), "title": f"P{n}.", "path": f"/news/p{n}/"}
                at = {"dated": day if n <= dated else None}
                session.add(PublishedPage(**(columns_of(post) | own | at)))
                session.add(PublishedTerm(**(columns_of(term) | {"page_id": own["page_id"]})))
            other = {"page_id": types.new_id(), "title": "Not it.", "path": "/news/x/"}
            session.add(PublishedPage(**(columns_of(post) | other)))

        await deployment.scope("aurora").write(fn)
        pages = -(-(dated + undated) // 20)
        found = [
            titles((await deployment.get(f"/tags/blue-tiles/?page={n + 1}")).text)
            for n in range(pages)
        ]
        listed = [title for page in found for title in page]
        assert [len(page) for page in found] == [20] * (pages - 1) + [5]
        assert listed[:dated] == [f"P{n}" for n in range(dated, 0, -1)]
        assert sorted(listed[dated:]) == sorted(
            f"P{n}" for n in range(dated + 1, dated + undated + 1)
        )

    deployments(scenario)


def test_what_is_not_rendered_yet_is_not_listed(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 2)

        async def fn(write: Write) -> None:
            for page in await write.session.scalars(select(PublishedPage)):
                if page.title == "P2." or rendered == 0:
                    page.html, page.changed_at = None, None

        for rendered, status in ((1, 200), (0, 404)):
            await deployment.scope("aurora").write(fn)
            for path in ("/tags/blue-tiles/", "/archive/"):
                answer = await deployment.get(path)
                assert answer.status_code == status
                assert titles(answer.text) == ["P1"][:rendered]

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


def test_posts_of_long_ago_come_before_those_without_a_date(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        dates = {"p1": "1950-01-01", "p2": None, "p3": "1960-01-01", "p4": "2020-01-01"}
        for slug, date in dates.items():
            details = {"date": date} if date else {}
            await deployment.add(
                f"/news/{slug}/", layout="post", title=f"{slug.upper()}.", details=details
            )
        assert titles((await deployment.get("/news/")).text) == ["P4", "P3", "P1", "P2"]
        for slug in dates:
            await deployment.do("pages.edit", path=f"/news/{slug}/", title=f"{slug.upper()}!.")
            await deployment.do("pages.publish", path=f"/news/{slug}/")
            await assert_as_made_anew(deployment)

    deployments(scenario)
