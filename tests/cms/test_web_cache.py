"""The page cache and what HTTP says about it: each page is made once and sent as it may be kept."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brotli
import pytest

from mosaic_cms.web.delivery import Delivery
from mosaic_cms.web.page_cache import PageCache
from mosaic_cms.web.responses import Encodings, Finished
from tests.cms.deployment import Answer, Deployment, Deployments, opened

HOST = (b"host", b"aurora.mosaic.test")
LONG = "A sentence about cobalt and turquoise. " * 60


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch, *, pause: float = 0.0) -> Iterator[list[str]]:
    """The paths of the pages that are made, each taking so many seconds."""
    made: list[str] = []
    deliver = Delivery.deliver

    async def counted(self: Delivery, handle: Any, path: str, query: bytes, client: str) -> Any:
        made.append(path)
        await asyncio.sleep(pause)
        return await deliver(self, handle, path, query, client)

    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "deliver", counted)
        yield made


def finished(size: int) -> Finished:
    return Finished(200, "text/html", b"x" * size, [])


# What is kept, and for how long


def test_a_page_is_made_once_for_each_tenant_and_path(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with counting(monkeypatch) as made:
            for _ in range(3):
                for slug in ("aurora", "bread"):
                    for path in ("/", "/visit/"):
                        answer = await deployment.get(path, f"{slug}.mosaic.test")
                        assert f"the text of {path} at {slug}." in answer.text
            assert sorted(made) == ["/", "/", "/visit/", "/visit/"]
        assert len(deployment.app.cache) == 4

    deployments(scenario)


def test_a_cached_page_takes_the_short_way(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await deployment.ask("/visit/")

        async def long_way(*args: Any) -> None:
            raise AssertionError("the long way")

        monkeypatch.setattr(deployment.app, "_answer", long_way)
        assert await deployment.ask("/visit/") == first
        assert (await deployment.ask("/visit/", query=b"utm=1")).body == first.body

    deployments(scenario, platform={"freshness": 60})


def test_a_look_at_a_file_at_rest_takes_the_short_way_too(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mosaic_core.file_databases.reading._SETTLED", 0)

    async def scenario(deployment: Deployment) -> None:
        first = await deployment.ask("/visit/")
        tenant, platform = deployment.scope().tenant, deployment.product.platform
        files: Any = platform.persistence(tenant)
        for _ in range(2):
            files._reading.close_all()  # as others' files take its place
            platform.heads.forget(tenant.tenant_id)
            await platform.heads.look(tenant)
        files._reading.close_all()
        platform.heads.forget(tenant.tenant_id)

        async def long_way(*args: Any) -> None:
            raise AssertionError("the long way")

        with monkeypatch.context() as patch:
            patch.setattr(deployment.app, "_answer", long_way)
            assert (await deployment.ask("/visit/")).body == first.body
        async with opened(deployments.root) as other:
            await other.do("pages.edit", path="/visit/", body="News from elsewhere.")
            await other.do("pages.publish", path="/visit/")
        platform.heads.forget(tenant.tenant_id)
        assert b"News from elsewhere." in (await deployment.ask("/visit/")).body

    deployments(scenario, platform={"freshness": 60})


def test_a_draft_leaves_the_cached_page_and_publishing_shows_at_once(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with counting(monkeypatch) as made:
            first = await deployment.get("/visit/")
            for n in range(5):
                await deployment.do("pages.edit", path="/visit/", body=f"Draft {n}.")
                await asyncio.sleep(0.06)
                again = await deployment.get("/visit/")
                assert again.content == first.content
                assert again.headers["etag"] == first.headers["etag"]
            assert made == ["/visit/"]
            await deployment.do("pages.publish", path="/visit/")
            shown = await deployment.get("/visit/")
            assert "Draft 4." in shown.text
            assert made == ["/visit/"] * 2
            stale = await deployment.get("/visit/", if_none_match=first.headers["etag"])
            assert stale.status_code == 200

    deployments(scenario)


def test_one_tenants_publishing_leaves_anothers_pages_cached(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.get("/", "bread.mosaic.test")
        with counting(monkeypatch) as made:
            await deployment.add("/more/", "aurora")
            await deployment.get("/", "bread.mosaic.test")
            assert made == []

    deployments(scenario)


def test_a_thousand_visitors_to_a_cold_page_have_it_made_once(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with counting(monkeypatch, pause=0.05) as made:
            answers = await asyncio.gather(*(deployment.ask("/visit/") for _ in range(1000)))
            assert made == ["/visit/"]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1

    deployments(scenario)


def test_a_query_that_changes_nothing_makes_no_page_anew(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with counting(monkeypatch, pause=0.05) as made:
            asked = [deployment.ask("/visit/", query=b"utm=%d" % n) for n in range(100)]
            answers = await asyncio.gather(*asked, deployment.ask("/visit/"))
            assert made == ["/visit/"]
            assert (await deployment.ask("/visit/", query=b"utm=x")).status == 200
            assert made == ["/visit/"]
            home = await deployment.ask("/", query=b"a=b")
            assert home.body == (await deployment.ask("/")).body
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1

    deployments(scenario)


def test_a_visitor_who_goes_away_does_not_stop_the_others(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with counting(monkeypatch, pause=0.1) as made:
            visitors = [asyncio.create_task(deployment.ask("/visit/")) for _ in range(3)]
            await asyncio.sleep(0.05)
            visitors[0].cancel()
            answers = await asyncio.gather(*visitors, return_exceptions=True)
            assert isinstance(answers[0], asyncio.CancelledError)
            assert [a.status for a in answers[1:] if isinstance(a, Answer)] == [200, 200]
            visitors = [asyncio.create_task(deployment.ask("/news/")) for _ in range(2)]
            await asyncio.sleep(0.05)
            for visitor in visitors:
                visitor.cancel()
            await asyncio.gather(*visitors, return_exceptions=True)
            await asyncio.sleep(0.1)
            assert (await deployment.ask("/news/")).status == 200
            assert made == ["/visit/", "/news/"]

    deployments(scenario)


def test_what_differs_by_query_or_is_no_page_does_not_fill_the_cache(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", redirects=[{"source": "/old/", "target": "/visit/"}])
        for path, status in {
            "/nothing/": 404,
            "/visit": 308,
            "/old/": 301,
            "/nothing/?utm=1": 404,
            "/old/?utm=1": 301,
            "/search/?q=kiln": 200,
            "/search/?q=glaze": 200,
            "/../x": 404,
        }.items():
            assert (await deployment.get(path)).status_code == status, path
        cache = deployment.app.cache
        assert [path for _, _, path in cache._entries] == ["/search/"]  # the empty form

    deployments(scenario)


def test_the_cache_stays_within_its_bytes_and_forgets_the_least_recently_used() -> None:
    async def scenario() -> None:
        one = finished(1000).size
        cache = PageCache(3 * one)

        async def put(path: str, size: int = 1000, published: int = 1) -> None:
            async def make() -> tuple[Finished, bool]:
                return finished(size), True

            await cache.make(("t", None, path), published, make)
            assert cache.bytes <= 3 * one

        def kept() -> list[str]:
            return [path for path in "abcdef" if cache.get(("t", None, path), 1) is not None]

        for path in "abc":
            await put(path)
        assert cache.get(("t", None, "a"), 1) is not None
        await put("d")
        assert kept() == ["a", "c", "d"]
        await put("e", size=10 * one)  # larger than everything: it is sent and not kept
        assert kept() == ["a", "c", "d"]
        await put("a", published=2)  # the newer state takes the older one's place
        assert cache.bytes == 3 * one
        assert cache.get(("t", None, "a"), 1) is None
        assert cache.get(("t", None, "a"), 2) is not None
        assert len(cache) == 3

    asyncio.run(scenario())


def test_the_deployments_cache_has_the_configured_size(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for _ in range(2):
            for path in ("/", "/visit/", "/visit/hours/", "/news/"):
                assert (await deployment.get(path)).status_code == 200
                assert deployment.app.cache.bytes <= 12_000
        assert 0 < len(deployment.app.cache) < 4

    deployments(scenario, serve={"page_cache": 12_000})


# Encodings


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", ""),
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0", "gzip"),
        ("br; q=0, gzip; q=0", ""),
        ("GZIP;Q=0.5", "gzip"),
        ("br;q=0.001", "br"),
        ("identity", ""),
        ("deflate", ""),
        ("br;q=nonsense, gzip", "gzip"),
        (";;,,=", ""),
        ("brr", ""),
    ],
)
def test_a_page_comes_in_the_encoding_that_was_asked_for(
    deployments: Deployments, asked: str, expected: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path="/visit/", body=LONG)
        await deployment.do("pages.publish", path="/visit/")
        plain = await deployment.ask("/visit/")
        for _ in range(2):
            headers = [HOST, (b"accept-encoding", asked.encode())]
            answer = await deployment.ask("/visit/", headers)
            assert answer.headers.get("content-encoding", "") == expected
            assert answer.headers["vary"] == "accept-encoding"
            assert int(answer.headers["content-length"]) == len(answer.body)
            unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[expected]
            assert unpack(answer.body) == plain.body
            assert not expected or len(answer.body) < len(plain.body) / 2

    deployments(scenario)


def test_encodings_are_remembered_for_a_bounded_number_of_headers() -> None:
    encodings = Encodings()
    for n in range(2000):
        assert encodings.choose(f"gzip;q=0.{n}1".encode()) == "gzip"
    assert len(encodings._known) <= 256


def test_a_page_is_compressed_once(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        compressed: list[int] = []
        compress = brotli.compress

        def counted(data: bytes, **options: Any) -> bytes:
            compressed.append(len(data))
            return compress(data, **options)

        monkeypatch.setattr(brotli, "compress", counted)
        headers = [HOST, (b"accept-encoding", b"br")]
        bodies = {(await deployment.ask("/visit/", headers)).body for _ in range(20)}
        assert (len(bodies), len(compressed)) == (1, 1)

    deployments(scenario)


# Validation


def test_each_encoding_has_an_etag_of_its_own_and_304_names_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        tags = {}
        for encoding in ("", "gzip", "br"):
            for method in ("GET", "HEAD", "GET"):
                asked = [HOST, (b"accept-encoding", encoding.encode())]
                answer = await deployment.ask("/visit/", asked, method=method)
                tag = tags.setdefault(encoding, answer.headers["etag"])
                assert answer.headers["etag"] == tag
                for value in (tag, f"W/{tag}", f'"other", {tag} , "more"', "*", " * "):
                    again = await deployment.ask(
                        "/visit/", [*asked, (b"if-none-match", value.encode())], method=method
                    )
                    assert (again.status, again.body) == (304, b"")
                    assert again.headers["etag"] == tag
                    for name in ("cache-control", "vary", "surrogate-key"):
                        assert again.headers[name] == answer.headers[name]
                    assert "content-encoding" not in again.headers
                for value in ('"other"', "", tag.strip('"'), f"x{tag[1:]}", tag[:-3] + '"'):
                    again = await deployment.ask(
                        "/visit/", [*asked, (b"if-none-match", value.encode())], method=method
                    )
                    assert again.status == 200
        assert len(set(tags.values())) == 3
        for encoding, tag in tags.items():
            for other in tags.keys() - {encoding}:
                asked = [HOST, (b"accept-encoding", other.encode())]
                answer = await deployment.ask("/visit/", [*asked, (b"if-none-match", tag.encode())])
                assert answer.status == 200

    deployments(scenario)


def test_what_is_no_page_is_never_304(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path, status in {"/nothing/": 404, "/visit": 308}.items():
            answer = await deployment.ask(path, [HOST, (b"if-none-match", b"*")])
            assert answer.status == status
            assert "etag" not in answer.headers

    deployments(scenario)


def test_a_page_says_how_long_a_cdn_may_keep_it_and_by_which_keys_it_goes(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.do("pages.show", path="/visit/")
        tenant = deployment.scope().tenant
        answer = await deployment.get("/visit/")
        assert answer.headers["cache-control"] == (
            "public, max-age=0, must-revalidate, s-maxage=77"
        )
        keys = answer.headers["surrogate-key"].split()
        assert f"tenant-{tenant.tenant_id}" in keys
        assert f"page-{page.id.hex}" in keys
        assert [key for key in keys if key.startswith("site-")]
        assert answer.headers["content-language"] == "en"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "connect-src 'self'" in answer.headers["content-security-policy"], "for robots.txt"
        assert "set-cookie" not in answer.headers

    deployments(scenario, serve={"cdn_seconds": 77})


# Methods


@pytest.mark.parametrize("path", ["/", "/visit/", "/visit", "/nothing/", "/-/ready"])
def test_head_says_what_get_says_and_sends_no_body(deployments: Deployments, path: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        for order in (("HEAD", "GET"), ("GET", "HEAD")):
            answers = {method: await deployment.ask(path, method=method) for method in order}
            head, get = answers["HEAD"], answers["GET"]
            assert (head.status, head.headers) == (get.status, get.headers)
            assert head.body == b""
            assert int(head.headers["content-length"]) == len(get.body)

    deployments(scenario)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_get_405_before_their_body_is_read(
    deployments: Deployments, method: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path in ("/", "/nothing/", "/-/ready"):
            chunks = (b"x" * 100_000 for _ in range(100))
            answer = await deployment.ask(path, method=method, chunks=chunks)
            assert answer.status == 405
            assert answer.headers["allow"] == "GET, HEAD"
            assert answer.received == 0
        assert "This is the text" in (await deployment.get("/")).text

    deployments(scenario)


def test_ready_is_answered_for_any_host_and_no_host(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for headers in ([HOST], [(b"host", b"10.0.0.7:8000")], []):
            answer = await deployment.ask("/-/ready", headers)
            assert (answer.status, answer.text) == (200, "ready\n")
            assert answer.headers["cache-control"] == "no-store"

    deployments(scenario)


# Two processes


def test_a_write_here_is_seen_there_within_the_freshness(deployments: Deployments) -> None:
    async def scenario(here: Deployment) -> None:
        async with opened(deployments.root) as there:
            await there.get("/visit/")
            for n in range(3):
                await here.do("pages.edit", path="/visit/", body=f"State {n}.")
                await here.do("pages.publish", path="/visit/")
                assert f"State {n}." in (await here.get("/visit/")).text
                await asyncio.sleep(0.25)
                await there.get("/", "bread.mosaic.test")  # what is news of one is none of another
                assert f"State {n}." in (await there.get("/visit/")).text
            await here.rule("tenants.create", slug="fresh", name="Fresh", tier="open")
            await asyncio.sleep(0.25)
            assert "Fresh" in (await there.get("/", "fresh.mosaic.test")).text

    deployments(scenario)
