"""The API of a deployment, asked over HTTP as programs ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mosaic_cms.api.app import Api
from tests.cms.conftest import deployments, made_deployment
from tests.cms.deployment import Deployment, Deployments

__all__ = ["deployments", "made_deployment"]
OWN, SHARED = "aurora.mosaic.test", "mosaic.test"


@dataclass(slots=True)
class Service:
    """An open deployment and its API."""

    deployment: Deployment
    api: Api

    async def ask(self, method: str, path: str, *, host: str = OWN, **given: Any) -> httpx.Response:
        """What a program gets for a path below ``/api/v1``; header names have underscores here."""
        headers = {
            name.replace("_", "-"): given.pop(name)
            for name in list(given)
            if name not in {"json", "content", "params", "cookies"}
        }
        transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            address = f"https://{host}/api/v1{path}"
            return await client.request(method, address, headers=headers, **given)

    async def key(self, role: str = "owner", slug: str = "aurora", **restricted: Any) -> str:
        """An API key of a tenant."""
        made = await self.deployment.do("keys.create", slug, name="test", role=role, **restricted)
        return str(made.key)

    async def get(self, path: str, **given: Any) -> httpx.Response:
        return await self.ask("GET", path, **given)


Scenario = Callable[[Service], Awaitable[None]]
Services = Callable[..., None]


@pytest.fixture
def services(deployments: Deployments) -> Services:
    """Runs scenarios, each over a deployment of its own."""

    def run(scenario: Scenario, **tables: Any) -> None:
        async def opened(deployment: Deployment) -> None:
            await scenario(Service(deployment, Api(deployment.product)))

        deployments(opened, **tables)

    return run


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of an answer, which is one of this status (RFC 9457)."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:mosaic:problem:")
    assert told["detail"].endswith(".")
    assert "Traceback" not in response.text
    return told
