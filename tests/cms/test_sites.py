"""Sites: as many as the tier has, each with its own pages, made anew at will."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from mosaic_cms.content.models import Media, Page, Site
from mosaic_cms.content.published import ContentReference, PublishedPage
from mosaic_core.errors import Conflict, InvalidInput, NotFound, QuotaExceeded
from mosaic_core.head import Write
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt
from tests.cms.test_pages import assert_as_made_anew

_KEPT = {"persistence": "tenancy_sqlite", "storage": "storage_local"}
TIERS = {"open": _KEPT, "free": {**_KEPT, "limits": {"sites": 1}}}


def test_a_site_has_its_settings_checked(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        view = await deployment.do(
            "sites.configure", time_zone="Europe/Berlin", languages=["de", "pt-BR"]
        )
        assert (view.time_zone, view.languages) == ("Europe/Berlin", ("de", "pt-BR"))
        assert await deployment.do("sites.show") == view
        with pytest.raises(InvalidInput, match="did you mean 'Europe/Berlin'"):
            await deployment.do("sites.configure", time_zone="Berlin")
        for languages in (["de", "DE"], ["EN"], ["no language"], [f"aa-{n:03}" for n in range(60)]):
            with pytest.raises(InvalidInput):
                await deployment.do("sites.configure", languages=languages)
        assert await deployment.do("sites.show") == view

    deployments(scenario)


def test_a_tier_has_so_many_sites(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(QuotaExceeded, match="The tier has 1 site"):
            await deployment.do("sites.create", "steel", key="shop", title="Shop")
        await deployment.do("sites.create", key="shop", title="Shop", language="de")
        with pytest.raises(Conflict, match="'shop' already"):
            await deployment.do("sites.create", key="shop", title="Shop")
        assert [site.key for site in await deployment.do("sites.list")] == ["main", "shop"]
        (home,) = await deployment.do("pages.list", site="shop")
        assert (home.path, home.state) == ("/", "published")
        await assert_as_made_anew(deployment)

    deployments(scenario, tiers=TIERS)


def test_a_deleted_site_leaves_nothing(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = await projected(deployment, "aurora")
        await deployment.do("sites.create", key="shop", title="Shop")
        for path in ("/a/", "/a/b/", "/c/"):
            await deployment.add(path, site="shop", publish=False)
        await deployment.do("pages.publish", path="/a/", site="shop")
        await deployment.do("pages.delete", path="/c/", site="shop")
        await deployment.do(
            "menus.set", place="header", items=[{"title": "A", "target": "/a/"}], site="shop"
        )
        await deployment.do("redirects.set", source="/old/", target="/a/", site="shop")
        await deployment.do("shared.create", name="Shared", site="shop")
        done = await deployment.do("sites.delete", site="shop")
        assert done.pages == 4
        assert await projected(deployment, "aurora") == before
        with pytest.raises(NotFound):
            await deployment.do("sites.show", site="shop")
        with pytest.raises(Conflict, match="the only site"):
            await deployment.do("sites.delete", site="main")
        assert (await deployment.get("/visit/")).status_code == 200
        async with deployment.scope().read() as session:
            assert list(await session.scalars(select(ContentReference))) == []
            assert len(list(await session.scalars(select(Page)))) == 4
            assert list(await session.scalars(select(Media))) == []

    deployments(scenario)


def test_rendering_makes_everything_from_what_is_live(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        visit = await deployment.do("pages.show", path="/visit/")
        await deployment.add("/a/", body=f"[Visit](page:{visit.id})")
        async with deployment.scope().read() as session:
            noted = {
                (row.source, row.target) for row in await session.scalars(select(ContentReference))
            }
        assert noted

        async def spoil(write: Write) -> None:
            await write.session.execute(update(PublishedPage).values(html="Spoilt", title="Spoilt"))
            await write.session.execute(delete(ContentReference))

        await deployment.scope().write(spoil)
        told: list[tuple[str, int, int]] = []
        scope = deployment.scope()
        object.__setattr__(scope, "progress", lambda *step: told.append(step))
        done = await deployment.product.actions.perform("sites.render", scope, {})
        assert (done.pages, done.left) == (5, 0)
        assert told[-1] == ("pages rendered", 5, 5)
        assert "Spoilt" not in (await deployment.get("/visit/")).text
        await assert_as_made_anew(deployment)
        async with deployment.scope().read() as session:
            again = {
                (row.source, row.target) for row in await session.scalars(select(ContentReference))
            }
        assert again == noted

    deployments(scenario)


def test_a_language_with_pages_stays(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])

        async def german(write: Write) -> None:
            page = await write.session.scalar(select(Page).where(Page.path == "/visit/hours/"))
            assert page is not None
            page.language = "de"
            assert await write.session.scalar(select(Site.languages)) == ["de"]

        await deployment.scope().write(german)
        with pytest.raises(Conflict, match="has pages in 'de'"):
            await deployment.do("sites.configure", languages=[])

    deployments(scenario)


def test_sites_on_the_command_line(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    invoke("site", "create", "shop", "-t", "aurora", "--title", "The shop")
    assert "The shop" in invoke("site", "list", "-t", "aurora")
    invoke("site", "set", "-s", "aurora/shop", "--languages", "de, ar", "--time-zone", "Asia/Tokyo")
    shown = json.loads(invoke("site", "show", "-s", "aurora/shop", "--json"))
    assert (shown["languages"], shown["time_zone"]) == (["de", "ar"], "Asia/Tokyo")
    at = ("-s", "aurora/shop")
    invoke("site", "set", *at, "--theme-setting", "palette=gold", "--theme-setting", "motif=wave")
    invoke("site", "set", *at, "--theme-setting", "palette=cobalt")
    shown = json.loads(invoke("site", "show", *at, "--json"))
    assert shown["theme_settings"] == {"palette": "cobalt", "motif": "wave"}
    assert "0 terms" in invoke("site", "terms", "-s", "aurora")
    rendered = json.loads(invoke("render", "-s", "aurora/shop", "--json"))
    assert rendered == {"aurora": {"pages": 1, "left": 0}}
    assert invoke("render") == "✓ 13 pages of 3 tenants: made again.\n"
    assert "deleted" in invoke("site", "delete", "aurora/shop", "--yes")


def test_a_site_takes_one_of_its_other_languages_as_its_own(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de", "tr"])
        entry = {"title": "Hier", "target": "/visit/"}
        await deployment.do("menus.set", place="header", language="de", items=[entry])
        view = await deployment.do("sites.configure", language="de")
        assert (view.language, view.languages) == ("de", ("tr",))
        assert (await deployment.get("/visit/")).status_code == 200
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")
        await deployment.do("pages.translate", path="/", language="tr")
        with pytest.raises(Conflict, match="has pages in 'tr'"):
            await deployment.do("sites.configure", language="tr")

    deployments(scenario)


def test_no_menu_is_lost_when_a_language_becomes_the_sites_own(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def menus() -> dict[tuple[str, str], list[str]]:
            found = await deployment.do("menus.show")
            return {(m.place, m.language): [entry.title for entry in m.items] for m in found}

        async def put(place: str, language: str, *titles: str) -> None:
            items = [{"title": title, "target": "/visit/"} for title in titles]
            await deployment.do("menus.set", place=place, language=language, items=items)

        await deployment.do("sites.configure", languages=["de"])
        await put("header", "en", "Visit", "News")
        await put("header", "de", "Besuch")
        await put("footer", "de", "Impressum")
        await put("side", "en", "Same")
        await put("side", "de", "Same")
        before = await menus(), await projected(deployment, "aurora")
        with pytest.raises(
            Conflict, match=r"two header menus .*'de': 'Visit', 'News' in 'en' and 'Besuch' in 'de'"
        ):
            await deployment.do("sites.configure", language="de", title="Neu")
        assert before == (await menus(), await projected(deployment, "aurora"))
        await deployment.do("sites.configure", languages=[])
        assert await menus() == before[0], "without the language its menus are kept, but not shown"
        with pytest.raises(Conflict, match="two header menus"):
            await deployment.do("sites.configure", language="de")
        await deployment.do("menus.remove", place="header", title="Besuch", language="de")
        await deployment.do("sites.configure", language="de")
        assert await menus() == {
            ("header", "de"): ["Visit", "News"],
            ("footer", "de"): ["Impressum"],
            ("side", "de"): ["Same"],
        }
        assert "Impressum" in (await deployment.get("/visit/")).text
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_a_setting_that_the_theme_does_not_have_is_refused_with_those_it_has(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        gold = {"palette": "gold"}
        await deployment.do("sites.configure", theme_settings=gold)
        for settings, told in (
            (gold | {"palete": "gold"}, r"'iznik' has no setting 'palete'; it has .*palette"),
            ({"palette": "mauve"}, r"palette cannot be 'mauve'; choose one of .*gold"),
        ):
            with pytest.raises(InvalidInput, match=told):
                await deployment.do("sites.configure", theme_settings=settings, title="New")
        view = await deployment.do("sites.show")
        assert (view.theme_settings, view.title) == (gold, "Aurora")
        # What is left of another theme is not in the way.
        await deployment.do("sites.configure", theme="harbour")
        view = await deployment.do("sites.configure", theme_settings=gold, tagline="By the sea")
        assert view.theme_settings == gold

    deployments(scenario)


def test_an_import_leaves_out_a_setting_that_the_theme_does_not_have(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        (tmp_path / "site.toml").write_text(
            'title = "Tiles"\n[settings]\npalette = "gold"\ntone = "loud"\n'
        )
        (tmp_path / "one.md").write_text("# One\n")
        report = await deployment.do("content.import_markdown", folder=tmp_path)
        assert any("no setting 'tone'" in line.message for line in report.lines)
        view = await deployment.do("sites.show")
        assert (view.title, view.theme_settings) == ("Tiles", {"palette": "gold"})

    deployments(scenario)
