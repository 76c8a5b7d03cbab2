"""Members, invitations, keys and tokens over the API."""

from __future__ import annotations

from typing import Any

from mosaic_cms.rights import Role
from tests.api.conftest import SHARED, Service, Services, problem
from tests.cms.access.people import People


async def bearer(people: People, who: str, **given: Any) -> str:
    tokens = await people.own(who, "tokens.create", tenant=people.slug, **given)
    return f"Bearer {tokens.access_token}"


def test_members_are_invited_changed_and_removed(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        await people.add("olga", Role.OWNER)
        await people.add("zoe")
        actions = ["members.*", "invitations.*"]
        olga = {"authorization": await bearer(people, "olga", actions=actions)}
        wish = {"email": "zoe@example.com", "role": "viewer"}
        made = await service.ask("POST", "/invitations", json=wish, **olga)
        assert made.status_code == 201
        token = people.identity.secrets.token("invitation", made.json()["id"])
        answer = await service.ask(
            "POST", "/invitations/accept", host=SHARED, json={"token": token}, **olga
        )
        assert "another address" in problem(answer, 403)["detail"]
        await people.own("zoe", "invitations.accept", token=token)
        zoe = {"authorization": await bearer(people, "zoe")}
        problem(await service.get("/members", **zoe), 403)
        member = f"/members/{people.ids['zoe']}"
        changed = await service.ask("PATCH", member, json={"role": "admin"}, **olga)
        assert changed.json()["role"] == "admin"
        items = (await service.get("/members", **zoe)).json()["items"]
        assert [item["role"] for item in items] == ["owner", "admin"]
        assert (await service.ask("DELETE", member, **olga)).status_code in {200, 204}
        problem(await service.get("/members", **zoe), 401)
        answer = await service.ask("POST", "/members/leave", **olga)
        assert "Transfer the ownership first" in answer.text
        problem(answer, 409)

    services(scenario)


def test_a_key_is_shown_once(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        await people.add("olga", Role.OWNER)
        olga = {"authorization": await bearer(people, "olga")}
        wish = {"name": "Import", "role": "editor", "actions": ["pages.*"]}
        made = (await service.ask("POST", "/keys", json=wish, **olga)).json()
        assert (await service.get("/pages", x_api_key=made["key"])).status_code == 200
        listed = await service.get("/keys", **olga)
        assert made["key"] not in listed.text
        assert listed.json()["items"][0]["used_at"] is not None
        revoked = await service.ask("DELETE", f"/keys/{made['id']}", **olga)
        assert revoked.status_code in {200, 204}
        problem(await service.get("/pages", x_api_key=made["key"]), 401)

    services(scenario)


def test_tokens_are_renewed_by_whoever_has_the_refresh_token(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        await people.add("edith", Role.EDITOR)
        tokens = await people.own("edith", "tokens.create", tenant="aurora", actions=["pages.*"])
        given = {"json": {"refresh_token": tokens.refresh_token}, "host": SHARED}
        new = (await service.ask("POST", "/tokens/refresh", **given)).json()
        shown = {"authorization": f"Bearer {new['access_token']}"}
        assert (await service.get("/pages", host=SHARED, **shown)).status_code == 200
        problem(await service.get("/redirects", host=SHARED, **shown), 403)
        bread = service.deployment.product.platform.directory.named("bread").tenant_id
        problem(await service.get("/pages", host=SHARED, x_tenant_id=bread, **shown), 403)
        problem(await service.get("/pages", host="bread.mosaic.test", **shown), 403)
        answer = await service.ask("POST", "/tokens/refresh", **given)
        assert tokens.refresh_token not in answer.text
        problem(answer, 401)
        problem(await service.get("/pages", host=SHARED, **shown), 401)

    services(scenario)
