"""The bin: what is deleted is gone for everybody, and comes back whole until it is purged."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from mosaic_cms.content.drafts import DraftStep
from mosaic_cms.content.models import Comment, PageVersion, Redirect, Schedule, Submission
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt
from tests.cms.test_web_forms import add_form, post


async def paths(deployment: Deployment) -> list[str]:
    return [page.path for page in await deployment.do("pages.list")]


async def status(deployment: Deployment, path: str) -> int:
    return (await deployment.get(path)).status_code


async def assert_as_made_anew(deployment: Deployment) -> None:
    assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")


def test_a_page_goes_into_the_bin_with_all_below_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        binned = await deployment.do("pages.delete", path="/visit/")
        assert (binned.path, binned.below) == ("/visit/", 1)
        assert await paths(deployment) == ["/", "/news/"]
        assert await deployment.do("pages.bin") == [binned]
        for path in ("/visit/", "/visit/hours/", f"/-/bin/{binned.id}/"):
            assert await status(deployment, path) == 404
            for name in ("pages.show", "pages.publish", "pages.delete", "pages.versions"):
                with pytest.raises(NotFound):
                    await deployment.do(name, path=path)
        assert "/visit/" not in (await deployment.get("/")).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_it_comes_back_to_its_place_as_drafts_with_its_versions(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = await deployment.do("pages.show", path="/visit/hours/")
        binned = await deployment.do("pages.delete", path="/visit/")
        pages = await deployment.do("pages.restore_from_bin", id=binned.id)
        assert [(page.path, page.state) for page in pages] == [
            ("/visit/", "draft"),
            ("/visit/hours/", "draft"),
        ]
        assert await deployment.do("pages.bin") == []
        after = await deployment.do("pages.show", path="/visit/hours/")
        assert (after.id, after.regions) == (before.id, before.regions)
        assert await status(deployment, "/visit/") == 404
        for path in ("/visit/", "/visit/hours/"):
            await deployment.do("pages.publish", path=path)
            assert len(await deployment.do("pages.versions", path=path)) == 1
            assert await status(deployment, path) == 200
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_its_address_is_free_and_then_it_asks_for_another(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        binned = await deployment.do("pages.delete", path="/visit/")
        await deployment.add("/visit/", title="A new page")
        with pytest.raises(Conflict, match="'/visit/' already"):
            await deployment.do("pages.restore_from_bin", id=binned.id)
        pages = await deployment.do("pages.restore_from_bin", id=binned.id, slug="old")
        assert [page.path for page in pages] == ["/old/", "/old/hours/"]
        twice = [await deployment.do("pages.delete", path=path) for path in ("/visit/", "/old/")]
        assert {page.id for page in await deployment.do("pages.bin")} == {p.id for p in twice}
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_whose_parent_went_too_asks_for_another_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        hours = await deployment.do("pages.delete", path="/visit/hours/")
        visit = await deployment.do("pages.delete", path="/visit/")
        assert (hours.below, visit.below) == (0, 0)
        with pytest.raises(Conflict, match=r"'/visit/', is in the bin too\. Take that one out"):
            await deployment.do("pages.restore_from_bin", id=hours.id)
        assert (await deployment.do("pages.purge", id=visit.id)).pages == 1
        assert [page.id for page in await deployment.do("pages.bin")] == [hours.id]
        with pytest.raises(Conflict, match="was deleted for good"):
            await deployment.do("pages.restore_from_bin", id=hours.id)
        pages = await deployment.do("pages.restore_from_bin", id=hours.id, parent="/news/")
        assert [page.path for page in pages] == ["/news/hours/"]

    deployments(scenario)


def test_what_went_with_another_page_comes_back_with_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        hours = await deployment.do("pages.show", path="/visit/hours/")
        visit = await deployment.do("pages.delete", path="/visit/")
        for name in ("pages.restore_from_bin", "pages.purge"):
            with pytest.raises(NotFound, match="Take '/visit/' out"):
                await deployment.do(name, id=hours.id)
            with pytest.raises(NotFound, match="no page"):
                await deployment.do(name, id=uuid.uuid4())
        moved = await deployment.do("pages.restore_from_bin", id=visit.id, parent="/news/")
        assert [page.path for page in moved] == ["/news/visit/", "/news/visit/hours/"]

    deployments(scenario)


def test_a_page_moves_without_what_it_has_in_the_bin(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        hours = await deployment.do("pages.delete", path="/visit/hours/")
        await deployment.do("pages.move", path="/visit/", slug="tour")
        copies = await deployment.do("pages.copy", path="/tour/")
        assert [copy.path for copy in copies] == ["/tour-2/"]
        back = await deployment.do("pages.restore_from_bin", id=hours.id)
        assert [page.path for page in back] == ["/tour/hours/"]
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_that_was_translated_again_meanwhile_comes_back_alone(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])
        for path in ("/", "/visit/"):
            await deployment.do("pages.translate", path=path, language="de")
        binned = await deployment.do("pages.delete", path="/visit/")
        await deployment.do("pages.translate", path="/de/visit/", language="en", slug="again")
        await deployment.do("pages.restore_from_bin", id=binned.id)
        links = [
            [page.path for page in await deployment.do("pages.translations", path=path)]
            for path in ("/visit/", "/again/")
        ]
        assert links == [["/visit/"], ["/again/", "/de/visit/"]]

    deployments(scenario)


def test_purging_leaves_nothing_of_a_page(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.do("pages.show", path="/visit/hours/")
        await deployment.do("pages.edit", path="/visit/hours/", title="New")
        await deployment.do("pages.move", path="/visit/hours/", slug="times")
        await deployment.do("pages.schedule", path="/visit/times/", at="2090-01-01 09:00")
        release = await deployment.do("releases.create", title="Spring")
        await deployment.do("releases.add", id=release.id, paths=["/visit/times/", "/news/"])

        async def about(write: Write) -> None:
            write.session.add(
                Submission(page_id=page.id, form_id="f", at=datetime.now(UTC), fields=[])
            )
            write.session.add(
                Comment(
                    page_id=page.id,
                    parent_id=None,
                    source=None,
                    author="",
                    email="",
                    address="",
                    at=None,
                    text="",
                    approved=True,
                )
            )

        await deployment.scope().write(about)
        await deployment.do("pages.delete", path="/visit/")
        assert (await deployment.do("pages.empty_bin")).pages == 2
        async with deployment.scope().read() as session:
            columns = [kind.page_id for kind in (Submission, Comment, PageVersion, Schedule)]
            for column in (*columns, DraftStep.draft_id):
                rows = select(func.count()).where(column == page.id)
                assert await session.scalar(rows) == 0, column
            left = select(func.count()).where(Redirect.target == f"page:{page.id}")
            assert await session.scalar(left) == 0
        assert await deployment.do("pages.bin") == []
        detail = await deployment.do("releases.show", id=release.id)
        assert [item.path for item in detail.content] == ["/news/"]
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_an_import_makes_a_page_anew_that_is_in_the_bin(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = tmp_path / "content"
        folder.mkdir()
        (folder / "tour.md").write_text("---\ntitle: Tour\n---\nText.", "utf-8")

        async def run() -> Any:
            return await deployment.do("content.import_markdown", folder=folder)

        assert (await run()).created == 1
        binned = await deployment.do("pages.delete", path="/tour/")
        report = await run()
        assert (report.created, report.problems) == (1, 0)
        old = await deployment.do("pages.restore_from_bin", id=binned.id, slug="old-tour")
        assert old[0].path == "/old-tour/"
        assert (await run()).unchanged == 1
        await deployment.do("pages.delete", path="/tour/")
        (newer,) = await deployment.do("pages.bin")
        await deployment.do("pages.restore_from_bin", id=newer.id)
        assert (await run()).created == 0, "it is known by its source again"

    deployments(scenario)


def test_a_page_in_the_bin_goes_by_the_address_that_it_had(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        await post(deployment)
        await deployment.do("menus.add", place="header", title="Ask", target="/contact/")
        await deployment.do("redirects.set", source="/ask/", target="/contact/#form")
        await deployment.do("pages.delete", path="/contact/", force=True)
        (menu,) = await deployment.do("menus.show")
        assert [(entry.path, entry.shown) for entry in menu.items] == [("/contact/", False)]
        redirects = {view.source: view for view in await deployment.do("redirects.list")}
        assert (redirects["/ask/"].leads_to, redirects["/ask/"].shown) == ("/contact/#form", False)
        (sent,) = await deployment.do("forms.submissions")
        assert sent.path == "/contact/"
        assert (await deployment.do("forms.delete_submission", id=sent.id)).path == "/contact/"

    deployments(scenario)
