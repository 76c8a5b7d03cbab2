"""Tags and categories: counted and renamed across a site."""

from __future__ import annotations

from typing import Any

import pytest

from mosaic_core.errors import InvalidInput, NotFound
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_pages import assert_as_made_anew, hides, shows


def tagged(*tags: str, categories: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"layout": "post", "details": {"tags": list(tags), "categories": list(categories)}}


async def terms(deployment: Deployment, **given: Any) -> list[tuple[Any, ...]]:
    views = await deployment.do("terms.list", **given)
    return [(view.kind, view.title, view.pages, view.published) for view in views]


def test_terms_are_counted_as_drafts_and_as_live(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", **tagged("Red", "Blue", categories=("Paint",)))
        await deployment.add("/b/", publish=False, **tagged("red"))
        await deployment.do("pages.edit", path="/a/", details={"tags": ["Red"]})
        assert await terms(deployment) == [
            ("category", "Paint", 0, 1),
            ("tag", "Blue", 0, 1),
            ("tag", "Red", 2, 1),
        ]
        assert await terms(deployment, kind="category") == [("category", "Paint", 0, 1)]

    deployments(scenario)


def test_a_renamed_tag_has_its_new_name_everywhere(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", body="Live.", **tagged("Red", "Round"))
        await deployment.add("/b/", **tagged("Red", "Crimson"))
        await deployment.add("/c/", publish=False, **tagged("Red"))
        listing = {"type": "page_list", "data": {"source": "tag", "tag": "Crimson"}}
        await deployment.add("/list/", regions={"main": [listing]})
        await deployment.do("pages.edit", path="/a/", body="Newer.")
        done = await deployment.do("terms.rename", old="red", new="Crimson")
        assert (done.pages, done.published) == (3, 2)
        assert await terms(deployment) == [("tag", "Crimson", 3, 2), ("tag", "Round", 1, 1)]
        await shows(deployment, "/list/", 'href="/a/"', 'href="/b/"')
        await hides(deployment, "/a/", "Newer.")  # a draft stays a draft
        assert (await deployment.do("pages.show", path="/a/")).state == "changed"
        assert (await deployment.do("pages.show", path="/b/")).state == "published"
        await assert_as_made_anew(deployment)
        with pytest.raises(NotFound, match="has the tag 'Red'"):
            await deployment.do("terms.rename", old="Red", new="Pink")
        with pytest.raises(InvalidInput):
            await deployment.do("terms.rename", old="Crimson", new=" ")

    deployments(scenario)


def test_a_tag_that_is_renamed_meanwhile_is_merged_with_what_an_editor_writes(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", body="Old.", publish=False, **tagged("Red"))
        seen = await deployment.do("pages.show", path="/a/")
        await deployment.do("terms.rename", old="Red", new="Crimson")
        saved = await deployment.do(
            "pages.edit", path="/a/", body="New.", based_on=seen.revision, title="Tiles"
        )
        assert (saved.merged, saved.title) == (True, "Tiles")
        assert saved.details["tags"] == ["Crimson"]
        assert saved.regions["main"][0]["data"]["text"] == "New."

    deployments(scenario)


@pytest.mark.parametrize(
    ("details", "where"),
    [
        ({"tags": "one"}, "details.tags"),
        ({"categories": {"a": 1}}, "details.categories"),
        ({"tags": ["fine", " "]}, "details.tags[1]"),
        ({"categories": ["x" * 101]}, "details.categories[0]"),
        ({"tags": ["two\nlines"]}, "details.tags[0]"),
        ({"tags": [f"t{n}" for n in range(101)]}, "details.tags"),
    ],
)
def test_terms_that_are_none_are_named(
    deployments: Deployments, details: dict[str, Any], where: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput) as caught:
            await deployment.do("pages.edit", path="/visit/", details=details)
        assert [place for place, _ in caught.value.problems] == [where]

    deployments(scenario)


def test_a_menu_no_longer_leads_to_the_page_of_a_renamed_tag(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", **tagged("Red"))
        await deployment.do(
            "menus.set", place="header", items=[{"title": "Reds", "target": "/tags/red/"}]
        )
        await shows(deployment, "/a/", 'href="/tags/red/"')
        await deployment.do("terms.rename", old="red", new="Crimson")
        await assert_as_made_anew(deployment)

    deployments(scenario)


async def leads(deployment: Deployment, path: str) -> str | int:
    """Where a visitor of an address is sent on to, or else the status of the answer."""
    answer = await deployment.get(path)
    return answer.headers["location"] if answer.status_code == 301 else answer.status_code


async def named(deployment: Deployment, old: str, new: str, kind: str = "tag") -> None:
    await deployment.do("terms.rename", kind=kind, old=old, new=new)
    await assert_as_made_anew(deployment)


def test_the_address_of_a_renamed_tag_leads_to_its_new_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])
        await deployment.do("pages.translate", path="/", language="de")
        both = tagged("Red", categories=("Paint",))
        await deployment.add("/a/", **both)
        await deployment.add("/de/a/", **both)
        await deployment.add("/c/", publish=False, **tagged("Unseen"))
        await named(deployment, "red", "Crimson")
        await named(deployment, "Paint", "Colours", "category")
        await named(deployment, "Unseen", "Hidden")
        assert await leads(deployment, "/tags/red/?page=1") == "/tags/crimson/?page=1"
        assert await leads(deployment, "/de/tags/red/") == "/de/tags/crimson/"
        assert await leads(deployment, "/categories/paint/") == "/categories/colours/"
        await named(deployment, "Crimson", "Scarlet")
        for old in ("red", "crimson"):
            assert await leads(deployment, f"/tags/{old}/") == "/tags/scarlet/", "at once"
        views = await deployment.do("redirects.list")
        assert {view.source for view in views} == {
            *("/tags/red/", "/de/tags/red/", "/tags/crimson/", "/de/tags/crimson/"),
            *("/categories/paint/", "/de/categories/paint/"),
        }
        assert all(view.automatic and view.shown for view in views)

    deployments(scenario)


def test_a_tag_that_is_merged_or_renamed_back_leads_in_no_circle(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", **tagged("Red"))
        await deployment.add("/b/", **tagged("Crimson"))
        await named(deployment, "Red", "Crimson")
        assert await leads(deployment, "/tags/red/") == "/tags/crimson/"
        await named(deployment, "Crimson", "Red")
        assert await leads(deployment, "/tags/crimson/") == "/tags/red/"
        assert await leads(deployment, "/tags/red/") == 200
        await named(deployment, "Red", "RED")
        (view,) = await deployment.do("redirects.list")
        assert (view.source, view.target) == ("/tags/crimson/", "/tags/red/")

    deployments(scenario)


def test_a_tag_that_pages_have_again_is_listed_again(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", **tagged("Red"))
        await named(deployment, "Red", "Crimson")
        await deployment.add("/b/", **tagged("Red"))
        assert await leads(deployment, "/tags/red/") == 200
        await assert_as_made_anew(deployment)
        await deployment.do("pages.unpublish", path="/b/")
        assert await leads(deployment, "/tags/red/") == "/tags/crimson/"
        await deployment.do("pages.unpublish", path="/a/")
        assert await leads(deployment, "/tags/red/") == 404, "there is nothing at its end either"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_what_an_editor_redirected_stays_and_leads_to_the_new_address(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/a/", **tagged("Red"))
        await deployment.do("redirects.set", source="/reds/", target="/tags/red/#first")
        await deployment.do("redirects.set", source="/tags/red/", target="/visit/")
        await named(deployment, "Red", "Crimson")
        assert await leads(deployment, "/reds/") == "/visit/#first"
        assert await leads(deployment, "/tags/red/") == "/visit/"
        await deployment.do("redirects.set", source="/crimsons/", target="/tags/crimson/")
        await named(deployment, "Crimson", "Scarlet")
        assert await leads(deployment, "/crimsons/") == "/tags/scarlet/"
        await deployment.do("redirects.set", source="/tags/scarlet/", target="/visit/")
        assert await leads(deployment, "/tags/crimson/") == "/visit/", "none leads to another one"

    deployments(scenario)
