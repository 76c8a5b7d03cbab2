"""Addresses within a site: one form each, and redirects that lead nowhere else."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mosaic_cms.content.models import MAX_PATH
from mosaic_cms.content.paths import check_slug, join, normalise_path
from mosaic_core.errors import InvalidInput
from tests.cms.deployment import Deployment, Deployments

HOST = (b"host", b"aurora.mosaic.test")

pieces = st.sampled_from(
    ["/", "//", ".", "..", "a", "é", "e\u0301", "\u212b", "%2f", "\\", "\0", "\x7f", "\ud800", " "]
)
paths = st.one_of(
    st.text(max_size=60),
    st.lists(pieces, max_size=30).map("".join).map("/".__add__),
    st.integers(1980, 2010).map(lambda n: "/" + "a" * n),
    st.integers(490, 505).map(lambda n: "/" + "é/" * (n // 2) + "b" * (n % 2)),
)


@settings(deadline=None, max_examples=300)
@given(path=paths)
@example("/" + "a" * 1999)
@example("/" + "a" * 498)
@example("/" + "a" * 499)
@example("/" + "\u1e69" * 497)
@example("/" + "\U0001d160" * 200)
def test_a_paths_form_is_a_fixed_point_and_stays_below_the_root(path: str) -> None:
    form = normalise_path(path)
    if form is None:
        return
    assert normalise_path(form) == form
    assert form == unicodedata.normalize("NFC", form)
    assert form.startswith("/")
    assert form.endswith("/")
    assert "//" not in form
    assert len(form) <= MAX_PATH
    assert not {".", ".."} & set(form.split("/"))
    assert not any(ord(c) < 0x20 or ord(c) == 0x7F or 0xD800 <= ord(c) < 0xE000 for c in form)
    assert urljoin("https://a.test/", quote(form)).startswith("https://a.test/")


@settings(deadline=None, max_examples=300)
@given(path=st.lists(st.sampled_from(["a", "bc", "é", "x-1", "~"]), max_size=6), data=st.data())
def test_writings_of_one_path_have_one_form(path: list[str], data: st.DataObject) -> None:
    form = "/" + "".join(f"{segment}/" for segment in path)
    slashes = st.integers(1, 3).map("/".__mul__)
    written = "".join(data.draw(slashes) + segment for segment in path) + data.draw(slashes)
    if data.draw(st.booleans()) and path:
        written = written.rstrip("/")
    if data.draw(st.booleans()):
        written = unicodedata.normalize("NFD", written)
    assert normalise_path(written) == form


@settings(deadline=None, max_examples=300)
@given(slug=st.one_of(st.text(max_size=30), st.lists(pieces, max_size=6).map("".join)))
def test_an_accepted_slug_makes_an_address_in_its_one_form(slug: str) -> None:
    try:
        accepted = check_slug(slug)
    except InvalidInput:
        return
    assert check_slug(accepted) == accepted
    path = join("/above/", accepted)
    assert normalise_path(path) == path
    assert path.startswith("/above/")
    assert "-" not in path.split("/")
    assert not set(path) & set("\\?#%<>\"'{}|^`\0 ") - {"'"}


@pytest.mark.parametrize(
    "slug",
    [
        *(".", "..", "a/../b", "a/./b", "a//b", "-", "a/-"),
        *("a b", "a\u00a0b", "a\tb", "\u200b", "a\u202eb", "\ud800"),
        *("a?b", "a#b", "50%", "a\\b", "<a>"),
    ],
)
def test_what_cannot_stand_in_an_address_is_no_slug(slug: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a page's slug"):
        check_slug(slug)


@pytest.mark.parametrize(
    ("slug", "form"),
    [
        ("", ""),
        ("/visit/", "visit"),
        ("Öffnungszeiten", "Öffnungszeiten"),
        ("e\u0301", "é"),
        ("a/b", "a/b"),
        ("2024-05", "2024-05"),
        ("وقت", "وقت"),
    ],
)
def test_slugs_of_every_language_are_taken(slug: str, form: str) -> None:
    assert check_slug(slug) == form


def test_an_address_longer_than_its_column_is_refused() -> None:
    assert len(join("/", "a" * (MAX_PATH - 2))) == MAX_PATH
    with pytest.raises(InvalidInput, match=f"{MAX_PATH} fit"):
        join("/", "a" * (MAX_PATH - 1))


# Asked from outside


@pytest.mark.parametrize(
    ("asked", "status", "location"),
    [
        ("/visit/", 200, None),
        ("/visit", 308, "/visit/"),
        ("/visit?a=1&b=%20", 308, "/visit/?a=1&b=%20"),
        ("//visit//", 308, "/visit/"),
        ("/visit/hours", 308, "/visit/hours/"),
        ("/visit%2Fhours/", 200, None),
        ("/visit%2Fhours", 308, "/visit/hours/"),
        ("/visit/%2e%2e/visit/", 404, None),
        ("/%2e/", 404, None),
        ("/..%2f..%2fetc/passwd", 404, None),
        ("/visit/%00", 404, None),
        ("/visit%0d%0aset-cookie:a=b", 404, None),
        ("/VISIT/", 404, None),
        ("/%ff", 404, None),
        ("/caf%C3%A9/", 200, None),
        ("/caf%C3%A9", 308, "/caf%C3%A9/"),
        ("/cafe%CC%81/", 308, "/caf%C3%A9/"),
        ("/cafe%CC%81?q=%C3%A9", 308, "/caf%C3%A9/?q=%C3%A9"),
        ("/" + "a" * 3000, 404, None),
        ("/visit" + "/" * 1995, 404, None),
        ("/" + "%C3%A9" * 3000, 404, None),
        ("/" + "a/" * 700, 404, None),
        ("/-/", 404, None),
        ("/-/assets/../../theme.toml", 404, None),
    ],
)
def test_every_address_gets_its_page_its_one_form_or_404(
    deployments: Deployments, asked: str, status: int, location: str | None
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/café/")
        for method in ("GET", "HEAD"):
            answer = await deployment.client.send(
                deployment.client.build_request(method, f"http://aurora.mosaic.test{asked}")
            )
            assert answer.status_code == status
            assert answer.headers.get("location") == location

    deployments(scenario)


REDIRECTS = {
    "/old/": "/visit/",
    "/shop": "https://shop.example/Öl?from=1#top",
    "/hours/": "/visit/hours/#sunday",
    "/search/": "/news/?tag=glass",
    "/älter/": "/visit",
    "/visit/": "/news/",
}


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/old/", "/visit/"),
        ("/old", "/visit/"),
        ("/old?x=1", "/visit/?x=1"),
        ("/shop/", "https://shop.example/%C3%96l?from=1#top"),
        ("/shop?x=1", "https://shop.example/%C3%96l?from=1#top"),
        ("/hours/", "/visit/hours/#sunday"),
        ("/hours/?x=1", "/visit/hours/?x=1#sunday"),
        ("/search/", "/news/?tag=glass"),
        ("/%C3%A4lter", "/visit/"),
        ("/a%CC%88lter", "/visit/"),
    ],
)
def test_old_addresses_lead_on_for_good(
    deployments: Deployments, asked: str, location: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        rules = [{"source": source, "target": target} for source, target in REDIRECTS.items()]
        await deployment.do("sites.configure", redirects=rules)
        answer = await deployment.get(asked)
        assert (answer.status_code, answer.headers["location"]) == (301, location)
        assert "s-maxage=60" in answer.headers["cache-control"]
        assert (await deployment.get("/visit/")).status_code == 200  # a page comes first
        assert (await deployment.get("/old/", "bread.mosaic.test")).status_code == 404

    deployments(scenario)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("/a/", "//evil.example/"),
        ("/a/", "/\\evil.example/"),
        ("/a/", "\\\\evil.example/"),
        ("/a/", "javascript:alert(1)"),
        ("/a/", "data:text/html,x"),
        ("/a/", "ftp://evil.example/"),
        ("/a/", "https://x.example/\r\nset-cookie: a=b"),
        ("/a/", "/b/\r\nset-cookie: a=b"),
        ("/a/", "/b\x00"),
        ("/a/", "/b /"),
        ("/a/", "b"),
        ("/a/", "/../b"),
        ("/a/", "?b"),
        ("/a/", "/a"),
        ("/a/", "https://x.example/" + "a" * 2000),
        ("/", "/b/"),
        ("a", "/b/"),
        ("/a\n", "/b/"),
        ("/../a", "/b/"),
        ("/" + "a" * 600, "/b/"),
    ],
)
def test_a_redirect_that_leads_astray_is_refused(
    deployments: Deployments, source: str, target: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput):
            await deployment.do("sites.configure", redirects=[{"source": source, "target": target}])
        assert (await deployment.get("/a/")).status_code == 404

    deployments(scenario)


def test_redirects_stay_until_they_are_taken_away(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def set_to(target: str) -> None:
            rule = {"source": "/old", "target": target}
            await deployment.do("sites.configure", redirects=[rule])

        await set_to("/visit/")
        await deployment.do("sites.configure", redirects=[{"source": "/more", "target": "/news"}])
        for target in ("/visit/", "/news/"):
            await set_to(target)
            assert (await deployment.get("/old/")).headers["location"] == target
            assert (await deployment.get("/more/")).headers["location"] == "/news/"
        await set_to("")
        await set_to("")
        assert (await deployment.get("/old/")).status_code == 404
        assert (await deployment.get("/more/")).status_code == 301

    deployments(scenario)


hostile = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["/", "//", "\\", "visit", "evil.example", "@", ":", "\r\n", "é", ".", "%"]
        ),
        max_size=8,
    ).map("".join),
)


def no_answer_leads_away(deployments: Deployments, examples: int) -> None:
    with deployments.held() as (deployment, runner):

        @settings(max_examples=examples, deadline=None)
        @given(path=hostile.map("/".__add__), query=hostile)
        def search(path: str, query: str) -> None:
            asked = query.encode("utf-8", "surrogatepass")
            answer = runner.run(deployment.ask(path, [HOST], query=asked))
            assert answer.status in {200, 308, 404}
            location = answer.headers.get("location")
            assert (location is not None) == (answer.status == 308)
            if location is not None:
                assert location.isascii()
                assert location.isprintable()
                target = urlsplit(urljoin("http://aurora.mosaic.test/", location))
                assert target.netloc == "aurora.mosaic.test"
                assert not location.startswith(("//", "/\\"))

        search()


def test_no_redirect_leads_to_another_host(deployments: Deployments) -> None:
    no_answer_leads_away(deployments, 150)


@pytest.mark.campaign
def test_no_redirect_leads_to_another_host_in_the_long_run(deployments: Deployments) -> None:
    no_answer_leads_away(deployments, 5000)
