"""The permission matrix over HTTP: every action, whoever asks, in whatever state the tenant is.

What is expected comes from the one table that says the least that somebody must be for each action.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from mosaic_cms.api.cookies import SESSION
from mosaic_cms.api.shapes import Shape
from mosaic_cms.isolation_inputs import inputs
from mosaic_cms.rights import END_OWN, SELF, Role
from mosaic_cms.scope import TenantScope
from tests.api.conftest import Service, Services, problem
from tests.cms.access.people import People
from tests.cms.deployment import OPERATOR
from tests.cms.test_rights import EVERYBODY, SIGNED_IN, TABLE

LEVELS = {role: level for level, role in enumerate(reversed(Role), SIGNED_IN + 1)}
#: After these, who did them has to sign in again, or belongs to nothing.
ENDING = {"members.leave", "sessions.end_others", "tokens.revoke", "accounts.change_password"}


async def ask(service: Service, shape: Shape, host: str = "", **headers: str) -> httpx.Response:
    """Asks for an action with the least that its input takes."""
    given = next(inputs(shape, ()))
    path = shape.path
    for name in shape.in_path:
        path = path.replace(f"{{{name}}}", quote(str(given.get(name) or "x"), safe=""))
    query = urlencode({name: str(given[name]) for name in shape.in_query if name in given})
    body: dict[str, Any] = {}
    if shape.has_body:
        body["json"] = {name: given[name] for name in shape.in_body if name in given}
    target = f"{path}?{query}" if query else path
    return await service.ask(
        shape.method, target, **({"host": host} if host else {}), **body, **headers
    )


def refused(response: httpx.Response, shape: Shape) -> bool:
    """Whether it was decided that whoever asks may not."""
    if response.status_code not in {401, 403}:
        return False
    told = problem(response, response.status_code)["detail"]
    return bool(told.startswith(f"{shape.action.name} was refused: "))


class Somebody:
    """A member of a role, who signs in as often as it takes."""

    def __init__(self, service: Service, role: Role) -> None:
        self.service, self.role = service, role
        self.people = People(service.deployment)
        self.token = ""

    async def signed_in(self) -> dict[str, str]:
        if not self.token:
            deployment, product = self.service.deployment, self.service.deployment.product
            account = self.people.ids.get("one") or await self.people.add("one")
            members = {str(m.account) for m in await deployment.do("members.list")}
            if str(account) not in members:
                given = {"email": "one@example.com", "role": self.role}
                await deployment.do("members.add", **given)
            tenant = self.people.tenant_id
            tokens = await product.identity.bearer.issue(account, tenant, (), OPERATOR)
            self.token = tokens.access
        return {"authorization": f"Bearer {self.token}"}

    async def ask(self, shape: Shape, host: str = "") -> httpx.Response:
        """With a token that is for everything, or in a session where that takes one."""
        headers = await self.signed_in()
        if not host and takes_session(shape):
            headers = await self.browser()
        response = await ask(self.service, shape, host, **headers)
        if shape.action.name in ENDING:
            self.token = ""
        return response

    async def browser(self) -> dict[str, str]:
        identity, account = self.service.deployment.product.identity, self.people.ids["one"]
        started = await identity.store.write(
            lambda write: identity.sessions.start(write, account), actor="test", action="test"
        )
        csrf = identity.secrets.token("csrf", str(started.id))
        return {"cookie": f"{SESSION}={started.cookie}", "x_csrf_token": csrf}


def takes_session(shape: Shape) -> bool:
    """Whether an action changes what is its owner's own."""
    needs = shape.action.needs
    return needs.resource == SELF and needs.verb not in {"read", END_OWN.verb}


@asynccontextmanager
async def suspended(service: Service, status: str) -> AsyncIterator[None]:
    await service.deployment.rule("tenants.suspend", slug="aurora", status=status, reason="Unpaid")
    yield
    await service.deployment.rule("tenants.resume", slug="aurora")


@pytest.mark.parametrize("role", list(Role))
def test_the_matrix_holds(services: Services, role: Role) -> None:
    async def scenario(service: Service) -> None:
        deployment = service.deployment
        await deployment.do("members.add", email=await _owner(service), role="owner")
        somebody = Somebody(service, role)
        for shape in service.api.shapes:
            name = shape.action.name
            may = TABLE[name] <= LEVELS[role]
            if takes_session(shape):
                by_token = await ask(service, shape, **await somebody.signed_in())
                assert refused(by_token, shape), f"{name}: with a token for everything"
            assert refused(await somebody.ask(shape), shape) != may, f"{name}: own tenant"
            other = problem(await somebody.ask(shape, "bread.mosaic.test"), 403)
            assert "do not name the same tenant" in other["detail"], f"{name}: another tenant"
        await somebody.signed_in()
        tenants = [shape for shape in service.api.shapes if shape.action.scope is TenantScope]
        async with suspended(service, "read-only"):
            for shape in tenants:
                response = await somebody.ask(shape)
                if TABLE[shape.action.name] > LEVELS[role]:
                    assert refused(response, shape), shape.action.name
                elif shape.writes and not shape.action.suspended and response.status_code != 422:
                    told = problem(response, 403)["detail"]
                    assert told == "'aurora' is read-only: Unpaid.", shape.action.name
                else:
                    assert not refused(response, shape), shape.action.name
        async with suspended(service, "closed"):
            for shape in tenants:
                response = await somebody.ask(shape)
                may = TABLE[shape.action.name] <= LEVELS[role]
                assert response.status_code in ({503, 422} if may else {403}), shape.action.name

    services(scenario, rates=_NO_LIMITS)


def test_nobody_gets_what_everybody_gets_and_a_revoked_key_of_any_role_nothing(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        deployment = service.deployment
        await deployment.do("sites.configure", api_public=True)
        keys = [await service.key(role) for role in Role]
        for made in await deployment.do("keys.list"):
            await deployment.do("keys.revoke", id=made.id)
        for shape in service.api.shapes:
            name = shape.action.name
            response = await ask(service, shape)
            assert refused(response, shape) != (TABLE[name] == EVERYBODY), name
            if refused(response, shape):
                assert response.status_code == 401, name
            for key in keys:
                problem(await ask(service, shape, x_api_key=key), 401)

    services(scenario, rates=_NO_LIMITS)


async def _owner(service: Service) -> str:
    """The address of somebody who owns the tenant beside whoever is tried."""
    await People(service.deployment).add("owner")
    return "owner@example.com"


_NO_LIMITS = {"tenant": 10**9, "actor": 10**9}
