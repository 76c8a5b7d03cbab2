"""Whose site a request gets: by its Host header and nothing else."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.web import hosts as web_hosts
from mosaic_core.errors import InvalidHost, TenantReadOnly
from mosaic_core.resolution import normalise_host
from mosaic_core.tenants import TenantStatus
from tests.cms.deployment import (
    DOMAINS,
    TENANTS,
    Answer,
    Deployment,
    Deployments,
    make_deployment,
    opened,
)

#: What of a text says whose page it is.
OWNER = re.compile(r"This is the text of \S+ at (\w+)\.")


def owner(answer: Answer) -> str | None:
    found = OWNER.search(answer.text)
    return found[1] if found else None


def host(name: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", name.encode())]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aurora.mosaic.test", "aurora"),
        ("bread.mosaic.test:8000", "bread"),
        ("AURORA.Mosaic.TEST", "aurora"),
        ("aurora.mosaic.test.", "aurora"),
        ("Steel.mosaic.test.:443", "steel"),
        ("museum.example", "aurora"),
        ("MUSEUM.example.:81", "aurora"),
        ("bücher.example", "aurora"),
        ("BÜCHER.example:8000", "aurora"),
        ("xn--bcher-kva.example", "aurora"),
        ("[2001:db8::7]", "bread"),
        ("[2001:0DB8:0::7]:8080", "bread"),
    ],
)
def test_a_host_leads_to_its_tenant_however_it_is_written(
    deployments: Deployments, name: str, expected: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for _ in range(3):  # cold, kept, and from the short way
            answer = await deployment.ask("/", host(name))
            assert (answer.status, owner(answer)) == (200, expected)

    deployments(scenario)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"")],
        [(b"host", b"aurora.mosaic.test\x00")],
        [(b"host", b"aurora.mosaic.test\r\nx-evil: 1")],
        [(b"host", b"aurora .mosaic.test")],
        [(b"host", b"\x7f")],
        [(b"host", b"aurora.mosaic.test:80:80")],
        [(b"host", b"aurora..mosaic.test")],
        [(b"host", b"aurora.mosaic.test/../bread")],
        [(b"host", b"user@aurora.mosaic.test")],
        [(b"host", b"\xff\xfe.test")],
        [(b"host", b"[::1")],
        [(b"host", b"[fe80::1%eth0]")],
        [(b"host", b"a" * 300)],
        [(b"host", b"aurora.mosaic.test"), (b"host", b"bread.mosaic.test")],
        [(b"host", b"aurora.mosaic.test"), (b"host", b"aurora.mosaic.test")],
    ],
)
def test_what_is_no_host_gets_400_and_no_tenants_name(
    deployments: Deployments, headers: list[tuple[bytes, bytes]]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.ask("/")  # the page is cached, and even so
        answer = await deployment.ask("/", headers)
        assert answer.status == 400
        assert owner(answer) is None
        assert "could not be read" in answer.text
        assert "x-evil" not in answer.headers

    deployments(scenario)


@pytest.mark.parametrize(
    "name", ["nobody.mosaic.test", "mosaic.test", "a.aurora.mosaic.test", "museum.example.org"]
)
def test_an_unknown_host_gets_404_in_the_platforms_own_page(
    deployments: Deployments, name: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        answer = await deployment.ask("/visit/", host(name))
        assert answer.status == 404
        assert answer.headers["cache-control"] == "no-store"
        assert "No site lives at this address" in answer.text
        assert f"<code>{name}</code>" in answer.text
        assert "Tiles &amp; Sons" in answer.text
        rest = answer.text.replace(name, "").lower()
        assert not [slug for slug in TENANTS if slug in rest]

    deployments(scenario, platform={"name": "Tiles & Sons"})


def test_a_proxys_word_counts_only_when_it_is_configured(deployments: Deployments) -> None:
    headers = [(b"host", b"aurora.mosaic.test"), (b"x-forwarded-host", b"bread.mosaic.test")]

    async def trusting(deployment: Deployment) -> None:
        for _ in range(2):
            assert owner(await deployment.ask("/", headers, peer="10.1.2.3")) == "bread"
            assert owner(await deployment.ask("/", headers, peer="fd00::5")) == "bread"
            for peer in ("192.0.2.1", None, "unix:", "11.1.2.3"):
                assert owner(await deployment.ask("/", headers, peer=peer)) == "aurora"
        unknown = [headers[0], (b"x-forwarded-host", b"gone.example")]
        answer = await deployment.ask("/", unknown, peer="10.1.2.3")
        assert (answer.status, "gone.example" in answer.text) == (404, True)
        bad = [headers[0], (b"x-forwarded-host", b"\x01")]
        assert (await deployment.ask("/", bad, peer="10.1.2.3")).status == 400

    async def wary(deployment: Deployment) -> None:
        for _ in range(2):
            assert owner(await deployment.ask("/", headers, peer="10.1.2.3")) == "aurora"

    deployments(trusting, platform={"proxies": ["10.0.0.0/8", "fd00::/8"]})
    deployments(wary)


def test_who_comes_by_https_comes_by_nothing_else_afterwards(deployments: Deployments) -> None:
    name = "strict-transport-security"
    plain: list[tuple[bytes, bytes]] = [(b"host", b"aurora.mosaic.test")]

    async def behind_a_proxy(deployment: Deployment) -> None:
        safe = [*plain, (b"x-forwarded-proto", b"https")]
        for path in ("/", "/", "/no/such/page/"):
            assert name in (await deployment.ask(path, safe, peer="10.1.2.3")).headers
            assert name not in (await deployment.ask(path, safe)).headers, "no proxy said so"

    async def itself(deployment: Deployment) -> None:
        transport = httpx.ASGITransport(deployment.app)
        async with httpx.AsyncClient(transport=transport) as client:
            for path in ("/", "/", "/no/such/page/"):  # cold, kept, and none
                for scheme in ("http", "https"):
                    answer = await client.get(f"{scheme}://aurora.mosaic.test{path}")
                    assert (name in answer.headers) == (scheme == "https")

    deployments(behind_a_proxy, platform={"proxies": ["10.0.0.0/8"]})
    deployments(itself)


def test_a_closed_tenant_answers_503_with_its_reason(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert (await deployment.ask("/")).status == 200
        await deployment.rule(
            "tenants.suspend", slug="aurora", status="closed", reason="We <moved> house."
        )
        for path in ("/", "/", "/visit/", "/nothing/", "/-/media/x/y"):
            answer = await deployment.ask(path)
            assert answer.status == 503
            assert "We &lt;moved&gt; house." in answer.text
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["cache-control"] == "no-store"
            assert owner(answer) is None
        assert (await deployment.ask("/", host("bread.mosaic.test"))).status == 200
        assert (await deployment.ask("/", host("museum.example"))).status == 503
        await deployment.rule("tenants.resume", slug="aurora")
        assert owner(await deployment.ask("/")) == "aurora"

    deployments(scenario)


def test_a_read_only_tenant_is_read_and_takes_no_writes(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.suspend", slug="aurora", reason="The bill.")
        assert owner(await deployment.ask("/")) == "aurora"
        assert (await deployment.do("pages.show", path="/")).title == "Aurora"
        for name, command in {
            "pages.edit": {"path": "/", "title": "New"},
            "pages.publish": {"path": "/"},
            "sites.configure": {"title": "New"},
        }.items():
            with pytest.raises(TenantReadOnly, match="The bill"):
                await deployment.do(name, **command)
        await deployment.do("pages.edit", "bread", path="/", title="Bread and more")

    deployments(scenario)


def test_a_suspension_reaches_another_process_within_its_freshness(
    deployments: Deployments,
) -> None:
    async def scenario(here: Deployment) -> None:
        async with opened(deployments.root) as there:
            for each in (here, there):
                assert (await each.ask("/")).status == 200
            await here.rule("tenants.suspend", slug="aurora", status="closed")
            assert (await here.ask("/")).status == 503
            await asyncio.sleep(0.25)
            assert (await there.ask("/")).status == 503
            await there.rule("tenants.resume", slug="aurora")
            assert (await there.ask("/")).status == 200
            await asyncio.sleep(0.25)
            assert (await here.ask("/")).status == 200
            assert here.scope().tenant.status is TenantStatus.ACTIVE

    deployments(scenario)


def model(name: str) -> str | int:
    """Who is meant by a host, said in another way: the slug, or the status of a refusal."""
    try:
        normal = normalise_host(name)
    except InvalidHost:
        return 400
    known = {f"{slug}.mosaic.test": slug for slug in TENANTS}
    for slug, domains in DOMAINS.items():
        known |= {normalise_host(domain): slug for domain in domains}
    return known.get(normal, 404)


PIECES = ["aurora", "bread", "steel", "mosaic", "test", "museum", "example", "bücher", "BREAD"]
hosts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from([*PIECES, "xn--bcher-kva", "", "-", "É"]), max_size=4).map(".".join),
    st.sampled_from([f"{slug}.mosaic.test" for slug in TENANTS]),
    st.sampled_from([domain for domains in DOMAINS.values() for domain in domains]),
)
endings = st.sampled_from(["", ".", ":80", ".:443", ":", ":x", "..", " ", ":80:80"])


def nobody_gets_anothers_page(deployments: Deployments, examples: int) -> None:
    with deployments.held() as (deployment, runner):

        async def ask(names: list[str]) -> None:
            for name in names:
                raw = name.encode("utf-8", "surrogatepass")
                answer = await deployment.ask("/", [(b"host", raw)])
                expected = model(raw.decode("utf-8", "surrogateescape"))
                got = owner(answer) if answer.status == 200 else answer.status
                assert got == expected, name

        @settings(max_examples=examples, deadline=None)
        @given(names=st.lists(st.tuples(hosts, endings).map("".join), min_size=1, max_size=25))
        def search(names: list[str]) -> None:
            runner.run(ask(names))

        search()


def test_nobody_gets_another_tenants_page(deployments: Deployments) -> None:
    nobody_gets_anothers_page(deployments, 60)


@pytest.mark.campaign
def test_nobody_gets_another_tenants_page_in_the_long_run(deployments: Deployments) -> None:
    nobody_gets_anothers_page(deployments, 3000)


def test_ways_to_write_a_host_are_remembered_up_to_a_number(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor could invent any number of them, and each is another Host header."""
    monkeypatch.setattr(web_hosts, "_MOST", 50)

    async def scenario(deployment: Deployment) -> None:
        known = web_hosts.Hosts(deployment.product.platform)
        for port in range(1, 400):
            slug = ("aurora", "bread")[port % 2]
            found = known.find(f"{slug}.mosaic.test:{port}".encode(), "http")
            assert found.tenant.slug == slug
            assert len(known._known) <= 50

    deployments(scenario)


def test_a_port_that_a_visitor_invents_is_no_part_of_an_address(tmp_path: Path) -> None:
    """Nor of a key in the page cache, where each would be another page."""

    async def main() -> None:
        await make_deployment(tmp_path)
        async with opened(tmp_path, serve={"port": 8000, "public_ports": [8443]}) as deployment:
            for port, shown in (("8000", ":8000"), ("8443", ":8443"), ("80", ""), ("8444", "")):
                text = (await deployment.get("/visit/", f"museum.example:{port}")).text
                assert f'<link rel="canonical" href="http://museum.example{shown}/visit/">' in text
            before = len(deployment.app.cache)
            for port in (1, 99_999, 123_456_789):
                await deployment.get("/visit/", f"museum.example:{port}")
            assert len(deployment.app.cache) == before

    asyncio.run(main())
