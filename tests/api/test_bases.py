"""Over the API too, every change says what it is based on, and who is at odds sees both texts."""

from __future__ import annotations

import asyncio
import random
from itertools import count
from typing import Any

import httpx
import pytest

from mosaic_cms.api.app import Api
from mosaic_cms.blocks.stored import new_block
from tests.api.conftest import Service, Services, problem
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.media.sending import send

VISIT = "/pages/%2Fvisit%2F"


async def things(service: Service) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, address and a change of everything that one change of replaces another's."""
    text = {"type": "markdown", "data": {"text": "Nine."}}
    entry = {"title": "Visit", "target": "/visit/"}
    do = service.deployment.do
    shared = await do("shared.create", name="Hours", blocks=[text])
    file = (await send(service.deployment, b"Words.", "words.txt")).media
    await do("menus.set", place="header", items=[entry])
    return [
        ("PATCH", VISIT, {"title": "Mine"}),
        ("PATCH", f"/shared/{shared.id}", {"name": "Mine"}),
        ("PUT", "/menus/header", {"items": [{"title": "News", "target": "/news/"}]}),
        ("PATCH", "/sites/main", {"footer": "Mine"}),
        ("PATCH", f"/media/{file.reference}", {"caption": "Mine"}),
        ("PUT", "/media/settings", {"kinds": ["pdf"]}),
    ]


@pytest.mark.parametrize("by", ["based_on", "if_match"])
def test_a_change_says_what_it_is_based_on_in_one_of_two_ways(services: Services, by: str) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        for method, path, change in await things(service):
            seen = await service.get(path, **key)
            revision = seen.json()["revision"]
            for more in ({}, {"if_match": "*"}):
                answer = await service.ask(method, path, json=change, **key, **more)
                told = problem(answer, 428)
                assert told["type"] == "urn:mosaic:problem:precondition-required"
                assert told["revision"] == revision
                assert "based_on" in told["hint"]
                assert "If-Match" in told["hint"]
            unchanged = await service.get(path, **key)
            assert unchanged.headers["etag"] == seen.headers["etag"]
            body = change | ({"based_on": revision} if by == "based_on" else {})
            headers = {"if_match": seen.headers["etag"]} if by == "if_match" else {}
            answer = await service.ask(method, path, json=body, **key, **headers)
            assert answer.status_code == 200, answer.text
            assert answer.json()["revision"] != revision
            assert (await service.get(path, **key)).headers["etag"] != seen.headers["etag"]

    services(scenario)


def test_who_may_not_change_a_thing_is_told_that_and_no_revision(services: Services) -> None:
    async def scenario(service: Service) -> None:
        viewer = await service.key("viewer")
        for method, path, change in await things(service):
            told = problem(await service.ask(method, path, json=change, x_api_key=viewer), 403)
            assert "revision" not in told

    services(scenario)


def test_a_conflict_shows_both_texts(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        for method, path, change in await things(service):
            seen = (await service.get(path, **key)).json()
            (name,) = change
            theirs: dict[str, Any] = {
                "items": {"items": [{"title": "Theirs", "target": "/"}]},
                "kinds": {"kinds": ["png"]},
            }.get(name, {name: "Theirs"})
            based_on = {"based_on": seen["revision"]}
            first = await service.ask(method, path, json=theirs | based_on, **key)
            assert first.status_code == 200, first.text
            answer = await service.ask(method, path, json=change | based_on, **key)
            told = problem(answer, 409)
            assert told["type"] == "urn:mosaic:problem:edit-conflict"
            (conflict,) = told["conflicts"]
            assert conflict["where"] == name
            assert ("Mine" in str(conflict["mine"])) or (name in {"items", "kinds"})
            assert conflict["mine"] != conflict["theirs"]
            assert told["revision"] == first.json()["revision"]
            settled = change | {"based_on": told["revision"]}
            assert (await service.ask(method, path, json=settled, **key)).status_code == 200

    services(scenario)


def test_both_blocks_of_a_conflict_on_a_page_are_whole(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("editor")}
        seen = (await service.get(VISIT, **key)).json()

        def saying(words: str) -> dict[str, Any]:
            (block,) = seen["regions"]["main"]
            regions = {"main": [{**block, "data": {"text": words}}]}
            return {"json": {"regions": regions, "based_on": seen["revision"]}, **key}

        assert (await service.ask("PATCH", VISIT, **saying("Theirs."))).status_code == 200
        told = problem(await service.ask("PATCH", VISIT, **saying("Mine.")), 409)
        (conflict,) = told["conflicts"]
        (block,) = seen["regions"]["main"]
        assert (conflict["where"], conflict["block_id"]) == ("main[0]", block["id"])
        sides = [conflict[side]["data"]["text"] for side in ("base", "mine", "theirs")]
        assert sides == [block["data"]["text"], "Mine.", "Theirs."]

    services(scenario)


def test_the_document_says_so(services: Services) -> None:
    async def scenario(service: Service) -> None:
        paths = (await service.get("/openapi.json")).json()["paths"]
        told = {
            operation["operationId"]
            for operations in paths.values()
            for operation in operations.values()
            if "428" in operation["responses"]
        }
        assert {"pages.edit", "shared.edit", "menus.set", "sites.configure"} <= told
        assert not {"pages.create", "menus.add", "pages.restore"} & told

    services(scenario)


def test_of_many_who_save_at_once_each_text_is_there_or_its_author_was_told(
    deployments: Deployments,
) -> None:
    """Editors at two instances write a word to blocks of one page, to a shared block and to a menu,
    over and over, from what they saw last, and begin again when they are told of a conflict."""

    async def scenario(here: Deployment) -> None:
        blocks = [new_block("markdown", {"text": f"{n}:"}) for n in range(4)]
        await here.do("pages.edit", path="/visit/", regions={"main": blocks})
        shared = await here.do("shared.create", name="Words", blocks=blocks[:1])
        key = (await here.do("keys.create", name="test", role="editor")).key
        async with opened(deployments.root) as there:
            services = [Service(each, Api(each.product)) for each in (here, there)]
            saved: list[tuple[str, str]] = []
            outcomes = {200: 0, 409: 0, 412: 0}
            words = (f"word{number}x" for number in count())

            async def work(number: int) -> None:
                chance = random.Random(number)
                service = services[number % 2]
                for _ in range(4):
                    path = chance.choice((VISIT, VISIT, f"/shared/{shared.id}", "/menus/side"))
                    seen = await service.get(path, x_api_key=key)
                    for _ in range(60):
                        word = next(words)
                        await asyncio.sleep(chance.random() / 50)
                        asked = _with(word, seen, chance)
                        answer = await service.ask(
                            "PUT" if "menus" in path else "PATCH", path, x_api_key=key, **asked
                        )
                        outcomes[answer.status_code] += 1
                        if answer.status_code == 200:
                            saved.append((path, word))
                            break
                        _tells_both(answer, word)
                        seen = await service.get(path, x_api_key=key)
                    else:
                        pytest.fail("nobody else is that fast")

            await asyncio.gather(*map(work, range(8)))
            for path in {path for path, _ in saved}:
                now = (await services[0].get(path, x_api_key=key)).text
                assert [word for at, word in saved if at == path and word not in now] == []
            assert len(saved) == 32
            assert outcomes[409] > 0, "they were in each other's way"
            assert outcomes[412] > 0

    deployments(scenario)


def _with(word: str, seen: httpx.Response, chance: random.Random) -> dict[str, Any]:
    """A change that adds a word to what was seen, based on it in one of the two ways."""
    view = seen.json()
    if "items" in view:
        change = {"items": [*map(_entry, view["items"]), {"title": word, "target": "/"}]}
    elif "regions" in view:
        change = {"regions": {"main": _said(view["regions"]["main"], word, chance)}}
    else:
        change = {"blocks": _said(view["blocks"], word, chance)}
    if chance.random() < 0.3:
        return {"json": change, "if_match": seen.headers["etag"]}
    return {"json": change | {"based_on": view["revision"]}}


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    return {"title": item["title"], "target": item["target"]}


def _said(blocks: list[dict[str, Any]], word: str, chance: random.Random) -> list[dict[str, Any]]:
    at = chance.randrange(len(blocks))
    text = f"{blocks[at]['data']['text']} {word}"
    return [*blocks[:at], {**blocks[at], "data": {"text": text}}, *blocks[at + 1 :]]


def _tells_both(answer: httpx.Response, word: str) -> None:
    if answer.status_code == 409:
        conflicts = answer.json()["conflicts"]
        assert any(word in str(conflict["mine"]) for conflict in conflicts)
        assert all(word not in str(conflict["theirs"]) for conflict in conflicts)
