"""Reading over the API: what is published, in pages, in part, and only when it is new."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mosaic_cms.api.cors import Cors
from mosaic_cms.limits import API
from mosaic_core.errors import DatabaseBusy
from tests.api.conftest import OWN, SHARED, Service, Services, problem


async def opened(service: Service, **given: Any) -> None:
    await service.deployment.do("sites.configure", api_public=True, **given)


def test_what_is_published_is_read_without_a_key_where_the_site_allows_it(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        closed = problem(await service.get("/content/pages"), 401)
        assert "not read over the API by everybody" in closed["detail"]
        await opened(service)
        await service.deployment.add("/draft/", publish=False)
        pages = (await service.get("/content/pages")).json()["items"]
        assert [page["path"] for page in pages] == ["/", "/news/", "/visit/", "/visit/hours/"]
        page = (await service.get("/content/pages/%2Fvisit%2F")).json()
        assert "This is the text of /visit/ at aurora." in page["html"]
        assert "<header" not in page["html"]
        problem(await service.get("/content/pages/%2Fdraft%2F"), 404)
        problem(await service.get("/content/pages", host="bread.mosaic.test"), 401)

    services(scenario)


def test_a_site_is_searched_as_its_visitors_search_it(services: Services) -> None:
    async def scenario(service: Service) -> None:
        problem(await service.get("/content/search?words=hours"), 401)
        await opened(service)
        await service.deployment.add("/draft/", publish=False, body="More hours.")
        found = (await service.get("/content/search?words=hours")).json()
        assert (found["total"], found["more"]) == (1, False)
        (hit,) = found["items"]
        assert hit["path"] == "/visit/hours/"
        assert {"text": "Hours", "found": True} in hit["title"]
        assert "".join(piece["text"] for piece in hit["excerpt"]).startswith("This is the text")
        two = (await service.get("/content/search?words=text&limit=2&offset=1")).json()
        assert (len(two["items"]), two["total"]) == (2, 4)
        assert (await service.get("/content/search?words=vizit")).json()["instead"] == {
            "vizit": ["visit"]
        }
        nothing = (await service.get("/content/search?words=text&language=fr")).json()
        assert (nothing["items"], nothing["total"]) == ([], 0)
        problem(await service.get("/content/search?words=text&limit=51"), 422)
        problem(await service.get("/content/search?words=text", host="bread.mosaic.test"), 401)

    services(scenario)


def test_a_list_comes_in_pages_that_go_on_where_the_last_one_ended(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        found, after = [], None
        while True:
            asked = {"limit": "1", "fields": "path"} | ({"after": after} if after else {})
            page = (await service.get("/content/pages", params=asked)).json()
            found += [item["path"] for item in page["items"]]
            after = page["next"]
            if len(found) == 2:  # a page that comes in front of the rest moves nothing
                await service.deployment.add("/about/")
            if after is None:
                break
        assert found == ["/", "/news/", "/visit/", "/visit/hours/"]

    services(scenario)


def test_a_cursor_whose_item_is_gone_goes_on_where_it_was(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        first = (await service.get("/content/pages?limit=2")).json()
        await service.deployment.do("pages.delete", path="/news/", force=True)
        rest = (await service.get("/content/pages", params={"after": first["next"]})).json()
        assert [item["path"] for item in rest["items"]] == ["/visit/", "/visit/hours/"]

    services(scenario)


def test_sparse_objects_have_the_fields_that_were_asked_for(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        page = (await service.get("/content/pages/%2F?fields=title,%20path")).json()
        assert page == {"title": "Aurora", "path": "/"}
        told = problem(await service.get("/content/pages/%2F?fields=secret"), 400)
        assert "'secret'" in told["detail"]
        assert "title" in told["hint"]

    services(scenario)


def test_what_a_caller_has_is_not_sent_again(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        first = await service.get("/content/pages/%2Fvisit%2F")
        tag = first.headers["etag"]
        for header in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await service.get("/content/pages/%2Fvisit%2F", if_none_match=header)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        await service.deployment.do("pages.edit", path="/visit/", title="Visit us")
        await service.deployment.do("pages.publish", path="/visit/")
        changed = await service.get("/content/pages/%2Fvisit%2F", if_none_match=tag)
        assert changed.json()["title"] == "Visit us"

    services(scenario)


def test_a_page_is_named_by_its_path_or_its_id(services: Services) -> None:
    async def scenario(service: Service) -> None:
        shown = await service.deployment.do("pages.show", path="/visit/hours/")
        assert await service.deployment.do("pages.show", path=str(shown.id)) == shown

    services(scenario)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/content/pages?limit=0", 400, "1 to 200"),
        ("/content/pages?limit=1e3", 400, "1 to 200"),
        ("/content/pages?limit=²", 400, "1 to 200"),
        ("/content/pages?limit=1&limit=2", 400, "twice"),
        ("/content/pages?after=%F0%9F%98%80", 400, "no cursor"),
        ("/content/pages?after=W10", 400, "no cursor"),
        ("/content/pages?after=" + "W" * 5000, 400, "no cursor"),
        ("/content/pages?colour=red", 400, "'colour'"),
        ("/content/pages?language=%ff", 400, "query cannot be read"),
        ("/content/pages?" + "&".join(f"a{n}=" for n in range(300)), 400, "cannot be read"),
        ("/content/pages/%FF", 400, "not UTF-8"),
        ("/content/pages/%00", 422, "no path"),
        ("/content/pages/..", 404, "nothing at this address"),
        ("/content/pages/%2e%2e%2f%2e%2e", 422, "no path"),
        ("/content/nothing", 404, "nothing at this address"),
        ("/content/pages/" + "a" * 5000, 422, "at most 4000"),
    ],
)
def test_what_cannot_be_asked_is_told(
    services: Services, path: str, status: int, words: str
) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        told = problem(await service.get(path), status)
        assert words in json.dumps(told, ensure_ascii=False)

    services(scenario)


def test_nobody_is_sent_to_a_host_that_they_named(services: Services) -> None:
    async def scenario(service: Service) -> None:
        for host in ("evil.example", SHARED, OWN):
            for path in ("/pages/", "/openapi.json/", "/docs/", "/sign-in/providers/"):
                told = await service.get(path, host=host)
                problem(told, 404)
                assert "location" not in told.headers

    services(scenario)


def test_hosts_lead_to_their_tenant_or_to_none(services: Services) -> None:
    async def scenario(service: Service) -> None:
        problem(await service.get("/content/pages", host="nobody.mosaic.test"), 404)
        told = problem(await service.get("/content/pages", host=SHARED), 400)
        assert "X-Tenant-Id" in told["hint"]
        aurora = service.deployment.product.platform.directory.named("aurora")
        for host in (SHARED, "api.mosaic.test"):
            told = problem(
                await service.get("/content/pages", host=host, x_tenant_id=aurora.tenant_id), 401
            )
            assert "proves nothing" in told["hint"]
        told = problem(await service.get("/content/pages", x_tenant_id="another"), 403)
        assert "do not name the same tenant" in told["detail"]

    services(scenario)


def test_other_pages_read_what_a_site_lets_them(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service, api_origins=("https://App.example", "http://localhost:3000"))
        asked = {"origin": "https://app.example"}
        answer = await service.get("/content/pages", **asked)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "origin" in answer.headers["vary"].lower()
        assert "access-control-allow-credentials" not in answer.headers
        for status, more in ((401, {"x_api_key": "nothing"}), (406, {"accept_version": "9"})):
            wrong = await service.get("/content/pages", **asked, **more)
            problem(wrong, status)
            assert wrong.headers["access-control-allow-origin"] == "https://app.example"
        before = await service.ask("OPTIONS", "/content/pages", **asked)
        assert before.status_code == 204
        assert "GET" in before.headers["access-control-allow-methods"]
        for origin in ("https://app.example.evil.test", "null", "https://app.example:444"):
            refused = await service.get("/content/pages", origin=origin)
            assert "access-control-allow-origin" not in refused.headers
        other = await service.get("/content/pages", host="bread.mosaic.test", **asked)
        assert "access-control-allow-origin" not in other.headers
        shared = await service.ask("OPTIONS", "/content/pages", host=SHARED, **asked)
        assert "access-control-allow-origin" not in shared.headers

    services(scenario)


def test_what_lets_other_pages_read_may_fail_and_the_answer_stays(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*given: Any) -> bool:
        raise DatabaseBusy("It cannot be read.")

    async def scenario(service: Service) -> None:
        await opened(service)
        monkeypatch.setattr(Cors, "_open", fail)
        answer = await service.get("/content/pages", origin="https://app.example")
        assert answer.status_code == 200
        before = await service.ask("OPTIONS", "/content/pages", origin="https://app.example")
        problem(before, 503)
        assert before.headers["x-content-type-options"] == "nosniff"

    services(scenario)


def test_every_answer_has_safe_headers_and_what_is_left(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        for path in ("/content/pages", "/content/pages/%2Fno%2F", "/nothing", "/openapi.json"):
            headers = (await service.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert "default-src 'none'" in headers["content-security-policy"]
        headers = (await service.get("/content/pages")).headers
        assert headers["ratelimit-policy"] == '"actor";q=600;w=60'
        assert headers["ratelimit"].startswith('"actor";r=59')
        problem(await service.get("/content/pages", accept_version="2"), 406)
        assert (await service.get("/content/pages", accept_version="1")).status_code == 200

    services(scenario, rates={"actor": 600})


def test_whoever_asks_too_often_is_told_when_to_come_again(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await opened(service)
        for _ in range(5):
            assert (await service.get("/content/pages")).status_code == 200
        refused = await service.get("/content/pages")
        told = problem(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert "5 requests a minute" in told["detail"]

    services(scenario, rates={"actor": 5})


def test_the_requests_of_a_month_are_those_that_the_tier_includes(services: Services) -> None:
    tiers = {
        "open": {
            "persistence": "tenancy_sqlite",
            "storage": "storage_local",
            "limits": {"api_requests_per_month": 3},
        }
    }

    async def scenario(service: Service) -> None:
        await opened(service)
        for _ in range(3):
            assert (await service.get("/content/pages")).status_code == 200
        told = problem(await service.get("/content/pages"), 402)
        assert "3 API requests" in told["detail"]
        assert "higher tier" in told["hint"]

    services(scenario, tiers=tiers)


def test_who_is_let_in_nowhere_uses_up_none_of_the_requests_of_a_month(services: Services) -> None:
    tiers = {
        "open": {
            "persistence": "tenancy_sqlite",
            "storage": "storage_local",
            "limits": {"api_requests_per_month": 2},
        }
    }

    async def scenario(service: Service) -> None:
        key = await service.key("viewer")
        for _ in range(3):
            problem(await service.get("/content/pages"), 401)
            problem(await service.get("/content/pages?site=nothing"), 404)
        assert (await service.get("/pages", x_api_key=key)).status_code == 200
        await opened(service)
        assert (await service.get("/content/pages")).status_code == 200
        for _ in range(3):
            problem(await service.get("/content/pages"), 402)
        ledger, tenant = service.deployment.product.ledger, service.deployment.scope().tenant
        assert await ledger.used(tenant.tenant_id, API) == 2

    services(scenario, tiers=tiers)
