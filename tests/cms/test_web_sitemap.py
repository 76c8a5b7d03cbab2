"""The sitemap and robots.txt."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mosaic_cms.web import sitemap
from tests.cms.deployment import Deployment, Deployments

MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
LINK = "{http://www.w3.org/1999/xhtml}link"
HOME = "http://museum.example"


async def places(deployment: Deployment, path: str = "/sitemap.xml") -> list[str]:
    answer = await deployment.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    return [place.text or "" for place in ElementTree.fromstring(answer.text).iter(f"{MAP}loc")]


def test_the_sitemap_has_what_is_published_and_nothing_else(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/draft/", publish=False)
        await deployment.add("/a&b/", title="A & B")
        paths = ["/", "/a&b/", "/news/", "/visit/", "/visit/hours/"]
        assert sorted(await places(deployment)) == [HOME + path for path in paths]
        await deployment.do("pages.unpublish", path="/a&b/")
        assert f"{HOME}/a&b/" not in await places(deployment)

    deployments(scenario)


def test_an_entry_says_when_it_was_changed_and_where_its_translations_are(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de"])
        await deployment.do("pages.translate", path="/", language="de", title="Start")
        await deployment.do("pages.publish", path="/de/")
        root = ElementTree.fromstring((await deployment.get("/sitemap.xml")).text)
        found = {entry.findtext(f"{MAP}loc"): entry for entry in root}
        for path in ("/", "/de/"):
            links = {a.get("hreflang"): a.get("href") for a in found[HOME + path].iter(LINK)}
            assert links == {"en": f"{HOME}/", "de": f"{HOME}/de/"}
        assert not list(found[f"{HOME}/visit/"].iter(LINK))
        assert all(entry.findtext(f"{MAP}lastmod") for entry in root)
        shown = (await deployment.get("/de/")).text
        assert f'hreflang="x-default" href="{HOME}/"' in shown

    deployments(scenario)


@pytest.mark.parametrize(("addresses", "size"), [(2, 10_000_000), (10_000, 200)])
def test_a_large_sitemap_becomes_an_index(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, addresses: int, size: int
) -> None:
    monkeypatch.setattr(sitemap, "_MOST_ADDRESSES", addresses)
    monkeypatch.setattr(sitemap, "_MOST_BYTES", size)
    monkeypatch.setattr(sitemap, "_LOT", 2)

    async def scenario(deployment: Deployment) -> None:
        parts = await places(deployment)
        assert parts == [f"{HOME}/sitemap-{number}.xml" for number in range(1, len(parts) + 1)]
        found = [place for part in parts for place in await places(deployment, part[len(HOME) :])]
        paths = ["/", "/news/", "/visit/", "/visit/hours/"]
        assert sorted(found) == [HOME + path for path in paths]
        assert len(parts) > 1
        for name in (f"/sitemap-{len(parts) + 1}.xml", "/sitemap-0.xml", "/sitemap-.xml"):
            assert (await deployment.get(name)).status_code == 404

    deployments(scenario)


def test_a_small_sitemap_has_no_parts(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert (await deployment.get("/sitemap-1.xml")).status_code == 404

    deployments(scenario)


def test_robots_are_told_where_the_sitemap_is(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        answer = await deployment.get("/robots.txt", "steel.mosaic.test")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "Sitemap: http://steel.mosaic.test/sitemap.xml\n" in answer.text
        first = await deployment.get("/robots.txt")
        again = await deployment.get("/robots.txt", if_none_match=first.headers["etag"])
        assert again.status_code == 304

    deployments(scenario)


def test_a_new_domain_shows_in_what_was_kept(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        steel = deployment.product.platform.directory.named("steel")
        assert "//steel.mosaic.test/" in (await deployment.get("/", "steel.mosaic.test")).text
        await deployment.product.platform.directory.add_domain(
            steel.tenant_id, "steel.example", actor="test"
        )
        for path in ("/", "/robots.txt"):
            assert "//steel.example/" in (await deployment.get(path, "steel.mosaic.test")).text

    deployments(scenario)
