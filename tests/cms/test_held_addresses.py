"""What a site itself answers at stays the site's: no page takes its feeds, its search or what
robots read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.content.made_paths import held_for
from mosaic_cms.content.models import Page
from mosaic_core.errors import Conflict
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments
from tests.cms.importing import wxr

HELD = ["/search/", "/feed.xml/", "/news/atom.xml/", "/robots.txt/", "/sitemap-2.xml/"]
LANGUAGES = ["en", "de"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/search/", "its search"),
        ("/de/search/", "its search"),
        ("/visit/search/", None),
        ("/feed.xml/", "a feed"),
        ("/de/news/feed.json/", "a feed"),
        ("/robots.txt/", "robots"),
        ("/de/robots.txt/", None),
        ("/sitemap.xml/", "its sitemap"),
        ("/sitemap-12.xml/", "its sitemap"),
        ("/sitemap/", None),
        ("/tags/red/", None),  # a page for people, as what takes its place
        ("/archive/", None),
        ("/", None),
        ("/de/", None),
    ],
)
def test_what_programs_and_forms_ask_for_is_held(path: str, what: str | None) -> None:
    assert held_for(path, LANGUAGES) == what


async def had_before(deployment: Deployment, path: str, slug: str) -> None:
    """Gives a page an address that an earlier release let it have."""

    async def fn(write: Write) -> None:
        page = await write.session.get_one(Page, made.id)
        page.path, page.slug = path, slug

    made = await deployment.add(f"{path.rstrip('/')}-page/", publish=False)
    await deployment.scope().write(fn)


@pytest.mark.parametrize("path", HELD)
def test_no_page_is_made_or_moved_there(deployments: Deployments, path: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        above, _, slug = path.strip("/").rpartition("/")
        parent = f"/{above}/" if above else None
        place = f"^The site 'main' keeps '{path}' for .*. Use another slug.$"
        with pytest.raises(Conflict, match=place):
            await deployment.do("pages.create", title="Mine", parent=parent, slug=slug)
        made = await deployment.add("/mine/", publish=False)
        for name in ("pages.move", "pages.copy"):
            with pytest.raises(Conflict, match=place):
                await deployment.do(name, path="/mine/", parent=parent, slug=slug)
        binned = await deployment.do("pages.delete", path="/mine/")
        with pytest.raises(Conflict, match=place):
            await deployment.do("pages.restore_from_bin", id=binned.id, parent=parent, slug=slug)
        assert (await deployment.do("pages.restore_from_bin", id=made.id))[0].path == "/mine/"

    deployments(scenario)


def test_no_translation_takes_the_search_of_its_language(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])
        await deployment.do("pages.translate", path="/", language="de")
        await deployment.add("/find/")
        with pytest.raises(Conflict, match="keeps '/de/search/' for its search"):
            await deployment.do("pages.translate", path="/find/", language="de", slug="search")
        made = await deployment.do("pages.translate", path="/find/", language="de", slug="suche")
        assert made.path == "/de/suche/"

    deployments(scenario)


def test_a_page_may_stand_where_the_site_lists_pages(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        details = {"date": "2025-03-14", "tags": ["Red"]}
        await deployment.add("/news/first/", layout="post", details=details)
        assert "First" in (await deployment.get("/archive/")).text
        await deployment.add("/archive/", title="All that was", body="Chosen by hand.")
        assert "Chosen by hand." in (await deployment.get("/archive/")).text
        assert "First" in (await deployment.get("/archive/2025/")).text

    deployments(scenario)


def test_a_page_that_has_such_an_address_from_before_keeps_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await had_before(deployment, "/visit/feed.xml/", "feed.xml")
        await deployment.do("pages.publish", path="/visit/feed.xml/")
        assert (await deployment.get("/visit/feed.xml/")).status_code == 200
        await deployment.do("pages.move", path="/visit/", slug="come")
        assert (await deployment.get("/come/feed.xml/")).status_code == 200
        (copied,) = await deployment.do("pages.copy", path="/come/feed.xml/")
        assert copied.path == "/come/feed.xml-2/"
        binned = await deployment.do("pages.delete", path="/come/feed.xml/")
        (page,) = await deployment.do("pages.restore_from_bin", id=binned.id)
        assert page.path == "/come/feed.xml/"

    deployments(scenario)


def told(report: Any, source: str) -> list[str]:
    return [line.message for line in report.lines if line.source == source]


def test_an_import_gives_it_another_slug_and_says_so(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = tmp_path / "in"
        (folder / "search").mkdir(parents=True)
        (folder / "search.md").write_text("# Search\n\nHow we [look](search/tips.md).\n", "utf-8")
        (folder / "search" / "tips.md").write_text("# Tips\n\n[Up](../search.md)\n", "utf-8")
        (folder / "feed.md").write_text("---\nurl: /feed.xml\n---\n# Feeds\n", "utf-8")
        (folder / "old.md").write_text(
            "---\naliases: [/feed.json, /former/]\n---\n# Old\n", "utf-8"
        )
        report = await deployment.do("content.import_markdown", "bread", folder=folder)
        assert (report.created, report.published) == (4, 4), report.lines
        (said,) = [text for text in told(report, "search.md") if "for its search" in text]
        assert said == "the site keeps /search/ for its search; the page is /search-2/ here"
        assert any("/feed.xml-2/ here" in text for text in told(report, "feed.md"))
        assert any("/feed.json/ does not lead to it" in text for text in told(report, "old.md"))
        shown = (await deployment.get("/search-2/", "bread.mosaic.test")).text
        assert 'href="/search-2/tips/"' in shown
        searched = await deployment.get("/search/", "bread.mosaic.test")
        assert 'name="q"' in searched.text
        assert (await deployment.get("/former/", "bread.mosaic.test")).status_code == 301
        again = await deployment.do("content.import_markdown", "bread", folder=folder)
        assert (again.created, again.updated, again.published) == (0, 0, 0)
        assert not any("for its search" in text for text in told(again, "search.md"))

    deployments(scenario)


def test_an_import_from_wordpress_does_so_too(deployments: Deployments, tmp_path: Path) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = wxr.item(
            2, "Search", "<p>Us.</p>", kind="page", slug="search", link=f"{wxr.SITE}/search/"
        )
        report = await deployment.do(
            "content.import_wordpress", "bread", file=wxr.write(tmp_path, page)
        )
        assert any("/search-2/ here" in text for text in told(report, "wp:2")), report.lines
        assert (await deployment.get("/search-2/", "bread.mosaic.test")).status_code == 200
        assert 'name="q"' in (await deployment.get("/search/", "bread.mosaic.test")).text

    deployments(scenario)


def test_an_export_says_that_such_a_page_would_come_back_elsewhere(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await had_before(deployment, "/search/", "search")
        report = await deployment.do("content.export_markdown", folder=tmp_path / "out")
        assert told(report, "search.md") == ["this would come back differently: its address"]

    deployments(scenario)
