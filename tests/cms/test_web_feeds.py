"""Feeds, and what a page says of itself to those who find and share it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from mosaic_cms.content.head_tags import ORIGIN, Head, head_tags
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
HOME = "http://museum.example"


async def add_posts(deployment: Deployment, count: int = 3, **details: Any) -> None:
    for number in range(1, count + 1):
        date = f"2025-{(number - 1) // 28 + 1:02}-{(number - 1) % 28 + 1:02}T09:30:00+03:00"
        await deployment.add(
            f"/news/post-{number}/",
            layout="post",
            title=f"Post {number}",
            summary=f"About {number}.",
            body=f"See [the hours](/visit/hours/) and **{number}**.",
            details={"date": date, "author": "Ada", "tags": ["Tiles"], **details},
        )


async def feed(deployment: Deployment, path: str) -> Any:
    answer = await deployment.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return json.loads(answer.text) if path.endswith("json") else ElementTree.fromstring(answer.text)


@pytest.mark.parametrize("above", ["/", "/news/"])
def test_the_three_feeds_tell_the_same_newest_first(deployments: Deployments, above: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment)
        rss = await feed(deployment, f"{above}feed.xml")
        atom = await feed(deployment, f"{above}atom.xml")
        told = await feed(deployment, f"{above}feed.json")
        urls = [f"{HOME}/news/post-{number}/" for number in (3, 2, 1)]
        assert [item.findtext("link") for item in rss.iter("item")] == urls
        assert [
            entry.find(f"{ATOM}link").get("href") for entry in atom.iter(f"{ATOM}entry")
        ] == urls
        assert [item["url"] for item in told["items"]] == urls
        assert told["version"] == "https://jsonfeed.org/version/1.1"
        assert told["feed_url"] == f"{HOME}{above}feed.json"
        instant = datetime.fromisoformat("2025-01-03T09:30:00+03:00")
        assert parsedate_to_datetime(next(rss.iter("pubDate")).text or "") == instant
        assert datetime.fromisoformat(told["items"][0]["date_published"]) == instant
        assert datetime.fromisoformat(next(atom.iter(f"{ATOM}published")).text or "") == instant
        ids = {item["id"] for item in told["items"]}
        assert ids == {guid.text for guid in rss.iter("guid")}
        assert len(ids) == 3

    deployments(scenario)


def test_a_feed_has_the_whole_content_with_whole_addresses_and_nothing_of_the_layout(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        rss = await feed(deployment, "/feed.xml")
        html = next(rss.iter(CONTENT)).text or ""
        assert f'<a href="{HOME}/visit/hours/"' in html
        assert "<strong>1</strong>" in html
        assert "<h1" not in html
        assert "About 1." not in html
        assert "<nav" not in html

    deployments(scenario)


def test_content_that_begins_with_a_picture_is_in_feeds_and_read_over_the_api(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        body = "Look: ![A tile](https://example.org/tile.png) and ![another](/two.png)."
        details = {"date": "2025-05-01"}
        await deployment.add("/news/one/", layout="post", body=body, details=details)
        (item,) = (await feed(deployment, "/feed.json"))["items"]
        assert "Look: <img" in item["content_html"]
        assert item["content_html"].count("<img") == 2
        page = await deployment.do("content.page", path="/news/one/")
        assert "Look: <img" in page.html
        assert page.html in (await deployment.get("/news/one/")).text

    deployments(scenario)


def test_forms_and_scripts_stay_out_of_feeds(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        form = {
            "heading": "Write",
            "fields": [{"key": "name", "label": "Name"}],
            "success": "Thanks.",
        }
        raw = {"html": "<p onclick=x>Safe</p><script>alert(1)</script>"}
        regions = {"main": [{"type": "form", "data": form}, {"type": "html", "data": raw}]}
        await deployment.add(
            "/news/one/", layout="post", regions=regions, details={"date": "2025-05-01"}
        )
        (item,) = (await feed(deployment, "/feed.json"))["items"]
        assert "Safe" in item["content_html"]
        assert not re.search("<form|<input|<script|alert|onclick", item["content_html"])

    deployments(scenario)


def test_any_title_makes_valid_xml(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        titles = ["a\x01b\x0b\x1f & <b> ]]> \"'", "\ufffe\uffff x", "𝒳 ع \u2028"]
        for number, title in enumerate(titles):
            await deployment.add(
                f"/news/x{number}/",
                layout="post",
                title=title,
                summary=title,
                details={"date": f"2025-05-0{number + 1}", "author": title},
            )
        for name in ("feed.xml", "atom.xml"):
            root = await feed(deployment, f"/{name}")
            found = [title.text for title in root.iter() if title.tag.endswith("title")][1:]
            assert "ab & <b> ]]> \"'" in found
        assert len((await feed(deployment, "/feed.json"))["items"]) == 3

    deployments(scenario)


def test_a_feed_has_twenty_and_a_page_without_posts_has_none(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 22)
        items = (await feed(deployment, "/feed.json"))["items"]
        assert [item["title"] for item in items] == [f"Post {n}" for n in range(22, 2, -1)]
        for path in ("/visit/feed.xml", "/nothing/atom.xml", "/news/post-1/feed.json"):
            assert (await deployment.get(path)).status_code == 404
        assert (await deployment.get("/feed.xml/")).headers["location"] == "/feed.xml"
        empty = await deployment.get("/feed.xml", "bread.mosaic.test")
        assert ElementTree.fromstring(empty.text).find("channel/item") is None

    deployments(scenario)


def test_a_feed_is_kept_until_something_is_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        first = await deployment.get("/feed.xml")
        assert "s-maxage" in first.headers["cache-control"]
        assert first.headers["surrogate-key"].startswith("tenant-")
        assert first.headers["content-type"] == "application/rss+xml; charset=utf-8"
        kept = len(deployment.app.cache)
        again = await deployment.get("/feed.xml", if_none_match=first.headers["etag"])
        assert (again.status_code, len(deployment.app.cache)) == (304, kept)
        await deployment.do("pages.edit", path="/news/post-1/", title="A draft")
        assert (await deployment.get("/feed.xml")).text == first.text
        await deployment.do("pages.publish", path="/news/post-1/")
        assert "A draft" in (await deployment.get("/feed.xml")).text

    deployments(scenario)


def test_a_page_with_the_path_of_a_listing_comes_first(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path in ("/tags/", "/archive/", "/authors/"):
            await deployment.add(path, title="My own", body="Mine.")
            assert "Mine." in (await deployment.get(path)).text

    deployments(scenario)


def test_pages_lead_to_the_feeds(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        shown = (await deployment.get("/visit/")).text
        assert 'type="application/rss+xml" title="Aurora" href="/feed.xml"' in shown
        assert 'href="/news/atom.xml"' not in shown
        assert 'href="/news/atom.xml"' in (await deployment.get("/news/")).text

    deployments(scenario)


# The head


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.data: list[Any] = []
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "meta" and "content" in given:
            self.meta[given.get("property") or given.get("name")] = given["content"]
        if tag == "link":
            self.links.setdefault(given["rel"], given["href"])
        self._in_data = tag == "script" and given.get("type") == "application/ld+json"

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += json.loads(data)["@graph"]
            self._in_data = False


def test_addresses_in_a_head_are_those_of_the_first_domain_whatever_host_is_asked(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/visit/über/", layout="page", details={"image": "/-/media/a b.png"})
        for host in ("museum.example", "aurora.mosaic.test", "xn--bcher-kva.example"):
            read = _Reader((await deployment.get("/visit/%C3%BCber/", host)).text)
            assert read.links["canonical"] == f"{HOME}/visit/%C3%BCber/"
            assert read.meta["og:url"] == f"{HOME}/visit/%C3%BCber/"
            assert read.meta["og:image"] == f"{HOME}/-/media/a%20b.png"
        read = _Reader((await deployment.get("/", "steel.mosaic.test:8000")).text)
        assert read.links["canonical"] == "http://steel.mosaic.test:8000/"
        read = _Reader((await deployment.get("/", "steel.mosaic.test")).text)
        assert read.links["canonical"] == "http://steel.mosaic.test/"

    deployments(scenario)


def test_a_trusted_proxy_says_that_the_site_is_secure(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        headers = [(b"host", b"steel.mosaic.test"), (b"x-forwarded-proto", b"https")]
        shown = (await deployment.ask("/", headers, peer="10.0.0.9")).text
        assert _Reader(shown).links["canonical"] == "https://steel.mosaic.test/"
        shown = (await deployment.ask("/", headers, peer="192.0.2.1")).text
        assert _Reader(shown).links["canonical"] == "http://steel.mosaic.test/"

    deployments(scenario, platform={"proxies": ["10.0.0.0/8"]})


def test_a_post_tells_search_engines_who_wrote_it_when_and_where_it_stands(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_posts(deployment, 1)
        read = _Reader((await deployment.get("/news/post-1/")).text)
        posting, trail = read.data
        assert posting["@type"] == "BlogPosting"
        assert posting["headline"] == "Post 1"
        assert posting["author"] == {"@type": "Person", "name": "Ada"}
        assert posting["datePublished"] == "2025-01-01T09:30:00+03:00"
        assert posting["mainEntityOfPage"] == f"{HOME}/news/post-1/"
        assert trail["@type"] == "BreadcrumbList"
        assert [item["item"] for item in trail["itemListElement"]] == [
            f"{HOME}/",
            f"{HOME}/news/",
            f"{HOME}/news/post-1/",
        ]
        assert read.meta["description"] == "About 1."
        (website,) = _Reader((await deployment.get("/")).text).data
        assert website["@type"] == "WebSite"
        target = website["potentialAction"]["target"]["urlTemplate"]
        assert target == f"{HOME}/search/?q={{search_term_string}}"

    deployments(scenario)


def test_a_post_was_not_changed_before_it_was_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        details = {"date": "2099-01-01T12:00:00+03:00"}
        await deployment.add("/news/later/", layout="post", details=details)
        read = _Reader((await deployment.get("/news/later/")).text)
        assert read.data[0]["datePublished"] == "2099-01-01T12:00:00+03:00"
        assert read.data[0]["dateModified"] == read.data[0]["datePublished"]
        assert read.meta["article:modified_time"] == read.meta["article:published_time"]

    deployments(scenario)


def test_nothing_in_a_title_ends_the_script_or_becomes_an_address() -> None:
    hostile = f'</script><img src=x onerror=alert(1)>{ORIGIN}"\\u0000<!--\u2028'
    head = Head(
        title=hostile,
        description=hostile,
        path="/a/",
        root="/",
        site_title=hostile,
        language="en",
        image={"url": "javascript:alert(1)", "alt": hostile},
        article=True,
        date=datetime.fromisoformat("2025-01-01T00:00:00+00:00"),
        author=hostile,
        tags=[hostile],
        changed_at=datetime.fromisoformat("2025-01-01T00:00:00+00:00"),
        trail=[(hostile, "/")],
    )
    text = head_tags(head).replace(ORIGIN, "https://a.test")
    assert text.count("</script>") == 1
    assert "<img" not in text
    assert "javascript:" not in text
    read = _Reader(text)
    assert read.data[0]["headline"] == hostile
    assert read.data[0]["mainEntityOfPage"] == "https://a.test/a/"
    assert read.meta["description"] == hostile


def test_a_page_can_stay_out_of_search_engines(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/quiet/", details={"noindex": True})
        assert _Reader((await deployment.get("/quiet/")).text).meta["robots"] == "noindex"
        assert "/quiet/" not in (await deployment.get("/sitemap.xml")).text
        assert "robots" not in _Reader((await deployment.get("/visit/")).text).meta
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)
