"""A WordPress export becomes a site: pages, files, menus, comments, old addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from mosaic_cms.content.models import Comment, Menu, Page, PageVersion, Redirect, Schedule, Site
from tests.cms.deployment import Deployment, Deployments
from tests.cms.importing import wxr
from tests.cms.importing.test_wordpress import entry
from tests.cms.projection import projected, rebuilt


def old_site(tmp_path: Path) -> dict[str, Path]:
    body = (
        f'<p>See <a href="{wxr.SITE}/about/">us</a> and '
        f'<a href="{wxr.SITE}/lost/">what is lost</a>.</p>'
        f'<p><img src="{wxr.SITE}/wp-content/uploads/2020/boat.png" alt="A boat"></p>'
    )
    file = wxr.write(
        tmp_path,
        wxr.author("ada", "Ada Marsh"),
        wxr.menu("main", "Main"),
        wxr.category("boats", "Boats & Tides", ident=5),
        wxr.item(1, "Welcome", "<p>Hello.</p>", kind="page", link=f"{wxr.SITE}/"),
        wxr.item(2, "About", "<p>Us.</p>", kind="page"),
        wxr.item(
            3,
            "First post",
            body,
            terms=[("category", "boats", "Boats & Tides"), ("post_tag", "sea", "Sea")],
            comments=wxr.comment(7, "Fine") + wxr.comment(8, "Indeed", parent=7),
        ),
        wxr.item(4, "A draft", "<p>Soon.</p>", status="draft"),
        wxr.item(5, "Later", "<p>Soon.</p>", status="future", date="2030-01-01 10:00:00"),
        wxr.attachment(6, "2020/boat.png", alt="A boat"),
        entry(21, 1, "", type="post_type", object="page", object_id="2"),
        entry(23, 3, "", type="taxonomy", object="category", object_id="5"),
        entry(24, 4, "Abroad", type="custom", url="https://other.example/x"),
    )
    return {"file": file, "uploads": wxr.uploads(tmp_path, "2020/boat.png")}


async def rows(deployment: Deployment, kind: Any, slug: str) -> list[Any]:
    async with deployment.scope(slug).read() as session:
        return list(await session.scalars(select(kind)))


async def assert_as_made_anew(deployment: Deployment, slug: str = "aurora") -> None:
    assert await projected(deployment, slug) == await rebuilt(deployment, slug)


async def new_tenant(deployment: Deployment, slug: str) -> None:
    await deployment.rule("tenants.create", slug=slug, name=slug.title(), tier="open")


def test_an_export_becomes_a_site_and_a_second_run_changes_nothing(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await new_tenant(deployment, "harbour")
        given = old_site(tmp_path)
        report = await deployment.do("content.import_wordpress", "harbour", **given)
        said = "\n".join(f"{line.source}: {line.message}" for line in report.lines)
        assert (report.created, report.updated, report.files) == (5, 1, 1), said
        assert report.published == 4, said
        assert "/lost/" in said
        await assert_as_made_anew(deployment, "harbour")
        (site,) = await rows(deployment, Site, "harbour")
        assert (site.title, site.tagline) == ("The Harbour Post", "News from the quay")
        pages = {page.source: page for page in await rows(deployment, Page, "harbour")}
        assert pages["wp:1"].path == "/"
        assert pages["wp:2"].parent_id == pages["wp:1"].id
        assert pages["wp:3"].details["author"] == "Ada Marsh"
        assert pages["wp:3"].details["categories"] == ["Boats & Tides"]
        assert pages["wp:4"].live_version_id is None
        assert pages["wp:5"].live_version_id is None
        assert f"page:{pages['wp:2'].id}" in str(pages["wp:3"].regions)
        (header,) = await rows(deployment, Menu, "harbour")
        assert [item["target"] for item in header.items] == [
            f"page:{pages['wp:2'].id}",
            "/categories/boats-tides/",
            "https://other.example/x",
        ]
        (redirect,) = [
            row
            for row in await rows(deployment, Redirect, "harbour")
            if row.source == "/2020/05/first-post/"
        ]
        assert redirect.target == f"page:{pages['wp:3'].id}"
        assert not redirect.automatic
        comments = {row.source: row for row in await rows(deployment, Comment, "harbour")}
        assert comments["wp:8"].parent_id == comments["wp:7"].id
        answer = await deployment.get("/2020/05/first-post/", "harbour.mosaic.test")
        assert answer.headers["location"].endswith(pages["wp:3"].path)

        again = await deployment.do("content.import_wordpress", "harbour", **given)
        assert (again.created, again.updated, again.published) == (0, 0, 0), again.lines
        assert again.unchanged == 6
        assert len(await rows(deployment, Comment, "harbour")) == 2
        (schedule,) = await rows(deployment, Schedule, "harbour")
        assert schedule.due == datetime(2030, 1, 1, 10, tzinfo=UTC)
        assert len(await rows(deployment, PageVersion, "harbour")) == 5
        assert not any("menu, which stays" in line.message for line in again.lines)

    deployments(scenario)


def test_a_site_that_has_pages_keeps_its_name_and_its_menu(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do(
            "menus.set", place="header", items=[{"title": "Visit", "target": "/visit/"}]
        )
        report = await deployment.do("content.import_wordpress", **old_site(tmp_path))
        said = "\n".join(f"{line.source}: {line.message}" for line in report.lines)
        assert "it is not renamed" in said
        assert "the site has a header menu, which stays" in said
        assert "has a page at '/' already" in said
        (site,) = await rows(deployment, Site, "aurora")
        assert site.title == "Aurora"
        assert "the text of / at aurora" in (await deployment.get("/")).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_title_that_no_site_may_have_keeps_nothing_else_from_coming(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await new_tenant(deployment, "harbour")
        file = wxr.write(tmp_path, wxr.item(1, "Welcome", "<p>Hello.</p>", kind="page"))
        text = file.read_text().replace("The Harbour Post", "\u202eThe Harbour Post")
        file.write_text(text)
        report = await deployment.do("content.import_wordpress", "harbour", file=file)
        told = [line.message for line in report.lines if line.level == "problem"]
        assert any("the site keeps its name and language: " in line for line in told), told
        assert (await deployment.do("pages.show", "harbour", path="/welcome/")).title == "Welcome"

    deployments(scenario)
