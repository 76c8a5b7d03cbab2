"""Who asks, and for which tenant: by host, token, key, session, header, and every two of them."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mosaic_cms.api.cookies import SESSION as COOKIE
from mosaic_cms.rights import Role
from tests.api.conftest import SHARED, Service, Services, problem
from tests.cms.access.people import People

PAGES = {"aurora": "Aurora", "bread": "Bread"}


@dataclass
class Sources:
    """All that somebody can say about a tenant, who belongs to two of them."""

    service: Service
    tokens: dict[str, str]
    keys: dict[str, str]
    sessions: dict[str, str]
    ids: dict[str, str]

    def said(self, source: str, slug: str) -> dict[str, Any]:
        """A request's part that names a tenant in one way."""
        match source:
            case "host":
                return {"host": f"{slug}.mosaic.test"}
            case "token":
                return {"authorization": f"Bearer {self.tokens[slug]}"}
            case "key":
                return {"x_api_key": self.keys[slug]}
            case "session":
                return {"cookie": f"{COOKIE}={self.sessions[slug]}"}
            case _:
                return {"x_tenant_id": self.ids[slug]}

    async def ask(self, **said: Any) -> httpx.Response:
        return await self.service.get("/pages/%2F", **({"host": SHARED} | said))


async def sources(service: Service) -> Sources:
    product = service.deployment.product
    people, found = People(service.deployment, "aurora"), People(service.deployment, "bread")
    ada = await people.add("ada", Role.EDITOR)
    await service.deployment.do("members.add", "bread", email="ada@example.com", role="viewer")
    made = Sources(service, {}, {}, {}, {})
    for slug, group in (("aurora", people), ("bread", found)):
        tenant = product.platform.directory.named(slug)
        made.ids[slug] = tenant.tenant_id
        actor = await product.identity.actor_for(_principal(ada), tenant.tenant_id)
        tokens = await product.identity.bearer.issue(ada, group.tenant_id, (), actor)
        made.tokens[slug] = tokens.access
        made.keys[slug] = await service.key("viewer", slug)
        made.sessions[slug] = await signed_in(service, ada, tenant.tenant_id)
    return made


async def signed_in(service: Service, account_id: uuid.UUID, tenant_id: str | None = None) -> str:
    """The cookie of a session, which works in a tenant."""
    identity = service.deployment.product.identity
    started = await identity.store.write(
        lambda write: identity.sessions.start(write, account_id), actor="test", action="test"
    )
    if tenant_id is not None:
        await identity.sessions.choose(account_id, started.id, tenant_id, actor="test")
    return started.cookie


def _principal(account_id: Any) -> Any:
    from mosaic_cms.identity.principal import Principal

    return Principal("account", "session", account_id)


SOURCES = ("host", "token", "key", "session", "header")
#: What proves who asks. A host names a tenant to everybody, and a header proves nothing.
PROOFS = {"token", "key", "session"}


@pytest.mark.parametrize("pair", list(itertools.combinations(SOURCES, 2)), ids="-".join)
def test_two_sources_that_agree_lead_to_their_tenant_and_others_nowhere(
    services: Services, pair: tuple[str, str]
) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        proven = bool(PROOFS & set(pair))
        for first, second in itertools.product(PAGES, repeat=2):
            answer = await made.ask(**made.said(pair[0], first), **made.said(pair[1], second))
            if first != second:
                told = problem(answer, 403)
                assert "do not name the same tenant" in told["detail"]
                assert not any(title in answer.text for title in PAGES.values())
            elif proven:
                assert answer.json()["title"] == PAGES[first]
            else:
                problem(answer, 401)
        log = await service.deployment.do("audit.list", "bread", limit=50)
        assert any("do not name the same tenant" in entry.reason for entry in log)

    services(scenario)


@pytest.mark.parametrize("source", SOURCES)
def test_one_source_is_enough_when_it_proves_something(services: Services, source: str) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        for slug, title in PAGES.items():
            answer = await made.ask(**made.said(source, slug))
            if source in PROOFS:
                assert answer.json()["title"] == title
            else:
                problem(answer, 401)

    services(scenario)


def test_a_header_counts_for_whoever_belongs_to_its_tenant(services: Services) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        product = service.deployment.product
        ada = (await product.identity.sessions.find(made.sessions["aurora"])).id  # type: ignore[union-attr]
        browser = {"cookie": f"{COOKIE}={await signed_in(service, ada)}"}
        problem(await made.ask(**browser), 400)
        for slug, title in PAGES.items():
            answer = await made.ask(**browser, x_tenant_id=made.ids[slug])
            assert answer.json()["title"] == title
        steel = product.platform.directory.named("steel").tenant_id
        told = problem(await made.ask(**browser, x_tenant_id=steel), 403)
        unknown = problem(await made.ask(**browser, x_tenant_id="0" * 32), 403)
        assert told["detail"] == unknown["detail"], "nobody learns which tenants there are"
        log = await service.deployment.do("audit.list", "steel", limit=50)
        assert any("not theirs" in entry.reason for entry in log)

    services(scenario)


def test_who_is_removed_is_nobody_at_once(services: Services) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        ada = (await service.deployment.product.identity.bearer.verify(made.tokens["aurora"])).id  # type: ignore[union-attr]
        for source in ("token", "session"):
            assert (await made.ask(**made.said(source, "aurora"))).status_code == 200
        await service.deployment.do("members.remove", account=ada)
        for source in ("token", "session"):
            answer = await made.ask(**made.said(source, "aurora"))
            assert answer.status_code in {400, 401, 403}
            assert "Aurora" not in answer.text
        assert (await made.ask(**made.said("session", "bread"))).json()["title"] == "Bread"

    services(scenario)


def test_a_cookie_is_forgotten_when_its_session_has_ended_and_only_then(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        both = await made.ask(**made.said("token", "aurora"), **made.said("session", "aurora"))
        assert both.status_code == 200
        assert "set-cookie" not in both.headers
        sessions, cookie = service.deployment.product.identity.sessions, made.sessions["aurora"]
        principal = await sessions.find(cookie)
        assert principal is not None
        assert principal.session_id is not None
        await sessions.end(principal.id, principal.session_id, actor="test", action="test")
        ended = await made.ask(**made.said("token", "aurora"), **made.said("session", "aurora"))
        assert "Max-Age=0" in ended.headers["set-cookie"]

    services(scenario)


BAD_COOKIES = {
    "": "form",
    "made-up": "form",
    "x" * 5_000: "form",
    f"{'0' * 32}.{'A' * 32}": "form",
    f"{'0' * 32}.{'A' * 32}.{'A' * 22}": "signature",
}


@pytest.mark.parametrize("kind", ["visitor", "token", "host"])
def test_a_cookie_that_was_not_made_here_is_refused_with_what_is_wrong_and_forgotten(
    services: Services, kind: str
) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        said = {} if kind == "visitor" else made.said(kind, "aurora")
        good = made.sessions["aurora"]
        identifier, secret, signature = good.split(".")
        forged = {
            f"{identifier}.{secret[::-1]}.{signature}": "signature",
            f"{identifier}.{secret}.{signature[::-1]}": "signature",
            f"{good}\xff": "form",
        }
        for value, why in (BAD_COOKIES | forged).items():
            before = len(await service.deployment.rule("audit.platform", limit=200))
            answer = await made.ask(**said, cookie=f"{COOKIE}={value}".encode("latin-1"))
            told = problem(answer, 401)
            assert told["type"] == "urn:mosaic:problem:bad-cookie"
            assert why in told["detail"]
            assert secret not in answer.text
            assert "Max-Age=0" in answer.headers["set-cookie"]
            assert answer.headers["www-authenticate"].startswith("Bearer")
            entries = await service.deployment.rule("audit.platform", limit=200)
            assert len(entries) > before or entries[0].times > 1
            assert any(entry.reason == "bad-cookie" for entry in entries)
        written = await service.ask(
            "POST", "/sessions", host=SHARED, json={}, cookie=f"{COOKIE}=made-up"
        )
        problem(written, 401)

    services(scenario)


def test_a_session_that_has_ended_is_told_so_and_signing_in_is_still_possible(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        identity, cookie = service.deployment.product.identity, made.sessions["aurora"]
        principal = await identity.sessions.find(cookie)
        assert principal is not None
        assert principal.session_id is not None
        await identity.sessions.end(principal.id, principal.session_id, actor="t", action="test")
        shown = {"cookie": f"{COOKIE}={cookie}", "host": SHARED}
        tenant = {"x_tenant_id": made.ids["aurora"]}
        for path, more in (("/sessions", {}), ("/pages", tenant)):
            answer = await service.get(path, **shown, **more)
            told = problem(answer, 401)
            assert told["type"] == "urn:mosaic:problem:session-ended"
            assert "has ended" in told["detail"]
            assert "Max-Age=0" in answer.headers["set-cookie"]
        given = {"email": "ada@example.com", "password": "some password or other"}
        answer = await service.ask("POST", "/sessions", json=given, **shown)
        assert problem(answer, 401)["type"] == "urn:mosaic:problem:unauthenticated"
        assert (await service.get("/sign-in/providers", **shown)).status_code == 200

    services(scenario)


def test_a_page_is_for_visitors_whatever_their_cookies_are(services: Services) -> None:
    async def scenario(service: Service) -> None:
        for value in BAD_COOKIES:
            page = await service.deployment.get("/", cookie=f"{COOKIE}={value}")
            assert page.status_code == 200
            assert "set-cookie" not in page.headers

    services(scenario)


def test_whoever_names_tenants_that_do_not_agree_is_slowed_down(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("viewer")
        asked = {"x_api_key": key, "x_tenant_id": "0" * 32}
        for _ in range(3):
            problem(await service.get("/pages", **asked), 403)
        told = await service.get("/pages", **asked)
        problem(told, 429)
        assert told.headers["ratelimit"].startswith('"actor";r=0;')

    services(scenario, rates={"actor": 3})


def test_what_is_shown_and_is_nothing_is_noted_for_those_who_run_it(services: Services) -> None:
    async def scenario(service: Service) -> None:
        problem(await service.get("/sign-in/providers", cookie=f"{COOKIE}=made-up"), 401)
        refused = await service.get("/pages", x_api_key="mosaic_guess")
        problem(refused, 401)
        assert refused.headers["ratelimit-policy"].startswith('"actor";q=')
        problem(await service.get("/pages", accept_version="9"), 406)
        problem(await service.get("/pages", host="nobody.mosaic.test"), 404)
        entries = await service.deployment.rule("audit.platform")
        noted = {(entry.action, entry.outcome, entry.reason) for entry in entries}
        assert noted >= {
            ("api.authenticate", "refused", "bad-cookie"),
            ("api.authenticate", "refused", "unauthenticated"),
            ("pages.list", "refused", "no-such-version"),
            ("api.authenticate", "refused", "unknown-host"),
        }
        first, *rest = entries
        after = await service.deployment.rule("audit.platform", after=first.id, limit=200)
        assert [entry.id for entry in after] == [entry.id for entry in rest]

    services(scenario)


def test_only_a_page_that_was_signed_in_writes_with_its_session(services: Services) -> None:
    async def scenario(service: Service) -> None:
        made = await sources(service)
        session = made.said("session", "aurora")
        seen = await made.ask(**session)
        token = seen.headers["x-csrf-token"]
        path = "/pages/%2Fvisit%2F"
        page = await service.get(path, host=SHARED, **session)
        new = {"title": "Visit us", "based_on": page.json()["revision"]}

        async def write(**headers: str) -> httpx.Response:
            return await service.ask("PATCH", path, host=SHARED, json=new, **session, **headers)

        for headers in (
            {},
            {"x_csrf_token": "x"},
            {"x_csrf_token": token, "origin": "https://evil.example"},
            {"x_csrf_token": token, "sec_fetch_site": "cross-site"},
            {"x_csrf_token": token, "sec_fetch_site": "same-site"},
            {"x_csrf_token": token, "origin": "null"},
        ):
            problem(await write(**headers), 403)
        log = await service.deployment.do("audit.list", limit=50)
        (noted,) = [entry for entry in log if entry.action == "api.authenticate"]
        assert (noted.times, noted.outcome) == (6, "refused")
        assert "not from a page of this host" in noted.reason
        right = {"x_csrf_token": token, "origin": f"https://{SHARED}"}
        assert (await write(**right, sec_fetch_site="same-origin")).status_code == 200

    services(scenario)
