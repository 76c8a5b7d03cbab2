"""Files over HTTP: a body that is the file itself, of any length, in one piece or in parts."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.api.conftest import Service, Services, problem
from tests.cms.media.hostile import photo

LARGE = 48 * 1024 * 1024


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b"a line of sixty-four bytes, which are as many as are on a line.\n" * 1024


def test_a_file_is_sent_as_it_is(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        asked = {"name": "Çini.jpg", "alt": "A panel", "tags": ["tiles", "blue"]}
        sent = await service.ask("POST", "/media", params=asked, content=photo(), x_api_key=key)
        assert sent.status_code == 200, sent.text
        media = sent.json()["media"]
        assert (media["name"], media["tags"], media["width"]) == (
            "Çini.jpg",
            ["tiles", "blue"],
            400,
        )
        shown = await service.get(f"/media/{media['reference']}", x_api_key=key)
        assert shown.json() == media
        new = await service.ask(
            "PUT", f"/media/{media['reference']}/content", content=photo(), x_api_key=key
        )
        assert new.json()["media"]["version"] == 2
        told = problem(
            await service.ask(
                "POST", "/media", params={"name": "a.png"}, content=b"MZ", x_api_key=key
            ),
            422,
        )
        assert "'a.png' was refused: By its content it is a program" in told["detail"]
        told = problem(await service.ask("POST", "/media", content=b"x", x_api_key=key), 422)
        assert "name" in told["detail"]
        form = {
            "content": b"--x\r\n\r\nx\r\n--x--",
            "content_type": "multipart/form-data; boundary=x",
        }
        told = problem(
            await service.ask("POST", "/media", params={"name": "a.jpg"}, x_api_key=key, **form),
            415,
        )
        assert "the file itself as the body" in told["hint"]
        assert len((await service.get("/media", x_api_key=key)).json()["items"]) == 1
        again = {"x_api_key": key, "if_match": '"x"', "params": {"name": "a.jpg"}}
        address = f"/media/{media['reference']}/content"
        problem(await service.ask("PUT", address, content=photo(), **again), 400)

    services(scenario)


def test_nothing_is_read_of_what_somebody_sends_who_may_not(services: Services) -> None:
    async def scenario(service: Service) -> None:
        read: list[bytes] = []

        async def watched() -> AsyncIterator[bytes]:
            async for chunk in chunks(LARGE):
                read.append(chunk)
                yield chunk

        viewer = await service.key("viewer")
        asked: dict[str, Any] = {"params": {"name": "a.txt"}, "x_api_key": viewer}
        problem(await service.ask("POST", "/media", content=watched(), **asked), 403)
        problem(await service.ask("POST", "/media", content=watched(), params={"name": "a"}), 401)
        assert len(read) <= 2

    services(scenario)


def test_a_long_file_takes_no_memory(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        tracemalloc.start()
        try:
            sent = await service.ask(
                "POST", "/media", params={"name": "a.txt"}, content=chunks(LARGE), x_api_key=key
            )
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sent.json()["media"]["size"] == LARGE
        assert most < 16 * 1024 * 1024, f"{most:,} bytes"

    services(scenario)


def test_a_file_comes_in_parts_over_http(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        content = photo()
        begun = await service.ask(
            "POST",
            "/media/uploads",
            json={"name": "kiln.jpg", "size": len(content), "alt": "A kiln"},
            x_api_key=key,
        )
        upload = begun.json()["id"]
        part = f"/media/uploads/{upload}/parts/1"
        told = await service.ask("PUT", part, content=content[:-1], x_api_key=key)
        problem(told, 422)
        assert (await _shown(service, upload, key)).json()["missing"] == [1]
        assert (await service.ask("PUT", part, content=content, x_api_key=key)).status_code == 200
        assert (await _shown(service, upload, key)).json()["missing"] == []
        done = await service.ask("POST", f"/media/uploads/{upload}/finish", x_api_key=key)
        assert done.json()["media"]["alt"] == "A kiln"
        problem(await _shown(service, upload, key), 404)

    services(scenario)


async def _shown(service: Service, upload: str, key: str) -> httpx.Response:
    return await service.get(f"/media/uploads/{upload}", x_api_key=key)
