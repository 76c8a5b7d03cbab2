"""Members, invitations, keys and tokens over the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from mosaic_cms.rights import Role
from tests.api.conftest import SHARED, Service, Services, problem
from tests.cms.access.people import People
from tests.cms.deployment import OPERATOR


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


def test_who_has_a_role_at_one_site_does_there_what_it_may(services: Services) -> None:
    async def scenario(service: Service) -> None:
        do = service.deployment.do
        await do("sites.create", key="second", title="Second")
        people = People(service.deployment)
        ada = await people.add("ada", second=Role.EDITOR)
        issued = await people.identity.bearer.issue(ada, people.tenant_id, (), OPERATOR)
        hers = {"authorization": f"Bearer {issued.access}"}
        at = {"site": "second"}

        async def made(path: str, **given: Any) -> str:
            answer = await service.ask("POST", path, json={**given, **at}, **hers)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

        page = await made("/pages", title="N", slug="n", parent="/")
        shared = await made("/shared", name="S", blocks=[])
        release = await made("/releases", title="R")
        for path in (f"/shared/{shared}", f"/releases/{release}"):
            assert (await service.get(path, **hers)).status_code == 200, path
        sites = (await service.get("/sites", **hers)).json()["items"]
        assert [site["key"] for site in sites] == ["second"]
        assert (await service.get("/tenant", **hers)).json()["slug"] == "aurora"
        gone = await service.ask("DELETE", "/pages/%2Fn%2F?site=second", **hers)
        assert gone.status_code == 200
        back = await service.ask("POST", f"/bin/{page}/restore", json={}, **hers)
        assert back.status_code == 200, back.text
        # And nothing of another.
        theirs = (await do("shared.create", name="T", blocks=[])).id
        other = (await do("releases.create", title="T")).id
        for path in (f"/shared/{theirs}", f"/releases/{other}"):
            assert "being no member" in problem(await service.get(path, **hers), 403)["detail"]
        problem(await service.ask("PATCH", f"/shared/{theirs}", json={"name": "X"}, **hers), 403)
        problem(await service.get(f"/shared/{uuid4()}", **hers), 403)
        problem(await service.get("/members", **hers), 403)

    services(scenario)


def test_a_key_for_one_site_is_for_what_belongs_to_it(services: Services) -> None:
    async def scenario(service: Service) -> None:
        do = service.deployment.do
        await do("sites.create", key="second", title="Second")
        key = {"x_api_key": await service.key("editor", sites=("second",))}
        own = (await do("shared.create", name="S", blocks=[], site="second")).id
        other = (await do("shared.create", name="T", blocks=[])).id
        assert (await service.get(f"/shared/{own}", **key)).status_code == 200
        problem(await service.get(f"/shared/{other}", **key), 403)

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
