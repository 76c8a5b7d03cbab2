"""Lists come in pages that the database reads: whole, in order, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from mosaic_cms.incoming import Incoming
from mosaic_cms.rights import Role
from tests.api.conftest import Service, Services, problem
from tests.cms.access.people import People
from tests.cms.deployment import OPERATOR


async def walk(service: Service, path: str, limit: int, **headers: str) -> list[dict[str, Any]]:
    """All items of a list, page by page; something is added to each list on the way."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        params = {"limit": limit} | ({"after": after} if after else {})
        answer = await service.get(path, params=params, **headers)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert len(told["items"]) <= limit
        found += told["items"]
        after = told["next"]
        if after is None:
            return found
        if len(found) < 10:
            await service.key("viewer")  # newer than what is listed


@pytest.mark.parametrize(
    ("path", "name"),
    [("/pages", "path"), ("/members", "email"), ("/keys", "id"), ("/audit", "id")],
)
def test_a_list_is_whole_whatever_comes_meanwhile(services: Services, path: str, name: str) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        for who in ("adam", "Bea", "carl", "dora", "edith"):
            await people.add(who.lower(), Role.VIEWER)
        for number in range(3):
            await service.deployment.add(f"/page-{number}/")
            await service.key("viewer")
        key = {"x_api_key": await service.key("owner")}
        for nobody in range(3):  # is refused, and noted
            answer = await service.get(
                f"/audit?limit={nobody + 1}", x_api_key=await service.key("viewer")
            )
            problem(answer, 403)
        whole = (await service.get(path, params={"limit": 200}, **key)).json()["items"]
        for limit in (7, 40) if path == "/audit" else (1, 4):
            parts = await walk(service, path, limit, **key)
            assert len({item[name] for item in parts}) == len(parts), "nothing comes twice"
            older = [item for item in parts if item[name] in {one[name] for one in whole}]
            if path != "/audit":  # its ids say how far one has come
                assert [item[name] for item in older] == [item[name] for item in whole]
            else:
                told = [(one["at"], one["action"], one["outcome"]) for one in parts]
                for one in whole:
                    assert (one["at"], one["action"], one["outcome"]) in told
                assert {"done", "refused"} == {one["outcome"] for one in parts}

    services(scenario)


@pytest.mark.parametrize("path", ["/pages", "/keys", "/audit", "/members"])
def test_a_wrong_cursor_or_size_is_named(services: Services, path: str) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        for limit in ("0", "201", "-1", "many", ""):
            told = problem(await service.get(path, params={"limit": limit}, **key), 422)
            assert told["problems"][0]["where"] == "limit"
        if path in {"/keys", "/audit"}:
            told = problem(await service.get(path, params={"after": "nothing"}, **key), 422)
            assert told["problems"][0]["where"] == "after"

    services(scenario)


async def filled(service: Service) -> str:
    """A tenant with several of everything that is listed; the token of its owner."""
    people, do = People(service.deployment), service.deployment.do
    owner = await people.add("owner", Role.OWNER)
    await people.add("other", Role.VIEWER)
    await service.key("owner", "bread")
    members = {"email": "owner@example.com", "role": "viewer"}
    await do("members.add", "bread", **members)
    await do("sites.create", key="shop", title="Shop")
    details = {"tags": ["news", "zoo"], "categories": ["news"], "author": "news"}
    for number in range(3):
        path = f"/p{number}/"
        await do("pages.create", slug=f"p{number}", title="P", parent="/", details=details)
        await do("pages.publish", path=path)
        await do("pages.edit", path=path, body="[home](/) and words")
        await do("pages.publish", path=path)
        await do("pages.create", slug=f"gone{number}", title="Gone", parent="/")
        await do("pages.delete", path=f"/gone{number}/")
        await do("shared.create", name=f"S{number}", blocks=[])
        await do("releases.create", title="R")
        await do("redirects.set", source=f"/old{number}/", target=path)
        await do("domains.add", domain=f"d{number}.example.org")
        await do("invitations.create", email=f"i{number}@example.org", role="viewer")
        await do("pages.schedule", path=path, action="unpublish", at="2030-01-01 09:00")
        for folder in ("", "a", "b"):
            content = Incoming.of(f"words {number}".encode())
            given = {"name": f"same{number}.txt", "folder": folder}
            sent = await do("media.upload", content=content, **given)
            if number == 2:
                await do("media.delete", media=sent.media.reference)
        await do("media.begin_upload", name="part.txt", size=9)
    for place in ("header", "footer", "side"):
        await do("menus.add", place=place, title="x", target="/")
    identity = people.identity
    for _ in range(3):
        await identity.store.write(
            lambda write: identity.sessions.start(write, owner), actor="test", action="test"
        )
    issued = await identity.bearer.issue(owner, people.tenant_id, (), OPERATOR)
    return f"Bearer {issued.access}"


def test_every_list_is_whole_and_ends(services: Services) -> None:
    async def scenario(service: Service) -> None:
        shown = {"authorization": await filled(service)}
        media = (await service.get("/media", **shown)).json()["items"][0]["reference"]
        named = {"{media}": media, "{path}": "%2Fp1%2F", "{target}": "%2F"}
        several = set()
        for shape in service.api.shapes:
            if shape.method != "GET" or not shape.lists or shape.path == "/audit":
                continue  # what is asked for here stands there
            path = shape.path
            for name, value in named.items():
                path = path.replace(name, value)
            whole = await service.get(path, params={"limit": 200}, **shown)
            assert whole.status_code == 200, f"{path}: {whole.text}"
            items, found, after = whole.json()["items"], [], None
            for _ in range(len(items) + 1):
                params = {"limit": 1} | ({"after": after} if after else {})
                part = (await service.get(path, params=params, **shown)).json()
                found += part["items"]
                after = part["next"]
                if after is None:
                    break
            assert found == items, path
            assert after is None, f"{path} does not end"
            if len(items) > 1:
                several.add(path)
        assert len(several) > 15, several
        assert {"/domains", "/media", "/media/bin", "/media/folders", "/menus"} <= several
        assert {"/terms", "/media/duplicates", "/sessions", "/redirects"} <= several

    services(scenario, rates={"tenant": 10**6, "actor": 10**6})


def test_a_cursor_stays_with_its_item_whatever_comes_and_goes(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key, do = {"x_api_key": await service.key("owner")}, service.deployment.do
        for name in ("b", "d", "f"):
            await do("domains.add", domain=f"{name}.example.org")
        first = (await service.get("/domains?limit=2", **key)).json()
        *_, last = first["items"]
        await do("domains.add", domain="a.example.org")
        gone = next(item["domain"] for item in first["items"] if item != last)
        if gone.endswith("example.org"):
            await do("domains.remove", domain=gone)
        rest = (await service.get("/domains", params={"after": first["next"]}, **key)).json()
        whole = (await service.get("/domains", **key)).json()["items"]
        assert rest["items"] == whole[whole.index(last) + 1 :]

    services(scenario)


def test_what_was_done_to_many_is_told_whole(services: Services) -> None:
    async def scenario(service: Service) -> None:
        paths = [f"/child-{number:02}/" for number in range(51)]
        for path in paths:
            await service.deployment.add(path)
        answer = await service.ask(
            "POST",
            "/pages/reorder",
            json={"parent": "/", "order": paths},
            x_api_key=await service.key("editor"),
        )
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) >= 51
        assert answer.json()["next"] is None

    services(scenario)


def test_the_action_itself_gives_a_part(services: Services) -> None:
    async def scenario(service: Service) -> None:
        paths = [page.path for page in await service.deployment.do("pages.list")]
        part = await service.deployment.do("pages.list", limit=2, after=paths[0])
        assert [page.path for page in part] == paths[1:3]

    services(scenario)
