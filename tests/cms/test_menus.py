"""Menus: what editors arrange shows while its pages do, and nothing is rendered again for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.content.publishing import RENDER
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head.outbox import Message
from mosaic_core.tenants import TenantContext
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_pages import assert_as_made_anew, hides, shows


def entry(title: str, target: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "target": target, "items": list(items)}


def jobs_of(deployment: Deployment) -> list[Message]:
    """The messages that are dealt with from now on."""
    seen: list[Message] = []
    product = deployment.product
    handle = product._handle

    async def counted(tenant: TenantContext, message: Message) -> None:
        seen.append(message)
        await handle(tenant, message)

    product._handle = counted  # type: ignore[method-assign]
    return seen


def test_a_menu_shows_its_entries_while_their_pages_are_published(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/shop/", publish=False)
        below = [entry("The shop", "/shop/"), entry("When we open", "/visit/hours/#sunday")]
        items = [entry("Your visit", "/visit/", *below), entry("Us", "https://us.example/")]
        menu = await deployment.do("menus.set", place="header", items=items)
        await shows(deployment, "/news/", "Your visit", "https://us.example/")
        assert [inner.shown for inner in menu.items[0].items] == [False, True]
        await hides(deployment, "/news/", "The shop")
        await deployment.do("pages.publish", path="/shop/")
        await assert_as_made_anew(deployment)
        (shown,) = await deployment.do("menus.show")
        assert [inner.shown for inner in shown.items[0].items] == [True, True]
        await deployment.do("menus.set", place="header", items=[])
        await hides(deployment, "/news/", "Your visit")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_an_entry_leads_to_what_the_site_makes_itself_while_there_is_something_to_see(
    deployments: Deployments,
) -> None:
    always = ["/search/", "/feed.xml", "/sitemap.xml"]
    listed = ["/tags/blue-tiles/", "/categories/craft/", "/authors/ada-l/", "/archive/"]
    listed += ["/archive/2025/", "/archive/2025/03/", "/news/atom.xml", "/news/feed.json"]
    never = ["/tags/", "/tags/red/", "/archive/2024/", "/archive/2025/13/", "/visit/feed.xml"]
    never += ["/nothing/feed.xml", "/visit/search/", "/news/sitemap.xml", "/de/sitemap.xml"]

    async def scenario(deployment: Deployment) -> None:
        items = [entry(f"To {path}", path) for path in always + listed + never]
        await deployment.do("menus.set", place="footer", items=items)
        await shown(deployment, always)
        details = {"date": "2025-03-14", "author": "Ada L.", "tags": ["Blue Tiles"]}
        details |= {"categories": ["Craft"]}
        await deployment.add("/news/first/", layout="post", details=details)
        await shown(deployment, always + listed)
        await assert_as_made_anew(deployment)
        for path in always + listed:
            assert (await deployment.get(path)).status_code == 200, path
        await deployment.add("/tags/", title="Every tag")  # a page comes first
        await shown(deployment, [*always, *listed, "/tags/"])
        await deployment.do("pages.unpublish", path="/news/first/")
        await shown(deployment, [*always, "/tags/"])
        for path in listed:
            assert (await deployment.get(path)).status_code == 404, path
        await assert_as_made_anew(deployment)

    async def shown(deployment: Deployment, paths: list[str]) -> None:
        text = (await deployment.get("/visit/")).text
        found = re.findall(r'<a href="([^"]*)"[^>]*>To (/[^<]*)</a>', text)
        assert {path for path, _ in found} == {path for _, path in found} == set(paths)
        (menu,) = await deployment.do("menus.show")
        assert {item.path for item in menu.items if item.shown} == set(paths)

    deployments(scenario)


def test_a_menu_leads_to_what_is_listed_in_its_own_language(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])
        items = [entry("Kacheln", "/de/tags/kacheln/"), entry("Tiles", "/tags/kacheln/")]
        await deployment.do("menus.set", place="footer", items=items)
        await deployment.add("/de/", title="Start", details={"tags": ["Kacheln"]})
        (menu,) = await deployment.do("menus.show")
        assert [item.shown for item in menu.items] == [True, False]

    deployments(scenario)


def test_an_entry_goes_along_with_its_page(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("menus.set", place="footer", items=[entry("Your visit", "/visit/#a")])
        await deployment.do("pages.move", path="/visit/", slug="plan")
        await shows(deployment, "/news/", 'href="/plan/#a"')
        (menu,) = await deployment.do("menus.show")
        assert (menu.items[0].path, menu.items[0].shown) == ("/plan/", True)

    deployments(scenario)


def test_a_menu_change_renders_no_page(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        jobs = jobs_of(deployment)
        for items in ([entry("One", "/visit/")], [entry("Two", "/news/")], []):
            await deployment.do("menus.set", place="header", items=items)
        await deployment.do("menus.add", place="side", title="Three", target="/visit/")
        assert [job for job in jobs if job.topic == RENDER] == []
        await deployment.do("sites.configure", title="Another")
        assert [job for job in jobs if job.topic == RENDER] != []

    deployments(scenario)


def test_every_bad_entry_is_named(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        nobody = "page:" + "0" * 8 + "-0000" * 3 + "-" + "0" * 12
        items = [
            entry("  ", "/visit/"),
            entry("Fine", "/visit/", entry("Deep", "/news/", entry("Deeper", "/news/"))),
            entry("Nobody", nobody),
            entry("Script", "javascript:alert(1)", entry("Double", "//evil.example/")),
            entry("x" * 101, "/visit/?a=1"),
            entry("Host", "https:///path"),
        ]
        with pytest.raises(InvalidInput) as caught:
            await deployment.do("menus.set", place="header", items=items)
        assert [where for where, _ in caught.value.problems] == [
            "items[0].title",
            "items[1].items[0].items",
            "items[2].target",
            "items[3].target",
            "items[3].items[0].target",
            "items[4].title",
            "items[4].target",
            "items[5].target",
        ]
        assert await deployment.do("menus.show") == []
        many = [entry(f"Entry {n}", "/visit/") for n in range(201)]
        with pytest.raises(InvalidInput, match="201 entries; 200 fit"):
            await deployment.do("menus.set", place="header", items=many)
        await deployment.do("menus.set", place="header", items=many[:200])
        deep: dict[str, Any] = entry("Bottom", "/visit/")
        for _ in range(2_000):
            deep = entry("Level", "/visit/", deep)
        with pytest.raises(InvalidInput):
            await deployment.do("menus.set", place="header", items=[deep])

    deployments(scenario)


def test_a_menu_is_in_a_language_of_its_site(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        german = {"place": "header", "language": "de", "items": [entry("Besuch", "/visit/")]}
        with pytest.raises(InvalidInput, match="no language 'de'"):
            await deployment.do("menus.set", **german)
        await deployment.do("sites.configure", languages=["de"])
        await deployment.do("menus.set", **german)
        await deployment.do("menus.set", place="header", items=[entry("Your visit", "/visit/")])
        await hides(deployment, "/news/", "Besuch")
        menus = await deployment.do("menus.show")
        assert [menu.language for menu in menus] == ["de", "en"]
        assert len(await deployment.do("menus.show", language="de")) == 1

    deployments(scenario)


def test_entries_come_and_go_one_by_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def add(title: str, target: str, below: str | None = None) -> None:
            await deployment.do("menus.add", place="side", title=title, target=target, below=below)

        await add("Visit", "/visit/")
        await add("Hours", "/visit/hours/", "Visit")
        await add("News", "/news/")
        with pytest.raises(NotFound, match="It has 'Visit', 'News'"):
            await add("Lost", "/news/", "Shop")
        await deployment.do("menus.remove", place="side", title="Hours")
        with pytest.raises(NotFound, match="'Hours'"):
            await deployment.do("menus.remove", place="side", title="Hours")
        (menu,) = await deployment.do("menus.show")
        assert [(item.title, item.items) for item in menu.items] == [("Visit", ()), ("News", ())]
        await deployment.do("menus.remove", place="side", title="Visit")
        await deployment.do("menus.remove", place="side", title="News")
        assert await deployment.do("menus.show") == []

    deployments(scenario)


def test_menus_on_the_command_line(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = command_line(deployments, monkeypatch)
    assert config.exists()
    file = tmp_path / "menu.json"
    file.write_text(json.dumps([entry("Visit", "/visit/", entry("Hours", "/visit/hours/"))]))
    made = invoke("menu", "set", "header", str(file), "-s", "aurora", "--json")
    assert json.loads(made)["items"][0]["items"][0]["shown"] is True
    file.write_text(made)  # what it prints it takes
    assert invoke("menu", "set", "header", str(file), "-s", "aurora", "--json") == made
    invoke("menu", "add", "footer", "News", "/news/", "-s", "aurora")
    invoke("menu", "remove", "header", "Hours", "-s", "aurora")
    assert "Hours" not in invoke("menu", "show", "-s", "aurora")
    file.write_text("{")
    assert "no JSON" in invoke("menu", "set", "header", str(file), "-s", "aurora", code=1)
