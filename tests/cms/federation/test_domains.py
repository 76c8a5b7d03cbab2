"""A domain is a tenant's when its records say so; then it leads to a site, and lets people in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mosaic_cms.identity.federation_tables import DomainProof, TenantIssuer
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import Write
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import OPERATOR, Deployment, Deployments
from tests.name_server import NameServer

SHOP = "shop.example"


@pytest.fixture
def dns() -> Iterator[NameServer]:
    with NameServer() as found:
        yield found


Run = Callable[[Callable[[Deployment], Awaitable[Any]]], Any]


@pytest.fixture
def run(deployments: Deployments, dns: NameServer) -> Run:
    """Runs a scenario in a deployment that asks the name server."""
    return lambda scenario: deployments(scenario, platform={"nameservers": [dns.address]})


async def added(
    deployment: Deployment, domain: str = SHOP, slug: str = "aurora", /, **to: Any
) -> Any:
    return await deployment.do("domains.add", slug, domain=domain, **to)


def test_a_domain_leads_to_a_site_once_its_record_is_there(run: Run, dns: NameServer) -> None:
    async def scenario(deployment: Deployment) -> None:
        view = await added(deployment, "WWW.Bücher-Shop.Example.")
        domain = "www.xn--bcher-shop-9db.example"
        assert (view.domain, view.proven_at, view.leads) == (domain, None, False)
        assert view.record.name == f"_mosaic-challenge.{domain}"
        with pytest.raises(Conflict, match="says nothing"):
            await deployment.do("domains.verify", domain=domain)
        dns.texts[view.record.name] = ["v=spf1 -all", "another"]
        with pytest.raises(Conflict, match="says 2 others"):
            await deployment.do("domains.verify", domain=domain)
        assert (await deployment.get("/", host=domain)).status_code == 404
        dns.proves(view.record)
        view = await deployment.do("domains.verify", domain=domain)
        assert view.leads
        assert view.proven_at is not None
        assert (await deployment.get("/", host=domain)).status_code == 200
        assert (await deployment.do("domains.verify", domain=domain)).proven_at == view.proven_at
        await added(deployment, domain, serves=False)
        assert (await deployment.get("/", host=domain)).status_code == 200, "until it is proven so"
        assert not (await deployment.do("domains.verify", domain=domain)).leads
        assert (await deployment.get("/", host=domain)).status_code == 404
        await deployment.do("domains.remove", domain="www.bücher-shop.example")
        assert (await deployment.get("/", host=domain)).status_code == 404
        with pytest.raises(NotFound, match="none of this tenant's"):
            await deployment.do("domains.verify", domain=domain)
        again = await added(deployment, domain)
        assert again.record.value != view.record.value, "an old record proves nothing new"

    run(scenario)


def test_a_domain_leads_to_the_site_that_was_named(run: Run, dns: NameServer) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.create", key="shop", title="The shop")
        with pytest.raises(InvalidInput, match="no site 'shoe'"):
            await added(deployment, SHOP, site="shoe")
        dns.proves((await added(deployment, SHOP, site="shop")).record)
        await deployment.do("domains.verify", domain=SHOP)
        assert "The shop" in (await deployment.get("/", host=SHOP)).text
        await deployment.do("sites.delete", site="shop")
        assert (await deployment.get("/", host=SHOP)).status_code == 404
        assert SHOP not in [view.domain for view in await deployment.do("domains.list")]

    run(scenario)


def test_what_the_tenants_issuer_relies_on_is_proven_whatever_becomes_of_the_site(
    run: Run, dns: NameServer
) -> None:
    async def scenario(deployment: Deployment) -> None:
        identity, tenant = deployment.product.identity, deployment.scope().tenant.tenant_id
        await deployment.do("sites.create", key="shop", title="The shop")
        dns.proves((await added(deployment, SHOP, site="shop")).record)
        await deployment.do("domains.verify", domain=SHOP)

        async def relies(write: Write) -> None:
            issuer = TenantIssuer(tenant_id=tenant, title="", issuer="x", client_id="x")
            issuer.secret, issuer.domains, issuer.changed_at = None, [SHOP], write.at
            write.session.add(issuer)

        await identity.store.write(relies, actor=str(OPERATOR), action="test")
        await deployment.do("sites.delete", site="shop")
        assert (await deployment.get("/", host=SHOP)).status_code == 404
        (left,) = [view for view in await deployment.do("domains.list") if view.domain == SHOP]
        assert (left.serves, left.site, left.leads) == (False, None, False)
        assert await identity.domains.covers(tenant, SHOP, [SHOP])
        await deployment.do("sites.create", key="shop", title="Another")
        assert (await deployment.get("/", host=SHOP)).status_code == 404, "it inherits nothing"

    run(scenario)


def test_what_another_tenant_has_is_refused_without_saying_who(run: Run, dns: NameServer) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(Conflict) as caught:
            await added(deployment, "museum.example", "bread")
        assert "aurora" not in str(caught.value).lower()
        views = [await added(deployment, SHOP, slug) for slug in ("aurora", "bread")]
        assert views[0].record.value != views[1].record.value
        for view in views:  # both can set a record: who is first has it
            dns.proves(view.record)
        await deployment.do("domains.verify", "bread", domain=SHOP)
        with pytest.raises(Conflict, match="in use"):
            await deployment.do("domains.verify", domain=SHOP)
        assert "at bread" in (await deployment.get("/", host=SHOP)).text
        await deployment.do("domains.remove", domain=SHOP)  # of its own word for it
        assert (await deployment.get("/", host=SHOP)).status_code == 200
        await deployment.do("domains.remove", "bread", domain=SHOP)
        dns.proves((await added(deployment)).record)
        assert (await deployment.do("domains.verify", domain=SHOP)).leads

    run(scenario)


def test_of_two_that_prove_a_domain_at_one_time_one_has_it(run: Run, dns: NameServer) -> None:
    async def scenario(deployment: Deployment) -> None:
        slugs = ("aurora", "bread")
        for slug in slugs:
            dns.proves((await added(deployment, SHOP, slug)).record)
        outcomes = await asyncio.gather(
            *(deployment.do("domains.verify", slug, domain=SHOP) for slug in slugs),
            return_exceptions=True,
        )
        assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True]

    run(scenario)


NO_DOMAINS = (
    *("", "localhost", "127.0.0.1", "[::1]", "shop.example:8000", "http://shop.example"),
    *("shop example", "*.shop.example", "-shop.example", "shop-.example", "_dmarc.shop.example"),
    *("shop..example", "x" * 64 + ".example", "a." * 120 + "example", "shop.example/path"),
    *("shop.123", "\ud800.example", "shop\n.example", "@shop.example"),
)


def test_what_is_no_domain_is_refused(run: Run) -> None:
    async def scenario(deployment: Deployment) -> None:
        for domain in NO_DOMAINS:
            for action in ("domains.add", "domains.verify", "domains.remove"):
                with pytest.raises(InvalidInput):
                    await deployment.do(action, domain=domain)

    run(scenario)


def test_the_platforms_own_domain_is_nobodys_and_a_tier_may_have_none(run: Run) -> None:
    async def scenario(deployment: Deployment) -> None:
        for domain in ("mosaic.test", "bread.mosaic.test", "a.b.MOSAIC.test."):
            with pytest.raises(Conflict, match="platform's own"):
                await added(deployment, domain)
        with pytest.raises(Conflict, match="free tier has no custom domains"):
            await added(deployment, SHOP, "steel")
        with pytest.raises(Conflict, match="free tier"):
            await added(deployment, SHOP, "steel", serves=False)

    run(scenario)


def test_a_name_server_that_does_not_know_proves_nothing(run: Run, dns: NameServer) -> None:
    async def scenario(deployment: Deployment) -> None:
        dns.proves((await added(deployment)).record)
        dns.broken = True
        with pytest.raises(Conflict, match="cannot be read now"):
            await deployment.do("domains.verify", domain=SHOP)
        assert (await deployment.get("/", host=SHOP)).status_code == 404

    run(scenario)


def test_a_proof_lets_an_issuer_vouch_as_long_as_the_record_is_there(
    run: Run, dns: NameServer
) -> None:
    async def scenario(deployment: Deployment) -> None:
        identity, tenant = deployment.product.identity, deployment.scope().tenant.tenant_id
        view = await added(deployment, SHOP, serves=False)
        assert not await identity.domains.covers(tenant, SHOP, [SHOP])
        dns.proves(view.record)
        proven = await deployment.do("domains.verify", domain=SHOP)
        assert not proven.leads, "it is for addresses alone"
        assert (await deployment.get("/", host=SHOP)).status_code == 404
        for host, covered in {SHOP: True, f"mail.{SHOP}": True, f"evil{SHOP}": False}.items():
            assert await identity.domains.covers(tenant, host, [SHOP]) == covered
        assert not await identity.domains.covers(tenant, SHOP, [])
        other = deployment.scope("bread").tenant.tenant_id
        assert not await identity.domains.covers(other, SHOP, [SHOP])

        asked = len(dns.asked)
        await _last_seen(deployment, timedelta(hours=23))
        assert await identity.domains.covers(tenant, SHOP, [SHOP])
        assert len(dns.asked) == asked
        await _last_seen(deployment, timedelta(hours=25))
        dns.broken = True
        with pytest.raises(Conflict, match="cannot be read now"):
            await identity.domains.covers(tenant, SHOP, [SHOP])
        dns.broken = False
        assert await identity.domains.covers(tenant, SHOP, [SHOP])
        await _last_seen(deployment, timedelta(hours=25))
        dns.texts.clear()
        assert not await identity.domains.covers(tenant, SHOP, [SHOP])
        (shown,) = [v for v in await deployment.do("domains.list") if v.domain == SHOP]
        assert shown.proven_at is None

    run(scenario)


async def _last_seen(deployment: Deployment, ago: timedelta) -> None:
    async def fn(write: Write) -> None:
        row = await write.session.get_one(DomainProof, (deployment.scope().tenant.tenant_id, SHOP))
        row.seen_at = write.at - ago

    await deployment.product.identity.store.write(fn, actor=str(OPERATOR), action="test")


def test_the_audit_log_of_the_tenant_has_what_became_of_its_domains(
    run: Run, dns: NameServer
) -> None:
    async def scenario(deployment: Deployment) -> None:
        dns.proves((await added(deployment)).record)
        await deployment.do("domains.verify", domain=SHOP)
        await deployment.do("domains.remove", domain=SHOP)
        entries = await deployment.do("audit.list")
        actions = [entry.action for entry in entries if entry.action.startswith("domains.")]
        assert sorted(actions) == ["domains.add", "domains.remove", "domains.verify"]

    run(scenario)


def test_an_operator_names_proves_and_removes_a_domain(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, dns: NameServer
) -> None:
    command_line(deployments, monkeypatch)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("MOSAIC_PLATFORM__NAMESERVERS", f'["{dns.address}"]')
    said = invoke("domain", "add", SHOP, "-t", "aurora")
    name, kind, value = said.splitlines()[-1].split()
    assert (name, kind) == (f"_mosaic-challenge.{SHOP}", "TXT")
    assert "waits for its record" in invoke("domain", "list", "-t", "aurora")
    assert "is not there" in invoke("domain", "verify", SHOP, "-t", "aurora", code=1)
    dns.texts[name] = [value]
    assert f"{SHOP} is proven and leads to aurora." in invoke(
        "domain", "verify", SHOP, "-t", "aurora"
    )
    listed = invoke("domain", "list", "-t", "aurora")
    assert "proven 2" in listed
    assert "given by operators" in listed
    assert "none of aurora's domains" in invoke("domain", "remove", SHOP, "-t", "aurora")


def test_an_operator_is_told_what_an_issuer_lacks(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    monkeypatch.setenv("MOSAIC_SSO_SECRET", "canary")
    shown = invoke("sso", "show", "-t", "aurora", code=1)
    assert "https://mosaic.test/api/v1/sign-in/sso/aurora/callback" in shown
    given = ("https://x.test", "-t", "aurora", "--client-id", "x", "--domain", "museum.example")
    shown = invoke("sso", "set", *given, code=1)
    assert "museum.example is not proven" in shown
    assert "canary" not in shown
    assert "no issuer of its own" in invoke("sso", "remove", "-t", "aurora", code=1)
