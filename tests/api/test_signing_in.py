"""A person signs up, in and out over the API, with nothing but what a browser has."""

from __future__ import annotations

from typing import Any

import pytest

from mosaic_cms.api.app import Api
from mosaic_cms.api.cookies import SESSION as COOKIE
from mosaic_cms.identity.signing import SigningKeys
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.api.conftest import SHARED, Service, problem
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import PASSWORD, People, cheaply
from tests.cms.plugs import plugins_with

ADA = {"email": "ada@example.com", "password": PASSWORD}


def test_from_signing_up_to_a_page_of_ones_own(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = MemoryMailer()
    plugins = plugins_with(monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)})

    async def scenario(deployment: Deployment) -> None:
        cheaply(deployment.product)
        service, people = Service(deployment, Api(deployment.product)), People(deployment, mailer)

        async def ask(method: str, path: str, **given: Any) -> Any:
            answer = await service.ask(method, path, host=SHARED, **given)
            assert answer.status_code < 300, answer.text
            return answer

        await ask("POST", "/accounts", json={**ADA, "name": "Ada"})
        problem(await service.ask("POST", "/sessions", host=SHARED, json=ADA), 401)
        token = await people.token()
        await ask("POST", "/accounts/verify", json={"token": token, "password": PASSWORD})
        wrong = ADA | {"password": "another battery horse staple"}
        problem(await service.ask("POST", "/sessions", host=SHARED, json=wrong), 401)

        planted = {"cookie": f"{COOKIE}=made-up"}
        refused = await service.ask("POST", "/sessions", host=SHARED, json=ADA, **planted)
        problem(refused, 401)
        assert f'{COOKIE}=""' in refused.headers["set-cookie"]
        signed = await ask("POST", "/sessions", json=ADA)
        shown = signed.headers["set-cookie"]
        for part in (f"{COOKIE}=", "Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert part in shown
        assert "Domain" not in shown
        cookie = shown.partition("=")[2].partition(";")[0]
        assert cookie not in signed.text
        browser = {"cookie": f"{COOKIE}={cookie}"}

        mine = await ask("GET", "/account/tenants", **browser)
        assert mine.json()["items"] == []
        browser["x_csrf_token"] = mine.headers["x-csrf-token"]
        made = await ask(
            "POST", "/account/tenants", json={"slug": "ada", "name": "Ada's"}, **browser
        )
        browser["x_tenant_id"] = made.json()["tenant_id"]
        page = {"slug": "tea", "title": "Tea", "parent": "/"}
        await ask("POST", "/pages", json=page, **browser)
        await ask("POST", "/pages/%2Ftea%2F/publish", **browser)
        assert "Tea" in (await deployment.get("/tea/", host="ada.mosaic.test")).text

        tokens = (await ask("POST", "/tokens", json={"tenant": "ada"}, **browser)).json()
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        assert len((await ask("GET", "/pages", **bearer)).json()["items"]) == 2
        session = signed.json()["session_id"]
        await ask("DELETE", f"/sessions/{session}", **browser)
        ended = await service.ask("GET", "/account/tenants", host=SHARED, cookie=browser["cookie"])
        assert problem(ended, 401)["type"].endswith("session-ended")
        assert f'{COOKIE}=""' in ended.headers["set-cookie"]
        await ask("POST", "/sessions", json=ADA, cookie=browser["cookie"])

    deployments(scenario, plugins=plugins)


def test_the_public_keys_of_tokens_are_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        import httpx

        api, identity = Api(deployment.product), deployment.product.identity
        signing = SigningKeys(identity.store, identity.secrets)
        await signing.current()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api)) as client:
            answer = await client.get(f"https://{SHARED}/.well-known/jwks.json")
        assert answer.headers["content-type"] == "application/jwk-set+json"
        (key,) = answer.json()["keys"]
        assert (key["kty"], key["crv"], key["use"]) == ("OKP", "Ed25519", "sig")
        assert "d" not in key, "the private part"

    deployments(scenario)
