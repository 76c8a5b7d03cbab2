"""No tenant's people get anything of another's; and the harness that says so notices who leaks."""

from __future__ import annotations

import asyncio
import base64
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mosaic_cms.product import Product
from mosaic_cms.rights import SELF
from mosaic_cms.scope import SYSTEM, PlatformScope
from mosaic_cms.sdk import Model, Permission, TenantScope, action, call_of, check_isolation
from mosaic_core.errors import NotFound
from mosaic_core.testing.asgi import Call, check_asgi_isolation
from tests.cms.plugs import plugins_with

_SEEN: dict[str, str] = {}
_READ = Permission("read", "content")


class Nothing(Model):
    """No input."""


class Which(Model):
    """A tenant, or something of one."""

    name: str


class Said(Model):
    """Words."""

    words: str


@action("leaky.cached", needs=_READ, effect="read", http="GET /leaky/cached")
async def cached(scope: TenantScope, command: Nothing) -> Said:
    """Keeps what the first tenant has, for all."""
    pages = await scope.product.actions.perform("pages.list", scope, {})
    return Said(words=_SEEN.setdefault("pages", ", ".join(page.title for page in pages)))


@action("leaky.reaching", needs=_READ, http="POST /leaky/reaching")
async def reaching(scope: TenantScope, command: Which) -> Said:
    """Takes a name for a right."""
    product = scope.product
    tenant = product.platform.directory.tenant(command.name)
    if tenant is None:
        return Said(words="")
    other = product.scope(tenant, scope.actor)
    pages = await product.actions.perform("pages.list", other, {})
    return Said(words=base64.b64encode(repr(pages).encode()).decode())


@action("leaky.meddling", needs=_READ, http="POST /leaky/meddling")
async def meddling(scope: TenantScope, command: Which) -> Said:
    """Writes to whichever tenant it is told."""
    product = scope.product
    tenant = product.platform.directory.tenant(command.name)
    if tenant is not None:
        other = product.scope(tenant, scope.actor)
        await product.actions.perform("pages.create", other, {"slug": "x", "title": "X"})
    return Said(words="")


@action("leaky.logging", needs=_READ, effect="read", http="GET /leaky/logging")
async def logging_all(scope: TenantScope, command: Nothing) -> Said:
    """Tells the log about everybody."""
    for tenant in await scope.product.platform.directory.records():
        other = scope.product.scope(tenant.tenant, scope.actor)
        pages = await scope.product.actions.perform("pages.list", other, {})
        logging.getLogger("leaky").info("%s", [page.title for page in pages])
    return Said(words="")


@action("decent.count", needs=_READ, effect="read", http="GET /decent/count")
async def count(scope: TenantScope, command: Nothing) -> Said:
    """Says how many pages there are."""
    pages = await scope.product.actions.perform("pages.list", scope, {})
    return Said(words=str(len(pages)))


async def all_titles(product: Product) -> str:
    """What everybody has."""
    found = []
    for record in await product.platform.directory.records():
        scope = product.scope(record.tenant, SYSTEM)
        found += [page.title for page in await product.actions.perform("pages.list", scope, {})]
    return ", ".join(found)


@action("leaky.own", needs=Permission("read", SELF), effect="read", http="GET /leaky/own")
async def own(scope: PlatformScope, command: Nothing) -> Said:
    """Tells whoever is signed in about everybody."""
    return Said(words=await all_titles(scope.product))


@action("leaky.shapeless", needs=_READ, effect="read")
async def shapeless(scope: TenantScope, command: Nothing) -> Said:
    """The same, where no address leads."""
    return Said(words=await all_titles(scope.product))


@action("leaky.renaming", needs=Permission("update", SELF), http="POST /leaky/renaming")
async def renaming(scope: PlatformScope, command: Which) -> Said:
    """Gives whichever account another name."""
    accounts = scope.product.identity.accounts
    with suppress(ValueError, NotFound):
        await accounts.rename(UUID(command.name), "Somebody", scope.actor)
    return Said(words="")


def test_no_tenant_sees_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer: dict[str, Any] = {"mosaic_actions": lambda: [count]}
    findings = check_isolation(tmp_path, loaded=plugins_with(monkeypatch, decent=offer))
    assert findings.calls > 2_000
    assert {200, 201, 401, 403, 404, 422} <= findings.statuses.keys()


@pytest.mark.parametrize(
    ("leaky", "words"),
    [
        (cached, r"leaky\.cached: GET .* in the body"),
        (reaching, r"leaky\.reaching: POST .* in the body"),
        (meddling, "another tenant's content was changed"),
        (logging_all, r"leaky\.logging: GET .* in the log"),
        (own, r"leaky\.own: GET .* in the body"),
        (shapeless, r"leaky\.shapeless: POST .* in the body"),
        (renaming, "the account of another tenant's was changed"),
    ],
)
def test_a_plugin_that_leaks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaky: Any, words: str
) -> None:
    _SEEN.clear()
    offer: dict[str, Any] = {"mosaic_actions": lambda: [leaky]}
    with pytest.raises(AssertionError, match=words):
        check_isolation(tmp_path, loaded=plugins_with(monkeypatch, leaky=offer), only="leaky.")


def test_a_route_that_leaks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def titles(request: Request) -> JSONResponse:
        pages = await call_of(request).perform("pages.list", {})
        seen.extend(page.title for page in pages)
        return JSONResponse(seen)

    offer: dict[str, Any] = {"mosaic_routes": lambda: [Route("/api/titles", titles)]}
    with pytest.raises(AssertionError, match=r"a route: GET \S+/api/titles gave"):
        check_isolation(tmp_path, loaded=plugins_with(monkeypatch, titles=offer), only="titles.")


@pytest.mark.parametrize(
    ("path", "methods"), [("/api/leaky/{name}", ["GET"]), ("/api/leaky", ["POST"])]
)
def test_a_route_that_leaks_is_named_however_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, methods: list[str]
) -> None:
    async def titles(request: Request) -> JSONResponse:
        return JSONResponse(await all_titles(call_of(request)._product))

    offer: dict[str, Any] = {"mosaic_routes": lambda: [Route(path, titles, methods=methods)]}
    with pytest.raises(AssertionError, match=rf"a route: {methods[0]} \S+/api/leaky"):
        check_isolation(tmp_path, loaded=plugins_with(monkeypatch, leaky=offer), only="nothing.")


CANARY = "canary-of-theirs"


@pytest.mark.parametrize(
    ("headers", "body", "place"),
    [
        ([], b"<p>Canary-of-THEIRS</p>", "the body"),
        ([], b'{"a": "canary-of-theirs"}', "the body"),
        ([], base64.b64encode(b"x canary-of-theirs x"), "the body"),
        ([(b"etag", b"canary-of-theirs")], b"", "the header etag"),
        ([(b"location", b"/canary-of-theirs/")], b"", "the header location"),
    ],
)
def test_a_canary_is_found_wherever_it_is(
    headers: list[tuple[bytes, bytes]], body: bytes, place: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    calls = [Call("a visit", "GET", "ours.test", "/")]
    with pytest.raises(AssertionError, match=place):
        asyncio.run(check_asgi_isolation(app, calls, [CANARY]))
    asked = [Call("a search", "GET", "ours.test", f"/?q={CANARY}")]
    if place == "the body" and body.startswith(b"<p>"):  # what somebody sent may come back
        asyncio.run(check_asgi_isolation(app, asked, [CANARY]))


def test_a_harness_that_sees_no_canary_at_all_fails() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    call = Call("a visit", "GET", "theirs.test", "/")
    with pytest.raises(AssertionError, match="no canary is to be seen"):
        asyncio.run(check_asgi_isolation(app, [call], [CANARY], before=[call]))
    with pytest.raises(AssertionError, match="made no call"):
        asyncio.run(check_asgi_isolation(app, [], [CANARY]))
