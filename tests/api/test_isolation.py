"""No tenant's people get anything of another's; and the harness that says so notices who leaks."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mosaic_cms.sdk import Model, Permission, TenantScope, action, call_of, check_isolation
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
