"""Versions: naming, comparing, restoring, copying, ordering; no draft is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from mosaic_core.errors import Conflict, InvalidInput, NotFound
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt

PATH = "/visit/"


async def edit(deployment: Deployment, **content: Any) -> Any:
    return await deployment.do("pages.edit", path=PATH, **content)


async def numbers(deployment: Deployment) -> list[tuple[int, str | None, bool]]:
    views = await deployment.do("pages.versions", path=PATH)
    return [(view.number, view.name, view.live) for view in views]


def body(view: Any) -> str:
    text: str = view.regions["main"][0]["data"]["text"]
    return text


async def assert_as_made_anew(deployment: Deployment) -> None:
    assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")


def test_publishing_makes_a_version_and_naming_the_draft_does(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert await numbers(deployment) == [(1, None, True)]
        await edit(deployment, body="Second.")
        named = await deployment.do("pages.name_version", path=PATH, name="Before the relaunch")
        assert (named.number, named.live, named.actor) == (2, False, "operator:test")
        again = await deployment.do("pages.name_version", path=PATH, name="For the board")
        assert again.number == 2, "the draft is that version already"
        await deployment.do("pages.name_version", path=PATH, name="First", number=1)
        await deployment.do("pages.publish", path=PATH)
        assert await numbers(deployment) == [(2, "For the board", True), (1, "First", False)]
        await edit(deployment, body="Third.")
        await deployment.do("pages.publish", path=PATH)
        assert await numbers(deployment) == [
            (3, None, True),
            (2, "For the board", False),
            (1, "First", False),
        ]
        shown = await deployment.do("pages.show_version", path=PATH, number=2)
        assert body(shown) == "Second."

    deployments(scenario)


def test_a_name_must_be_one_and_a_version_must_be_there(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for name in ("", "  ", "a" * 201, "two\nlines"):
            with pytest.raises(InvalidInput, match="no name of a version"):
                await deployment.do("pages.name_version", path=PATH, name=name)
        for name, given in (
            ("pages.name_version", {"name": "x", "number": 7}),
            ("pages.show_version", {"number": 7}),
            ("pages.restore", {"number": 7}),
            ("pages.compare", {"old": 7}),
        ):
            with pytest.raises(NotFound, match="no version 7"):
                await deployment.do(name, path=PATH, **given)

    deployments(scenario)


def test_any_two_states_are_compared_word_by_word(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await edit(deployment, body="The museum opens at nine.")
        await deployment.do("pages.publish", path=PATH)
        await edit(deployment, body="The museum opens at ten.", title="Plan your visit")

        async def words(**given: Any) -> list[tuple[str, str]]:
            comparison = await deployment.do("pages.compare", path=PATH, **given)
            (block,) = comparison.blocks
            return [tuple(run) for run in block.fields[0].words if run[0] != "equal"]

        assert await words() == [("delete", "nine"), ("insert", "ten")]
        assert await words(old="draft", new=2) == [("delete", "ten"), ("insert", "nine")]
        assert (await deployment.do("pages.compare", path=PATH, old=2, new="live")).summary == (
            "nothing changed"
        )
        for path in ("/visit/hours/", PATH):
            await deployment.do("pages.unpublish", path=path)
        with pytest.raises(NotFound, match="not published"):
            await deployment.do("pages.compare", path=PATH)

    deployments(scenario)


def test_restoring_a_version_keeps_the_draft_as_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = await deployment.do("pages.show", path=PATH)
        await edit(deployment, body="Never published.", title="Another title")
        restored = await deployment.do("pages.restore", path=PATH, number=1)
        assert (restored.title, body(restored)) == (before.title, body(before))
        assert restored.state == "published"
        kept = await deployment.do("pages.show_version", path=PATH, number=restored.kept)
        assert (kept.title, body(kept)) == ("Another title", "Never published.")
        back = await deployment.do("pages.restore", path=PATH, number=restored.kept)
        assert (back.state, body(back)) == ("changed", "Never published.")
        assert len(await numbers(deployment)) == 2, "what is a version is not kept twice"
        again = await deployment.do("pages.restore", path=PATH, number=restored.kept)
        assert again.revision == back.revision
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_an_edit_based_on_what_was_before_a_restore_is_not_put_over_it(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await edit(deployment, body="Second.")
        await deployment.do("pages.restore", path=PATH, number=1)
        with pytest.raises(Conflict):
            await edit(deployment, body="Third.", based_on=seen.revision)
        merged = await edit(deployment, title="New title", based_on=seen.revision)
        assert body(merged) == "This is the text of /visit/ at aurora."

    deployments(scenario)


# Copies


def refers(*targets: Any) -> str:
    return " ".join(f"[there](page:{target})" for target in targets)


def test_a_copy_has_all_below_it_as_drafts_that_refer_to_one_another(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        pages = {page.path: page.id for page in await deployment.do("pages.list")}
        both = refers(pages["/visit/hours/"], pages["/news/"])
        await edit(deployment, body=both, details={"image": f"page:{pages['/visit/']}"})
        await deployment.do("pages.publish", path=PATH)
        copies = await deployment.do("pages.copy", path=PATH)
        assert [copy.path for copy in copies] == ["/visit-2/", "/visit-2/hours/"]
        assert {copy.state for copy in copies} == {"draft"}
        copy = await deployment.do("pages.show", path="/visit-2/")
        assert body(copy) == refers(copies[1].id, pages["/news/"])
        assert copy.details == {"image": f"page:{copies[0].id}"}
        assert body(await deployment.do("pages.show", path=PATH)) == both
        (alone,) = await deployment.do("pages.copy", path=PATH, with_children=False)
        assert alone.path == "/visit-3/"
        kept = await deployment.do("pages.show", path=alone.path)
        assert body(kept) == both, "what was not copied is referred to as before"
        assert (await deployment.do("pages.versions", path="/visit-2/")) == []
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_is_copied_below_another_or_below_itself(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await deployment.do("pages.copy", path=PATH, parent="/news/", slug="tour")
        assert [page.path for page in first] == ["/news/tour/", "/news/tour/hours/"]
        inside = await deployment.do("pages.copy", path=PATH, parent=PATH)
        assert [page.path for page in inside] == ["/visit/visit/", "/visit/visit/hours/"]
        with pytest.raises(Conflict, match="'tour' already"):
            await deployment.do("pages.copy", path=PATH, parent="/news/", slug="tour")
        home = await deployment.do("pages.copy", path="/", with_children=False)
        assert home[0].path not in {"/", "//"}

    deployments(scenario)


# Order


def test_pages_are_ordered_and_listings_follow(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for name in "abc":
            await deployment.add(f"/visit/{name}/")
        order = ["/visit/c/", "/visit/a/"]
        views = await deployment.do("pages.reorder", parent=PATH, order=order)
        expected = ["/visit/c/", "/visit/a/", "/visit/hours/", "/visit/b/"]
        assert [view.path for view in views] == expected
        await assert_as_made_anew(deployment)
        rows = (await projected(deployment, "aurora")).values()
        placed = {row["path"]: row["position"] for row in rows if row.get("path") in expected}
        assert sorted(placed, key=placed.__getitem__) == expected
        with pytest.raises(InvalidInput, match="'/news/' is not right below"):
            await deployment.do("pages.reorder", parent=PATH, order=["/news/"])
        await deployment.do("pages.reorder", parent=None, order=[])

    deployments(scenario)
