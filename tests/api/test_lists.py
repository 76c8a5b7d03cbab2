"""Lists come in pages that the database reads: whole, in order, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from mosaic_cms.rights import Role
from tests.api.conftest import Service, Services, problem
from tests.cms.access.people import People


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


def test_the_action_itself_gives_a_part(services: Services) -> None:
    async def scenario(service: Service) -> None:
        paths = [page.path for page in await service.deployment.do("pages.list")]
        part = await service.deployment.do("pages.list", limit=2, after=paths[0])
        assert [page.path for page in part] == paths[1:3]

    services(scenario)
