"""A host has one form, and it leads to its own tenant or to nobody."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_core.errors import InvalidHost
from mosaic_core.host_resolvers import CustomDomain, Subdomain
from mosaic_core.resolution import TenantMatch, TenantResolver, normalise_host
from mosaic_core.testing.services import PLATFORM_DOMAIN, MemoryHosts

# What is a host

LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
PORT = st.one_of(st.just(""), st.integers(0, 65535).map(lambda port: f":{port}"))
ADDRESS = st.ip_addresses(v=6)
#: Text that is nearly a host: letters of several scripts, what separates, what must not be there.
NEARLY = st.text(
    alphabet=st.one_of(
        st.sampled_from(string.ascii_letters + string.digits + "-_..::[]%/@ \t\r\n\0\x7f\x85"),
        st.sampled_from("üßÄéçšłñЖшψωאبあア漢字。．｡‍‌­\u202e\u2066\ud800\udfff\u0338٣५ⅷ①K℡"),
        st.characters(),
    ),
    max_size=40,
)


def form_of(raw: str) -> str | None:
    """The host's form, or None for what is none. Whatever else is raised fails the test."""
    try:
        return normalise_host(raw)
    except InvalidHost:
        return None


@given(HOST)
def test_a_plain_host_is_its_own_form(host: str) -> None:
    assert normalise_host(host) == host


@given(st.one_of(NEARLY, st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_anything_is_a_host_of_one_form_or_refused(raw: str) -> None:
    form = form_of(raw)
    if form is not None:
        assert normalise_host(form) == form
        assert form.isascii()
        assert form == form.lower()
        assert len(form) <= 253
        assert form.startswith("[") or all(1 <= len(label) <= 63 for label in form.split("."))
        assert not set(form) & set(" \t\r\n\0/\\@%?#")


@given(st.one_of(HOST, NEARLY.filter(lambda raw: raw[-1:] not in tuple(".。．｡"))), PORT)
def test_port_and_trailing_dot_do_not_count(host: str, port: str) -> None:
    form = form_of(host)
    if form is not None and not host.startswith("[") and ":" not in host:
        assert form_of(f"{host}{port}") == form
        assert form_of(f"{host}.{port}") == form


@given(HOST, st.data())
def test_case_does_not_count(host: str, data: st.DataObject) -> None:
    mixed = "".join(data.draw(st.sampled_from((c.lower(), c.upper()))) for c in host)
    assert normalise_host(mixed) == host


@given(NEARLY)
def test_case_does_not_count_in_any_script(raw: str) -> None:
    upper = raw.upper()
    if upper.lower() == raw:  # ß and its like have no upper case of their own
        assert form_of(upper) == form_of(raw)


@given(ADDRESS, PORT)
def test_an_ipv6_address_has_one_spelling_and_brackets(address: object, port: str) -> None:
    spellings = {str(address), address.exploded, str(address).upper()}  # type: ignore[attr-defined]
    assert {normalise_host(f"[{spelling}]{port}") for spelling in spellings} == {f"[{address}]"}


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("BÜCHER.example.:8000", "xn--bcher-kva.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本語.example", "xn--wgv71a119e.example"),
        ("www.example.com:443", "www.example.com"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::0001]:80", "[::1]"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_a_host_becomes_its_form(raw: str, form: str) -> None:
    assert normalise_host(raw) == form


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "..",
        ":80",
        "a..b",
        "a...",
        "a b",
        " a",
        "a\r\nX-Evil: 1",
        "a\0b",
        "a\x7f",
        "a\x85b",
        "a\u202eb.example",
        "a:80:80",
        "a:",
        "a:port",
        "a:123456",
        "a/b",
        "a@b",
        "http://a",
        "a%00b",
        "*.example.com",
        "-a.example",
        "a-.example",
        "x" * 64,
        ".".join(["x" * 63] * 4),
        "x" * 301,
        "[::1",
        "[::1]x",
        "[::1]:80:80",
        "[1.2.3.4]",
        "[]",
        "[::1%eth0]",
        "[::1%a/b]",
        "::1",
        "xn--a\u0308.example",
        "\ud800.example",
    ],
)
def test_what_is_no_host_is_refused_in_printable_words(raw: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        normalise_host(raw)
    assert str(caught.value).isprintable()
    assert caught.value.status == 400


# Whose host it is

TENANTS = st.sampled_from(["a", "b", "c", "d", "e"])
SLUGS = st.sampled_from(
    ["aurora", "wheatsheaf", "night-shift", "www", "a", "mosaic", "xn--bcher-kva"]
)
DOMAINS = st.sampled_from(
    [
        "aurora.example",
        "www.aurora.example",
        "example",
        f"aurora.{PLATFORM_DOMAIN}",
        PLATFORM_DOMAIN,
        f"x.aurora.{PLATFORM_DOMAIN}",
        "xn--bcher-kva.example",
        "[::1]",
    ]
)
ASKED = st.one_of(
    DOMAINS,
    SLUGS,
    SLUGS.map(lambda slug: f"{slug}.{PLATFORM_DOMAIN}"),
    st.tuples(SLUGS, SLUGS).map(lambda two: f"{two[0]}.{two[1]}.{PLATFORM_DOMAIN}"),
    SLUGS.map(lambda slug: f"{slug}{PLATFORM_DOMAIN}"),
    SLUGS.map(lambda slug: f"{slug}.{PLATFORM_DOMAIN}.evil.example"),
    HOST,
)


def first(resolvers: list[TenantResolver], host: str) -> TenantMatch | None:
    """The first match, as the platform takes it."""
    return next((m for r in resolvers if (m := r.resolve(host)) is not None), None)


@given(
    st.dictionaries(SLUGS, TENANTS),
    st.dictionaries(DOMAINS, st.tuples(TENANTS, st.sampled_from([None, "shop"]))),
    st.lists(ASKED, min_size=1, max_size=20),
    st.booleans(),
)
def test_a_host_leads_to_its_own_tenant_or_to_nobody(
    slugs: dict[str, str],
    domains: dict[str, tuple[str, str | None]],
    asked: list[str],
    custom_first: bool,
) -> None:
    hosts = MemoryHosts(
        {slug: TenantMatch(tenant) for slug, tenant in slugs.items()},
        {host: TenantMatch(*given) for host, given in domains.items()},
    )
    resolvers: list[TenantResolver] = [CustomDomain(hosts), Subdomain(hosts)]
    if not custom_first:
        resolvers.reverse()
    # The model: a table of whole hosts, written out beforehand.
    by_domain = dict(hosts.domains)
    by_slug = {f"{slug}.{PLATFORM_DOMAIN}": match for slug, match in hosts.slugs.items()}
    table = by_slug | by_domain if custom_first else by_domain | by_slug
    for host in asked:
        assert first(resolvers, host) == table.get(host), host


@given(st.dictionaries(SLUGS, TENANTS, min_size=1), st.data())
def test_a_closed_door_stays_closed(slugs: dict[str, str], data: st.DataObject) -> None:
    hosts = MemoryHosts({slug: TenantMatch(tenant) for slug, tenant in slugs.items()})
    resolver = Subdomain(hosts)
    gone = data.draw(st.sampled_from(sorted(slugs)))
    assert resolver.resolve(f"{gone}.{PLATFORM_DOMAIN}") == TenantMatch(slugs[gone])
    del hosts.slugs[gone]
    assert resolver.resolve(f"{gone}.{PLATFORM_DOMAIN}") is None
