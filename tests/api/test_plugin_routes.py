"""A plugin's own routes perform actions for whoever asks, with the rights of every other face."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mosaic_cms.api.app import Api
from mosaic_cms.sdk import call_of
from mosaic_core.errors import PluginConflict, PluginInvalid
from tests.api.conftest import Service, Services, problem
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with


async def titles(request: Request) -> Response:
    """What there is, in a protocol of its own."""
    call = call_of(request)
    pages = await call.perform("pages.list", {})
    return JSONResponse({"site": call.site, "titles": [page.title for page in pages]})


async def echo(request: Request) -> Response:
    """Says what it was sent."""
    return JSONResponse({"size": len(await request.body())})


async def broken(request: Request) -> Response:
    """Fails."""
    raise RuntimeError("a secret of the inside")


ROUTES = [
    Route("/api/notes/titles", titles),
    Route("/api/notes/echo", echo, methods=["POST"]),
    Route("/api/notes/broken", broken),
]


async def ask(service: Service, method: str, path: str, **given: Any) -> httpx.Response:
    """What is answered at an address of any kind."""
    host = given.pop("host", "aurora.mosaic.test")
    transport = httpx.ASGITransport(service.api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.request(method, f"https://{host}{path}", **given)


def test_it_performs_actions_for_whoever_asks(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(service: Service) -> None:
        key, other = await service.key("viewer"), await service.key("owner", "bread")
        found = await ask(service, "GET", "/api/notes/titles", headers={"x-api-key": key})
        assert found.status_code == 200
        assert found.json()["titles"]
        assert found.headers["x-content-type-options"] == "nosniff"
        problem(await ask(service, "GET", "/api/notes/titles"), 401)
        foreign = {"x-api-key": other}
        problem(await ask(service, "GET", "/api/notes/titles", headers=foreign), 403)
        shared = await ask(service, "GET", "/api/notes/titles", host="mosaic.test", headers=foreign)
        assert shared.json()["titles"] != found.json()["titles"]
        told = problem(await ask(service, "GET", "/api/notes/titles", host="mosaic.test"), 400)
        assert "X-Tenant-Id" in told["hint"]
        told = problem(await ask(service, "GET", "/api/notes/broken"), 500)
        assert "secret" not in str(told)
        problem(await ask(service, "GET", "/api/notes/nothing"), 404)
        problem(await ask(service, "DELETE", "/api/notes/echo"), 405)
        said = await ask(service, "POST", "/api/notes/echo", content=b"x" * 1000)
        assert said.json() == {"size": 1000}
        long = b"x" * (16 * 1024 * 1024 + 1)
        problem(await ask(service, "POST", "/api/notes/echo", content=long), 413)
        assert not service.api.takes(_scope("/api/others/titles"))

    services(scenario, plugins=plugins_with(monkeypatch, notes={"mosaic_routes": lambda: ROUTES}))


@pytest.mark.parametrize(
    ("route", "named"),
    [
        ("/api/notes", "is no route"),
        (Route("/notes", titles), "/api/notes"),
        (Route("/api/v1/pages", titles), "beside /api/v1"),
        (Route("/api/", titles), "/api/notes"),
    ],
)
def test_what_is_no_route_of_its_own_is_refused(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, route: Any, named: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(PluginInvalid) as told:
            Api(deployment.product)
        assert named in f"{told.value.message} {told.value.hint}"

    plugins = plugins_with(monkeypatch, notes={"mosaic_routes": lambda: [route]})
    deployments(scenario, plugins=plugins)


def test_two_plugins_do_not_share_a_folder(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(PluginConflict, match="'one' and 'other' both serve /api/notes"):
            Api(deployment.product)

    offer = {"mosaic_routes": lambda: ROUTES}
    deployments(scenario, plugins=plugins_with(monkeypatch, one=offer, other=offer))


def _scope(path: str) -> dict[str, Any]:
    headers = [(b"host", b"aurora.mosaic.test")]
    return {"type": "http", "path": path, "headers": headers, "scheme": "https"}
