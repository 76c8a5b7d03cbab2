"""A browser signs in with a real OpenID provider: the deployment's, and a tenant's own."""

from __future__ import annotations

import html
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest

from mosaic_cms.api.app import Api
from mosaic_cms.api.cookies import AWAY, PENDING, SESSION
from mosaic_cms.cli.issuers import examine_sign_ins
from mosaic_cms.rights import Role
from mosaic_core.errors import Conflict, Denied, InvalidInput, NotFound
from mosaic_core.plugins import Plugins
from tests.api.conftest import SHARED, Service, problem
from tests.cms.access.people import People
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import SHIPPED
from tests.name_server import NameServer
from tests.oidc_provider import (
    CLIENT,
    OTHER_CLIENT,
    OpenIDProvider,
    client,
    query_of,
    returned,
    secret_of,
)

HOME = f"https://{SHARED}"
PATH = "/api/v1/sign-in"
CALLBACKS = (f"{HOME}{PATH}/company/callback", f"{HOME}{PATH}/sso/aurora/callback")


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIDProvider]:
    clients = [
        client(name, [callback])
        for name, callback in zip((CLIENT, OTHER_CLIENT), CALLBACKS, strict=True)
    ]
    with OpenIDProvider(clients).running() as found:
        yield found


@dataclass
class Browser:
    """A browser at the platform's own host, with its cookies."""

    service: Service
    client: httpx.AsyncClient
    issuer: OpenIDProvider

    async def get(self, address: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(address, headers=named)

    async def comes_back(self, way: str = "company", who: str = "ada", query: str = "") -> str:
        """The address with which it comes back from where it was sent."""
        sent = await self.get(f"{HOME}{PATH}/{way}{query}")
        assert sent.status_code == 303, sent.text
        assert sent.headers["cache-control"] == "no-store"
        return await returned(sent.headers["location"], who)

    async def signs_in(
        self, way: str = "company", who: str = "ada", query: str = ""
    ) -> httpx.Response:
        return await self.get(await self.comes_back(way, who, query))

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """What a page that it shows gets of the API."""
        seen = await self.client.get(f"{HOME}/api/v1/account")
        token = {"x-csrf-token": seen.headers.get("x-csrf-token", "")}
        return await self.client.request(method, f"{HOME}/api/v1{path}", headers=token, **given)


Run = Callable[..., None]


@pytest.fixture
def run(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, issuer: OpenIDProvider
) -> Iterator[Run]:
    """Runs a scenario with a browser."""
    way = {"issuer": issuer.issuer, "client_id": CLIENT, "client_secret": secret_of(CLIENT)}
    monkeypatch.setenv("MOSAIC_PLUGINS__IDENTITY_OIDC__WAYS", json.dumps({"company": way}))
    monkeypatch.setenv("MOSAIC_PLUGINS__IDENTITY_OIDC__INTERNAL_ISSUERS", "true")

    with NameServer() as dns:

        def run(scenario: Callable[[Browser, NameServer], Awaitable[Any]], **tables: Any) -> None:
            async def opened(deployment: Deployment) -> None:
                api = Api(deployment.product)
                transport = httpx.ASGITransport(api, raise_app_exceptions=False)
                async with httpx.AsyncClient(transport=transport) as client:
                    await scenario(Browser(Service(deployment, api), client, issuer), dns)

            plugins = Plugins((*SHIPPED, "identity_oidc"))
            platform = {"nameservers": [dns.address]}
            deployments(opened, plugins=plugins, platform=platform, **tables)

        yield run


def test_from_a_link_to_a_session(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        listed = (await browser.get(f"{HOME}{PATH}/providers")).json()["items"]
        address = f"{HOME}{PATH}/company"
        assert listed == [{"name": "company", "title": "Company", "address": address}]
        back = await browser.comes_back(query="?return_to=/account/&remember=true")
        assert AWAY in browser.client.cookies
        signed = await browser.get(back)
        assert (signed.status_code, signed.headers["location"]) == (303, "/account/")
        cookies = signed.headers.get_list("set-cookie")
        (session,) = [cookie for cookie in cookies if cookie.startswith(SESSION)]
        for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age="):
            assert part in session
        assert AWAY not in browser.client.cookies
        shown = (await browser.get(f"{HOME}/api/v1/account")).json()
        assert (shown["email"], shown["verified"]) == ("ada@example.com", True)
        again = await browser.get(back)
        assert problem(again, 401)["detail"].startswith("This sign-in was not begun")

    run(scenario)


def test_a_second_factor_is_asked_for_after_coming_back(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        identity = browser.service.deployment.product.identity
        await browser.signs_in()
        account, _ = await identity.account_admin.find("ada@example.com")
        actor = People(browser.service.deployment)
        actor.ids["ada"] = account.id
        made = await identity.second_factor.begin(account.id, await actor.actor("ada"))
        code = pyotp.TOTP(made.secret).now()
        codes = await identity.second_factor.confirm(account.id, code, await actor.actor("ada"))
        browser.client.cookies.clear()
        half = await browser.signs_in(query="?return_to=/x")
        assert half.headers["location"] == "/account/second-step?return_to=%2Fx"
        assert PENDING in browser.client.cookies
        assert SESSION not in browser.client.cookies
        page = f"{HOME}{half.headers['location']}"
        shown = await browser.get(page)
        assert (shown.status_code, shown.text.count("<form")) == (200, 1)
        problem(await browser.ask("POST", "/sessions/second-step", json={"code": "000000"}), 401)
        sent = {"code": "000 000", "return_to": "/x"}
        wrong = await browser.client.post(f"{HOME}/account/second-step", data=sent)
        assert (wrong.status_code, "This code is wrong" in wrong.text) == (401, True)
        assert "000" not in wrong.text
        whole = await browser.client.post(
            f"{HOME}/account/second-step", data={"code": codes[0], "return_to": "/x"}
        )
        assert (whole.status_code, whole.headers["location"]) == (303, "/x")
        assert SESSION in browser.client.cookies
        assert PENDING not in browser.client.cookies

    run(scenario)


def test_an_account_is_linked_from_within(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        await browser.signs_in()
        refused = await browser.client.post(
            f"{HOME}/api/v1/account/identities", json={"way": "company"}
        )
        problem(refused, 403)  # no page of ours has asked
        sent = await browser.ask("POST", "/account/identities", json={"way": "company"})
        assert sent.status_code == 200, sent.text
        assert sent.json().keys() == {"address"}
        back = await browser.get(await returned(sent.json()["address"], "unverified-ada"))
        assert (back.status_code, back.headers["location"]) == (303, "/")
        links = (await browser.ask("GET", "/account/identities")).json()["items"]
        assert [link["email"] for link in links] == ["ada@example.com", ""]
        gone = await browser.ask("POST", f"/account/identities/{links[0]['id']}/remove", json={})
        assert gone.status_code == 200, gone.text
        browser.client.cookies.clear()
        assert (await browser.signs_in(who="unverified-ada")).status_code == 303

    run(scenario)


def test_what_goes_wrong_is_a_page_for_people_and_a_problem_for_programs(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        back = await browser.comes_back(who="unverified-bob")
        page = await browser.get(back, accept="text/html,*/*")
        assert page.status_code == 403
        assert "Nobody vouches for it that your address is yours." in html.unescape(page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        asked = {
            "/nowhere": 404,
            "/sso/nobody": 404,
            "/company?return_to=//evil.example": 422,
            "/company?strange=1": 422,
            "/company?way=other": 303,
            "/company?return_to=/&return_to=/": 400,
            "/company/callback": 401,
            "/company/callback?code=x&state=y": 401,
            "/company/callback?code=x&code=y": 400,
            f"/company/callback?{'&'.join(f'a{n}=1' for n in range(30))}": 400,
            "/%E2%82/callback": 401,
        }
        browser.client.cookies.clear()
        for path, status in asked.items():
            answer = await browser.get(f"{HOME}{PATH}{path}")
            assert answer.status_code == status, path
            if status >= 400:
                problem(answer, status)
            browser.client.cookies.clear()
        back = await browser.comes_back()
        head = await browser.client.head(back)
        assert head.status_code == 405
        assert (await browser.get(back)).status_code == 303, "a HEAD used nothing up"
        forged = (await browser.comes_back()).replace("iss=http", "iss=https")
        assert problem(await browser.get(forged), 400)["detail"].endswith("another issuer.")

    run(scenario)


def test_people_are_sent_to_the_host_to_which_they_come_back(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        asked = f"https://aurora.mosaic.test{PATH}/company?return_to=/x"
        sent = await browser.get(asked)
        assert sent.headers["location"] == f"{HOME}{PATH}/company?return_to=%2Fx"
        assert "set-cookie" not in sent.headers

    run(scenario)


async def single_sign_on(browser: Browser, dns: NameServer, **given: Any) -> Any:
    """Has aurora's people sign in with the provider, for addresses below example.com."""
    do = browser.service.deployment.do
    dns.proves((await do("domains.add", domain="example.com", serves=False)).record)
    await do("domains.verify", domain="example.com")
    whole = {
        "issuer": browser.issuer.issuer,
        "client_id": OTHER_CLIENT,
        "client_secret": secret_of(OTHER_CLIENT),
        "domains": ["example.com"],
        "title": "Aurora's people",
    }
    return await do("sso.set", **(whole | given))


def test_a_tenants_people_sign_in_with_an_issuer_of_its_own(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        do = browser.service.deployment.do
        view = await single_sign_on(browser, dns)
        assert (view.has_secret, view.callback) == (True, CALLBACKS[1])
        assert secret_of(OTHER_CLIENT) not in repr(view)
        again = await single_sign_on(browser, dns, client_secret=None, title="People")
        assert (again.title, again.has_secret) == ("People", True)
        listed = await browser.get(f"{HOME}{PATH}/providers?tenant=aurora")
        assert [way["name"] for way in listed.json()["items"]] == ["company", "sso/aurora"]
        for nobody in ("bread", "nowhere"):
            ways = await browser.get(f"{HOME}{PATH}/providers?tenant={nobody}")
            assert len(ways.json()["items"]) == 1
        assert (await browser.signs_in("sso/aurora")).status_code == 303
        problem(await browser.signs_in("sso/aurora", "unverified-eve"), 403)
        # Only its own callback takes what it begun.
        back = (await browser.comes_back("sso/aurora")).replace("sso/aurora", "company")
        problem(await browser.get(back), 401)
        dns.texts.clear()
        await do("domains.remove", domain="example.com")
        problem(await browser.signs_in("sso/aurora", "bob"), 403)
        assert (await browser.signs_in("sso/aurora", "ada")).status_code == 303, "she is known"
        problems = await examine_sign_ins(browser.service.deployment.product)
        assert [one.what for one in problems] == [
            "example.com is not proven; its addresses link no account."
        ]
        await do("sso.remove")
        problem(await browser.get(f"{HOME}{PATH}/sso/aurora"), 404)
        with pytest.raises(NotFound, match="redirect address"):
            await do("sso.show")

    run(scenario)


def test_an_issuer_that_a_tenant_brought_gets_no_say_over_other_peoples_accounts(
    run: Run,
) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        deployment = browser.service.deployment
        people = People(deployment)
        await people.add("victim", Role.OWNER)  # victim@example.com
        do = deployment.do
        dns.proves((await do("domains.add", domain="evil.example", serves=False)).record)
        await do("domains.verify", domain="evil.example")
        with pytest.raises(InvalidInput, match=r"example\.com is not proven"):
            await do("sso.set", issuer="https://x.test", client_id="x", domains=["example.com"])
        await do(
            "sso.set",
            issuer=browser.issuer.issuer,
            client_id=OTHER_CLIENT,
            client_secret=secret_of(OTHER_CLIENT),
            domains=["evil.example"],
        )
        problem(await browser.signs_in("sso/aurora", "victim"), 403)
        # Nor when its victim is talked into linking it.
        await browser.signs_in(who="victim")
        sent = await browser.ask("POST", "/account/identities", json={"way": "sso/aurora"})
        back = await browser.get(await returned(sent.json()["address"], "mallory"))
        assert "other addresses" in problem(back, 403)["detail"]
        adam = await people.add("adam", Role.ADMIN)
        assert adam
        with pytest.raises(Denied, match="Owner has it"):
            await people.do("adam", "sso.remove")

    run(scenario)


def test_an_issuer_is_asked_before_it_is_taken_and_a_tier_may_have_none(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        with pytest.raises(InvalidInput, match="calls itself") as caught:
            await single_sign_on(browser, dns, issuer=f"{browser.issuer.issuer}/")
        assert caught.value.problems[0][0] == "issuer"
        for nowhere in ("http://127.0.0.1:1", "https://", "ftp://example.com", "x"):
            with pytest.raises(InvalidInput, match="cannot be used"):
                await single_sign_on(browser, dns, issuer=nowhere)
        with pytest.raises(Conflict, match="free tier has no single sign-on"):
            await browser.service.deployment.do(
                "sso.set", "steel", issuer="https://x.test", client_id="x", domains=["a.example"]
            )

    run(scenario)


def test_a_provider_that_is_down_is_named_to_operators_and_not_to_others(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        product = browser.service.deployment.product
        assert await examine_sign_ins(product) == []
        (provider,) = product.platform.identity.values()
        ways: Any = provider
        party = ways._ways["company"]._party
        object.__setattr__(party, "issuer", "http://127.0.0.1:1")
        (found,) = await examine_sign_ins(product)
        assert found.subject == "sign-in company"
        assert "127.0.0.1:1" in found.what
        told = problem(await browser.get(f"{HOME}{PATH}/company"), 503)
        assert "127.0.0.1" not in json.dumps(told)
        page = await browser.get(f"{HOME}{PATH}/company", accept="text/html")
        assert "cannot be asked at the moment" in page.text

    run(scenario)


def test_what_comes_back_is_the_same_person_by_either_way(run: Run) -> None:
    async def scenario(browser: Browser, dns: NameServer) -> None:
        await single_sign_on(browser, dns)
        back = await browser.comes_back()
        assert query_of(back)["iss"] == browser.issuer.issuer
        await browser.get(back)
        first = (await browser.get(f"{HOME}/api/v1/account")).json()["id"]
        browser.client.cookies.clear()
        await browser.signs_in("sso/aurora")
        assert (await browser.get(f"{HOME}/api/v1/account")).json()["id"] == first

    run(scenario)
