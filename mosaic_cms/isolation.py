"""Tries whether one tenant's people get anything of another's, whatever they ask for.

A plugin's author runs it over the product with the plugin in it, in one line of a test::

    from mosaic_cms.sdk import check_isolation

    def test_no_tenant_sees_another(tmp_path):
        check_isolation(tmp_path, plugins=["greetings"])

Two tenants are made. Everything of one has a canary in it: pages, drafts, what was deleted, shared
blocks, menus, files, forms that were filled in. Then the owner of the other, and nobody at all, ask
for every page, feed and search, and perform every action, a plugin's among them, with every name of
the first that they could have got hold of.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from mosaic_cms.api.about import PREFIX
from mosaic_cms.api.app import Api
from mosaic_cms.api.shapes import Shape
from mosaic_cms.incoming import Incoming
from mosaic_cms.isolation_inputs import inputs, names_in
from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor
from mosaic_cms.web.site_app import SiteApp
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


def check_isolation(
    folder: Path,
    *,
    plugins: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    loaded: Plugins | None = None,
    only: str = "",
) -> Findings:
    """Runs all of it over a deployment in an empty folder; about half a minute.

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
        self._operator = Actor("operator", "isolation")
        self._keys: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        face = self._api if self._api.takes(scope) else self._site
        await face(scope, receive, send)

    async def run(self) -> Findings:
        """Makes the tenants, asks, and looks."""
        canary, handle = f"canary{secrets.token_hex(6)}", f"handle{secrets.token_hex(4)}"
        await self._fill(OURS, "plain", "plain")
        await self._fill(THEIRS, canary, handle)
        theirs = self._product.platform.directory.named(THEIRS)
        before = [await send(self, call) for call in self._reads(THEIRS)]
        known = names_in(before) | {theirs.tenant_id, THEIRS}
        # Ours may write down what they know, and read it again. The canary they do not know.
        names = {name for name in known if canary not in name}
        persistence = self._product.platform.persistence(theirs)
        head = await persistence.head(theirs)
        findings = await check_asgi_isolation(
            self,
            [
                *(() if self._only else self._visits([*names, canary])),
                *self._attempts(sorted(names)),
                *self._reads(OURS),
            ],
            [canary],
            before=self._reads(THEIRS),
        )
        assert await persistence.head(theirs) == head, "another tenant's content was changed"
        await self._product.ledger.flush()
        return findings

    # What there is

    async def _fill(self, slug: str, word: str, handle: str) -> None:
        """A tenant all of whose content has a word in it, and all of whose addresses a handle."""
        platform = self._product.platform_scope(self._operator)
        given: dict[str, Any] = {"slug": slug, "name": f"{word} name", "tier": "open"}
        await self._product.actions.perform("tenants.create", platform, given)
        do = self._doing(slug)
        await do("sites.configure", tagline=f"{word} tagline", api_public=slug == OURS)
        details = {"tags": [f"{word} tag"], "author": f"{word} author", "date": "2026-01-02"}
        page = {"parent": "/", "layout": "post", "details": details}
        for name in ("public", "draft", "deleted", "released"):
            text = f"{word} {name} body"
            await do(
                "pages.create", slug=f"{name}-{handle}", title=f"{word} {name}", body=text, **page
            )
        path = f"/public-{handle}/"
        shared = await do("shared.create", name=f"{word} shared", blocks=[_text(f"{word} shared")])
        await do("shared.publish", id=shared.id)
        blocks = [
            _text(f"{word} in the page"),
            {"id": "shown", "type": "shared", "data": {"reference": f"shared:{shared.id}"}},
            _form(word),
        ]
        await do("pages.edit", path=path, regions={"main": blocks})
        await do("pages.name_version", path=path, name=f"{word} version")
        await do("pages.publish", path=path)
        await do("pages.delete", path=f"/deleted-{handle}/")
        release = await do("releases.create", title=f"{word} release")
        await do("releases.add", id=release.id, paths=[f"/released-{handle}/"])
        await do("menus.add", place="header", title=f"{word} entry", target=path)
        await do("redirects.set", source=f"/old-{handle}/", target=path)
        shown = await do("pages.show", path=path)
        form = next(b["id"] for b in shown.regions["main"] if b["type"] == "form")
        values = {"name": f"{word} answer"}
        file = Incoming.of(f"{word} words in a file".encode())
        said = {"folder": f"{word} folder", "alt": f"{word} alt", "tags": [f"{word} tag"]}
        sent = await do("media.upload", content=file, name=f"{word}.txt", **said)
        again = Incoming.of(f"{word} other words".encode())
        await do("media.replace", media=sent.media.reference, content=again)
        await do("media.begin_upload", name=f"{word} part.txt", size=9)
        await do("forms.submit", page_id=shown.id, form_id=form, values=values)
        made = await do("keys.create", name=f"{word} key", role="owner")
        self._keys[slug] = made.key

    def _doing(self, slug: str) -> Any:
        async def do(name: str, /, **given: Any) -> Any:
            tenant = self._product.platform.directory.named(slug)
            scope = self._product.scope(tenant, self._operator)
            return await self._product.actions.perform(name, scope, given)

        return do

    # What is asked for

    def _reads(self, slug: str) -> Iterator[Call]:
        """Everything of a tenant that its owner reads without naming anything."""
        host = f"{slug}.{_DOMAIN}"
        for path in _SITE_PATHS:
            yield Call("a visit", "GET", host, path)
        for path in self._api.plugins.paths():
            yield Call("a route", "GET", host, path, (("x-api-key", self._keys[slug]),))
        for shape in self._api.shapes:
            if shape.method == "GET" and not shape.in_path:
                yield self._call(shape, self._keys[slug], {}, host)

    def _visits(self, names: Iterable[str]) -> Iterator[Call]:
        """A visitor of ours looks for what is theirs."""
        for host in (f"{OURS}.{_DOMAIN}", _DOMAIN, f"nobody.{_DOMAIN}"):
            for path in _SITE_PATHS:
                yield Call("a visit", "GET", host, path)
            for path in self._api.plugins.paths():
                yield Call("a route", "GET", host, path)
            for name in names:
                target = quote(name if name.startswith("/") else f"/{name}/")
                yield Call("a visit", "GET", host, target)
                yield Call("a search", "GET", host, f"/search/?{urlencode({'q': name})}")
                yield Call("a file", "GET", host, f"/-/media/{quote(name, safe='')}/x.png")
                yield Call("a form", "POST", host, target, (("origin", f"https://{host}"),))

    def _attempts(self, names: Sequence[str]) -> Iterator[Call]:
        """Every action, in the name of our owner and of nobody, about what is theirs."""
        ours = self._keys[OURS]
        theirs = self._product.platform.directory.named(THEIRS).tenant_id
        for path in self._api.plugins.paths():
            shown = ("x-api-key", ours)
            yield Call("a route", "GET", f"{THEIRS}.{_DOMAIN}", path, (shown,))
            yield Call("a route", "GET", _DOMAIN, path, (shown, ("x-tenant-id", theirs)))
        for shape in self._api.shapes:
            if not shape.action.name.startswith(self._only):
                continue
            for given in inputs(shape, names[:_MOST]):
                yield self._call(shape, ours, given, f"{OURS}.{_DOMAIN}")
            for given in inputs(shape, names[:3]):
                yield self._call(shape, None, given, f"{THEIRS}.{_DOMAIN}")
                yield self._call(shape, ours, given, f"{THEIRS}.{_DOMAIN}")
                yield self._call(shape, ours, given, _DOMAIN, tenant=theirs)
                yield self._call(shape, None, given, _DOMAIN, tenant=theirs)

    def _call(
        self,
        shape: Shape,
        key: str | None,
        given: Mapping[str, Any],
        host: str,
        *,
        tenant: str | None = None,
    ) -> Call:
        path = shape.path
        for name in shape.in_path:
            path = path.replace(f"{{{name}}}", quote(str(given.get(name, "x")) or "x", safe=""))
        query = urlencode({n: str(given[n]) for n in shape.in_query if n in given})
        headers = [("x-api-key", key)] if key else []
        headers += [("x-tenant-id", tenant)] if tenant else []
        body = b""
        if shape.has_body:
            headers.append(("content-type", "application/json"))
            body = json.dumps({n: given[n] for n in shape.in_body if n in given}).encode()
        target = f"{PREFIX}{path}" + (f"?{query}" if query else "")
        return Call(shape.action.name, shape.method, host, target, tuple(headers), body)


def _text(text: str) -> dict[str, Any]:
    return {"id": "text", "type": "markdown", "data": {"text": text}}


def _form(word: str) -> dict[str, Any]:
    fields = [{"key": "name", "label": f"{word} label", "kind": "text"}]
    data = {"heading": f"{word} form", "success": f"{word} thanks", "fields": fields}
    return {"id": "form", "type": "form", "data": data}
