"""One tree of pages for each language of a site, linked with one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.content.language_tags import language_of_path, negotiated
from mosaic_core.errors import Conflict, InvalidInput
from tests.cms.conftest import Deployments
from tests.cms.deployment import Deployment
from tests.cms.test_pages import assert_as_made_anew

SITE = ("en", "de", "pt-BR", "ar")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT, en;q=0.5", "de"),
        ("en;q=0.5, de;q=0.9", "de"),
        ("pt", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("fr, ar;q=0.1", "ar"),
        ("de;q=0, ar", "ar"),
        ("fr", "en"),
        ("*, de", "en"),
        (",,;q=1,de;q=x,\x00", "en"),
        ("de;q=1.0 , en", "de"),
    ],
)
def test_a_visitor_gets_the_language_that_they_like_best(accepted: str, language: str) -> None:
    assert negotiated(accepted, SITE) == language


@given(st.text())
def test_whatever_a_visitor_says_they_get_a_language_of_the_site(accepted: str) -> None:
    assert negotiated(accepted, SITE) in SITE


@pytest.mark.parametrize(
    ("path", "language"),
    [("/", "en"), ("/de/", "de"), ("/de/x/", "de"), ("/pt-br/", "pt-BR"), ("/design/", "en")],
)
def test_an_address_says_its_language(path: str, language: str) -> None:
    assert language_of_path(path, SITE) == language


async def translated(deployment: Deployment) -> None:
    await deployment.do("sites.configure", languages=["de", "ar"])
    await deployment.do("pages.translate", path="/", language="de", title="Startseite")
    await deployment.do("pages.publish", path="/de/")
    await deployment.do("pages.translate", path="/visit/", language="de", title="Ihr Besuch")
    await deployment.do("pages.publish", path="/de/ihr-besuch/")


def test_a_translation_stands_below_the_translation_of_its_parent(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        found = await deployment.do("pages.translations", path="/de/ihr-besuch/")
        assert [(page.language, page.path) for page in found] == [
            ("de", "/de/ihr-besuch/"),
            ("en", "/visit/"),
        ]
        with pytest.raises(InvalidInput, match=r"'/visit/'.*'ar'"):
            await deployment.do("pages.translate", path="/visit/hours/", language="ar")
        with pytest.raises(InvalidInput, match="no language 'fr'"):
            await deployment.do("pages.translate", path="/visit/", language="fr")
        with pytest.raises(Conflict, match="/de/ihr-besuch/"):
            await deployment.do("pages.translate", path="/visit/", language="de")

    deployments(scenario)


def test_pages_name_their_translations_to_search_engines(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        for path in ("/visit/", "/de/ihr-besuch/"):
            shown = (await deployment.get(path)).text
            assert 'hreflang="en" href="' in shown
            assert 'hreflang="de" href="' in shown
        await deployment.do("pages.unpublish", path="/de/ihr-besuch/")
        assert 'rel="alternate" hreflang="de"' not in (await deployment.get("/visit/")).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_is_shown_in_its_own_language(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        german = await deployment.get("/de/ihr-besuch/")
        assert german.headers["content-language"] == "de"
        assert '<html lang="de" dir="ltr"' in german.text
        english = await deployment.get("/visit/")
        assert english.headers["content-language"] == "en"
        await deployment.do("pages.translate", path="/", language="ar", title="الرئيسية")
        await deployment.do("pages.publish", path="/ar/")
        assert '<html lang="ar" dir="rtl"' in (await deployment.get("/ar/")).text

    deployments(scenario)


def test_what_is_not_translated_falls_back_to_the_sites_own_language(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        answer = await deployment.get("/de/visit/hours/")
        assert (answer.status_code, answer.headers["location"]) == (302, "/visit/hours/")
        assert (await deployment.get("/de/nowhere/")).status_code == 404
        # The address of the original, below the language, leads to the translation.
        answer = await deployment.get("/de/visit/")
        assert (answer.status_code, answer.headers["location"]) == (302, "/de/ihr-besuch/")

    deployments(scenario)


def test_the_home_page_answers_in_the_language_that_a_visitor_likes_best(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        for accepted in ("de-AT,de;q=0.9", "de"):
            answer = await deployment.get("/", accept_language=accepted)
            assert (answer.status_code, answer.headers["location"]) == (302, "/de/")
            assert "accept-language" in answer.headers["vary"].lower()
        for accepted in ("en", "fr", "ar", ""):  # in Arabic, there is no home page yet
            answer = await deployment.get("/", accept_language=accepted)
            assert answer.status_code == 200, accepted
            assert "accept-language" in answer.headers["vary"].lower()
        # An address has one language for ever: a chosen one is not taken away again.
        assert (await deployment.get("/visit/", accept_language="de")).status_code == 200
        assert (await deployment.get("/de/", accept_language="en")).status_code == 200
        own = await deployment.get("/?lang=en", accept_language="de")
        assert own.status_code == 200

    deployments(scenario)


def test_a_site_in_one_language_negotiates_nothing(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        answer = await deployment.get("/", accept_language="de")
        assert answer.status_code == 200
        assert "accept-language" not in answer.headers.get("vary", "").lower()

    deployments(scenario)


def test_pages_that_were_made_apart_can_be_linked_and_parted(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        await deployment.add("/de/zeiten/", title="Zeiten")
        await deployment.do("pages.link_translation", path="/visit/hours/", other="/de/zeiten/")
        assert 'rel="alternate" hreflang="de"' in (await deployment.get("/visit/hours/")).text
        with pytest.raises(Conflict, match="already"):
            await deployment.do("pages.link_translation", path="/visit/", other="/de/zeiten/")
        await deployment.do("pages.unlink_translation", path="/de/zeiten/")
        assert 'rel="alternate" hreflang="de"' not in (await deployment.get("/visit/hours/")).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def alternates(page: str) -> bool:
    return 'rel="alternate" hreflang=' in page


def test_a_page_that_moves_to_another_language_speaks_it_with_all_below_it(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        await deployment.do("pages.move", path="/news/", parent="/de/")
        await deployment.add("/de/news/draft/", publish=False)
        await deployment.do("pages.move", path="/de/news/", parent="/visit/")
        (page,) = await deployment.do("pages.translations", path="/visit/news/draft/")
        assert page.language == "en"
        shown = await deployment.get("/visit/news/")
        assert shown.headers["content-language"] == "en"
        assert '<html lang="en"' in shown.text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_beside_the_page_that_it_translated_it_stands_alone(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        await deployment.do("pages.move", path="/de/ihr-besuch/", parent="/news/")
        for path in ("/visit/", "/news/ihr-besuch/"):
            assert len(await deployment.do("pages.translations", path=path)) == 1
            assert not alternates((await deployment.get(path)).text)
        await deployment.do("pages.translate", path="/visit/", language="de")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_home_page_with_another_slug_is_in_the_language_of_its_address(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        binned = await deployment.do("pages.delete", path="/de/")
        await deployment.do("pages.restore_from_bin", id=binned.id, slug="deutsch")
        page, *_ = await deployment.do("pages.translations", path="/deutsch/")
        assert page.language == "en"
        await deployment.do("pages.move", path="/deutsch/", slug="ar")
        page, *_ = await deployment.do("pages.translations", path="/ar/")
        assert page.language == "ar"

    deployments(scenario)


@pytest.mark.parametrize("path", ["/visit/", "/de/ihr-besuch/"])
def test_whichever_is_unlinked_stands_alone(deployments: Deployments, path: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        await deployment.do("pages.unlink_translation", path=path)
        for one in ("/visit/", "/de/ihr-besuch/"):
            assert len(await deployment.do("pages.translations", path=one)) == 1
            assert not alternates((await deployment.get(one)).text)
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_pages_with_translations_into_one_language_are_not_linked(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        for path in ("/", "/visit/"):
            await deployment.do("pages.translate", path=path, language="ar")
        await deployment.add("/de/nachrichten/", publish=False)
        await deployment.do(
            "pages.translate", path="/de/nachrichten/", language="ar", slug="akhbar"
        )
        await deployment.do("pages.unlink_translation", path="/de/ihr-besuch/")
        with pytest.raises(Conflict, match="'/visit/' is there in 'ar' already, at '/ar/visit/'"):
            await deployment.do("pages.link_translation", path="/visit/", other="/de/nachrichten/")
        await deployment.do("pages.link_translation", path="/visit/", other="/de/ihr-besuch/")
        assert len(await deployment.do("pages.translations", path="/visit/")) == 3

    deployments(scenario)


async def language_of(deployment: Deployment, path: str) -> str:
    page, *_ = await deployment.do("pages.translations", path=path)
    return str(page.language)


def test_a_translation_without_a_page_above_it_stands_below_its_language_whatever_its_slug(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de", "ar"])
        home = await deployment.do("pages.translate", path="/", language="de", slug="deutsch")
        assert home.path == "/de/deutsch/"
        await deployment.do("pages.publish", path=home.path)
        below = await deployment.add("/de/deutsch/besuch/")
        assert await language_of(deployment, below.path) == "de"
        liked = await deployment.get("/", accept_language="de")
        assert (liked.status_code, liked.headers["location"]) == (302, "/de/deutsch/")
        other = await deployment.do(
            "pages.translate", path=home.path, language="ar", slug="ar/bayt"
        )
        assert other.path == "/ar/bayt/"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_what_comes_back_from_the_bin_has_a_language_of_the_site_and_of_its_address(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await translated(deployment)
        for path in ("/de/ihr-besuch/", "/de/"):
            await deployment.do("pages.unpublish", path=path)
        gone = await deployment.do("pages.delete", path="/de/")
        await deployment.do("sites.configure", languages=["ar"])
        for page in await deployment.do("pages.restore_from_bin", id=gone.id):
            assert await language_of(deployment, page.path) == "en", "German is spoken no more"
            await deployment.do("pages.publish", path=page.path)
        assert len(await deployment.do("pages.translations", path="/visit/")) == 1
        await assert_as_made_anew(deployment)
        for path in ("/de/ihr-besuch/", "/de/"):
            await deployment.do("pages.unpublish", path=path)
        gone = await deployment.do("pages.delete", path="/de/")
        await deployment.do("sites.configure", languages=["ar", "de"])
        for page in await deployment.do("pages.restore_from_bin", id=gone.id):
            assert await language_of(deployment, page.path) == "de", "and now it is again"
        await deployment.do("pages.move", path="/news/", slug="ar")
        assert await language_of(deployment, "/ar/") == "ar"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_runs_as_its_language_is_written(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        written = {"fa-IR": "rtl", "ckb": "rtl", "arn": "ltr", "fan": "ltr"}
        await deployment.do("sites.configure", languages=list(written))
        for language, direction in written.items():
            await deployment.add(f"/{language.lower()}/")
            shown = (await deployment.get(f"/{language.lower()}/")).text
            assert f'<html lang="{language}" dir="{direction}"' in shown

    deployments(scenario)
