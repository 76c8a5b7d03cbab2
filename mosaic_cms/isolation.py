"""Tries whether one tenant's people get anything of another's, whatever they ask for.

A plugin's author runs it over the product with the plugin in it, in one line of a test::

    from mosaic_cms.sdk import check_isolation

    def test_no_tenant_sees_another(tmp_path):
        check_isolation(tmp_path, plugins=["greetings"])

Two tenants are made. Everything of one has a canary in it: pages, drafts, what was deleted, shared
blocks, menus, files, forms that were filled in, and its people are called by it. Then the owner of
the other, by a key and signed in, and nobody at all, ask for every page, feed, search and route,
and perform every action, also those that have no address, with every name of the first that they
could have got hold of.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pydantic_core
from starlette.requests import Request
from starlette.responses import Response

from mosaic_cms.api import problems
from mosaic_cms.api.about import PREFIX
from mosaic_cms.api.app import Api
from mosaic_cms.api.callers import Callers, scope_of
from mosaic_cms.api.shapes import Shape
from mosaic_cms.isolation_inputs import inputs, names_in
from mosaic_cms.isolation_tenants import Filling, Headers
from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import Product, open_product
from mosaic_cms.rights import SELF
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.errors import MosaicError
from mosaic_core.plugins import Plugins
from mosaic_core.settings import Settings, make_settings
from mosaic_core.testing.asgi import Call, Findings, check_asgi_isolation, send

_DOMAIN = "isolation.test"
OURS, THEIRS = "ours", "theirs"
_NO_LIMITS = {"persistence": "tenancy_sqlite", "storage": "storage_local", "limits": {}}
_PLUGINS = ("host_resolvers", "tenancy_sqlite", "storage_local")
_SITE_PATHS = (
    *("/", "/search/", "/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml", "/robots.txt"),
    *("/tags/", "/archive/", "/authors/", "/categories/", "/nothing/here/", "/-/ready"),
)
#: Names that are tried on one action, at most.
_MOST = 60
#: Where the harness itself performs what has no address, in the name of whoever asks.
_PERFORM = f"{PREFIX}/-/perform/"


def check_isolation(
    folder: Path,
    *,
    plugins: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    loaded: Plugins | None = None,
    only: str = "",
) -> Findings:
    """Runs all of it over a deployment in an empty folder; about a minute.

    Args:
        plugins: the names of those that are tried, beside the ones that it takes to run.
        settings: tables of ``mosaic.toml`` that they need.
        loaded: the plugins themselves, where they are not installed.
        only: how the names of the actions begin that are tried; all of them, and all pages,
            without.

    Raises:
        AssertionError: naming every call that gave something away, changed something of another
            tenant, or failed.
    """
    tables: dict[str, Any] = dict(settings or {})
    platform = {"domain": _DOMAIN, "plugins": [*_PLUGINS, *plugins], "default_tier": "open"}
    tables["platform"] = platform | tables.get("platform", {})
    tables["tiers"] = {"open": _NO_LIMITS} | tables.get("tiers", {})
    tables["rates"] = {"tenant": 10**9, "actor": 10**9}
    return asyncio.run(_run(make_settings(tables, root=folder), loaded, only))


async def _run(settings: Settings, loaded: Plugins | None, only: str) -> Findings:
    await migrate_platform(settings)
    async with open_product(settings, plugins=loaded) as product:
        return await Harness(product, only).run()


class Harness:
    """Two tenants of a product, and all that one can ask for."""

    def __init__(self, product: Product, only: str = "") -> None:
        self._product = product
        self._only = only
        self._site, self._api = SiteApp(product), Api(product)
        self._keys: dict[str, str] = {}
        #: What the people of a tenant show, each of one account.
        self._signed_in: dict[str, list[Headers]] = {}
        self._callers = Callers(product)
        self._shapes = [*self._api.shapes, *self._shapeless()]

    def _shapeless(self) -> list[Shape]:
        """Actions that no address performs, with one of the harness."""
        known = {shape.action.name for shape in self._api.shapes}
        below = _PERFORM.removeprefix(PREFIX)
        return [
            Shape(action, "POST", f"{below}{action.name}")
            for action in self._product.actions
            if action.name not in known
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        face: Any = self._api if self._api.takes(scope) else self._site
        if scope["path"].startswith(_PERFORM):
            face = await self._performed(Request(scope, receive))
        await face(scope, receive, send)

    async def _performed(self, request: Request) -> Response:
        """As a plugin performs it for whoever asks."""
        action = self._product.actions.get(request.url.path.removeprefix(_PERFORM))
        try:
            caller = await self._callers.of(request)
            scope = scope_of(self._product, action, caller)
            result = await self._product.actions.perform(action.name, scope, await request.json())
        except MosaicError as error:
            return problems.answer(error)
        return Response(pydantic_core.to_json(result, fallback=repr))

    async def run(self) -> Findings:
        """Makes the tenants, asks, and looks."""
        canary, handle = f"canary{secrets.token_hex(6)}", f"handle{secrets.token_hex(4)}"
        # What somebody does may end all of their sessions: so each thing is done by another.
        await self._make(OURS, "plain", "plain", len(self._own()))
        await self._make(THEIRS, canary, handle, 1)
        theirs = self._product.platform.directory.named(THEIRS)
        before = [await send(self, call) for call in self._reads(THEIRS)]
        known = names_in(before) | {theirs.tenant_id, THEIRS}
        # Ours may write down what they know, and read it again. The canary they do not know.
        names = {name for name in known if canary not in name}
        persistence = self._product.platform.persistence(theirs)
        head = await persistence.head(theirs)
        account = await send(self, self._account_of_theirs())
        findings = await check_asgi_isolation(
            self,
            [
                *(() if self._only else self._visits([*names, canary])),
                *self._attempts(sorted(names)),
                *self._of_ones_own(sorted(names)),
                *self._reads(OURS),
            ],
            [canary],
            before=self._reads(THEIRS),
        )
        assert await persistence.head(theirs) == head, "another tenant's content was changed"
        after = await send(self, self._account_of_theirs())
        assert after.body == account.body, "the account of another tenant's was changed"
        await self._product.ledger.flush()
        return findings

    async def _make(self, slug: str, word: str, handle: str, people: int) -> None:
        tenant = await Filling(self._product, slug, word, opened=slug == OURS).fill(handle)
        self._keys[slug] = tenant.key
        self._signed_in[slug] = [await tenant.sign_in(number) for number in range(people)]

    # What is asked for

    def _own(self) -> list[Shape]:
        """What is about whoever is signed in."""
        return [shape for shape in self._shapes if shape.action.needs.resource == SELF]

    def _reads(self, slug: str) -> Iterator[Call]:
        """Everything of a tenant that its owner reads without naming anything."""
        host = f"{slug}.{_DOMAIN}"
        for path in _SITE_PATHS:
            yield Call("a visit", "GET", host, path)
        key, person = (("x-api-key", self._keys[slug]),), self._signed_in[slug][0]
        for method, path in self._api.plugins.asked():
            yield Call("a route", method, host, path, key)
        for shape in self._shapes:
            if shape.action.effect == "read" and not shape.in_path and not _takes(shape):
                yield self._call(shape, key, {}, host)
                yield self._call(shape, person, {}, _DOMAIN)

    def _visits(self, names: Iterable[str]) -> Iterator[Call]:
        """A visitor of ours looks for what is theirs."""
        for host in (f"{OURS}.{_DOMAIN}", _DOMAIN, f"nobody.{_DOMAIN}"):
            for path in _SITE_PATHS:
                yield Call("a visit", "GET", host, path)
            for method, path in self._api.plugins.asked(names):
                yield Call("a route", method, host, path)
            for name in names:
                target = quote(name if name.startswith("/") else f"/{name}/")
                yield Call("a visit", "GET", host, target)
                yield Call("a search", "GET", host, f"/search/?{urlencode({'q': name})}")
                yield Call("a file", "GET", host, f"/-/media/{quote(name, safe='')}/x.png")
                yield Call("a form", "POST", host, target, (("origin", f"https://{host}"),))

    def _attempts(self, names: Sequence[str]) -> Iterator[Call]:
        """Every action, in the name of our owner and of nobody, about what is theirs."""
        ours = (("x-api-key", self._keys[OURS]),)
        theirs = self._product.platform.directory.named(THEIRS).tenant_id
        for method, path in self._api.plugins.asked(names[:_MOST]):
            yield Call("a route", method, f"{OURS}.{_DOMAIN}", path, ours, b"{}")
            yield Call("a route", method, f"{THEIRS}.{_DOMAIN}", path, ours, b"{}")
            yield Call("a route", method, _DOMAIN, path, (*ours, ("x-tenant-id", theirs)), b"{}")
        for shape in self._shapes:
            if not shape.action.name.startswith(self._only):
                continue
            for given in inputs(shape, names[:_MOST]):
                yield self._call(shape, ours, given, f"{OURS}.{_DOMAIN}")
            for given in inputs(shape, names[:3]):
                yield self._call(shape, (), given, f"{THEIRS}.{_DOMAIN}")
                yield self._call(shape, ours, given, f"{THEIRS}.{_DOMAIN}")
                yield self._call(shape, ours, given, _DOMAIN, tenant=theirs)
                yield self._call(shape, (), given, _DOMAIN, tenant=theirs)

    def _of_ones_own(self, names: Sequence[str]) -> Iterator[Call]:
        """Every action that is about whoever is signed in, with what is theirs."""
        theirs = self._product.platform.directory.named(THEIRS).tenant_id
        for shape, person in zip(self._own(), self._signed_in[OURS], strict=True):
            if shape.action.name.startswith(self._only):
                yield self._call(shape, person, {}, _DOMAIN, tenant=theirs)
                for given in inputs(shape, names[:_MOST]):
                    yield self._call(shape, person, given, _DOMAIN)

    def _account_of_theirs(self) -> Call:
        (person,) = self._signed_in[THEIRS]
        return Call("an account", "GET", _DOMAIN, f"{PREFIX}/account", person)

    def _call(
        self,
        shape: Shape,
        shown: Headers,
        given: Mapping[str, Any],
        host: str,
        *,
        tenant: str | None = None,
    ) -> Call:
        path = shape.path
        for name in shape.in_path:
            path = path.replace(f"{{{name}}}", quote(str(given.get(name, "x")) or "x", safe=""))
        query = urlencode({n: str(given[n]) for n in shape.in_query if n in given})
        headers = list(shown)
        headers += [("x-tenant-id", tenant)] if tenant else []
        body = b""
        if shape.has_body:
            headers.append(("content-type", "application/json"))
            body = json.dumps({n: given[n] for n in shape.in_body if n in given}).encode()
        target = f"{PREFIX}{path}" + (f"?{query}" if query else "")
        return Call(shape.action.name, shape.method, host, target, tuple(headers), body)


def _takes(shape: Shape) -> bool:
    """Whether an action takes something that has to be said."""
    return any(field.is_required() for field in shape.action.input.model_fields.values())
