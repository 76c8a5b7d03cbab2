"""A deployment for tests: three tenants with a few pages, asked as a server would ask."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import Product, open_product, platform_schema
from mosaic_cms.scope import Actor, TenantScope
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.plugins import Plugins
from mosaic_core.settings import Settings, make_settings
from tests.platforms import Place, Schema

OPERATOR = Actor("operator", "test")
#: The tenants of every deployment, and the tier of each.
TENANTS = {"aurora": "open", "bread": "open", "steel": "free"}
DOMAINS = {"aurora": ("museum.example", "bücher.example"), "bread": ("[2001:db8::7]",)}
#: Published pages of every tenant: path, layout.
PAGES = {"/": "home", "/visit/": "page", "/visit/hours/": "page", "/news/": "list"}

#: What shows that which another action changes, and what names it for both.
SHOWN = {
    "pages.edit": ("pages.show", ("path", "site")),
    "shared.edit": ("shared.show", ("id",)),
    "menus.set": ("menus.one", ("place", "language", "site")),
    "sites.configure": ("sites.show", ("site",)),
    "media.edit": ("media.show", ("media", "site")),
    "media.configure": ("media.settings", ()),
}
#: What the settings of a copied deployment say of its platform database on a server.
_ELSEWHERE = "elsewhere.json"
#: What is asked for by tests comes at once.
_NO_LIMITS = {"tenant": 10**9, "actor": 10**9}
_TIERS = {
    "open": {"persistence": "tenancy_sqlite", "storage": "storage_local"},
    "white": {
        "persistence": "tenancy_sqlite",
        "storage": "storage_local",
        "limits": {"branding_required": False},
    },
}


def settings_for(root: Path, **tables: dict[str, Any]) -> Settings:
    """Settings whose tables the given ones complete, and those of a copy beside it."""
    given = {"domain": "mosaic.test", "freshness": 0.2, "lease": 4.0}
    platform = given | tables.pop("platform", {})
    own = {"platform": platform, "tiers": _TIERS, "rates": _NO_LIMITS}
    elsewhere = root / _ELSEWHERE
    copied = json.loads(elsewhere.read_text()) if elsewhere.exists() else {}
    return make_settings(own | copied | tables, root=root)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    #: How often the app asked for a part of the request's body.
    received: int = 0

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(slots=True)
class Deployment:
    """An open product and its web application."""

    product: Product
    app: SiteApp
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app)
        self.client = httpx.AsyncClient(transport=transport, follow_redirects=False)

    def scope(self, slug: str = "aurora", actor: Actor = OPERATOR) -> TenantScope:
        return self.product.scope(self.product.platform.directory.named(slug), actor)

    async def do(self, name: str, slug: str = "aurora", /, **given: Any) -> Any:
        """Performs an action for a tenant. A change that does not say what it is based on is made
        to what is there."""
        return await perform(self.product, name, self.scope(slug), given)

    async def rule(self, name: str, /, **given: Any) -> Any:
        """Performs an action for the platform."""
        scope = self.product.platform_scope(OPERATOR)
        return await self.product.actions.perform(name, scope, given)

    async def add(
        self, path: str, slug: str = "aurora", /, *, publish: bool = True, **content: Any
    ) -> Any:
        """Makes a page at a path whose parent exists, and publishes it."""
        parent, _, name = path.strip("/").rpartition("/")
        given = {"title": name.title() or "Home", "parent": f"/{parent}/", "slug": name} | content
        page = await self.do("pages.create", slug, **given)
        return await self.do("pages.publish", slug, path=page.path) if publish else page

    async def get(
        self, path: str, host: str = "aurora.mosaic.test", method: str = "GET", **headers: str
    ) -> httpx.Response:
        """What a browser gets; header names have underscores here."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, f"http://{host}{path}", headers=named)

    async def ask(
        self,
        path: str = "/",
        headers: Iterable[tuple[bytes, bytes]] = ((b"host", b"aurora.mosaic.test"),),
        *,
        method: str = "GET",
        query: bytes = b"",
        peer: str | None = "192.0.2.1",
        chunks: Iterable[bytes] = (b"",),
    ) -> Answer:
        """What the app sends for exactly these headers, whatever they are."""
        return await ask(
            self.app, path, headers, method=method, query=query, peer=peer, chunks=chunks
        )


async def ask(
    app: Callable[..., Awaitable[None]],
    path: str,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    method: str = "GET",
    query: bytes = b"",
    peer: str | None = "192.0.2.1",
    chunks: Iterable[bytes] = (b"",),
) -> Answer:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": query,
        "headers": list(headers),
        "client": (peer, 4711) if peer else None,
    }
    body, received, sent = iter(chunks), 0, []

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": next(body, b""), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert all(message["type"] == "http.response.body" for message in rest)
    assert not rest[-1].get("more_body")
    found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    content = b"".join(message.get("body", b"") for message in rest)
    return Answer(start["status"], found, content, received)


async def perform(product: Product, name: str, scope: TenantScope, given: dict[str, Any]) -> Any:
    """Performs an action as somebody who looks before they change something."""
    if name in SHOWN and given.get("based_on") is None:
        show, names = SHOWN[name]
        which = {name: given[name] for name in names if name in given}
        seen = await product.actions.perform(show, scope, which)
        given = {**given, "based_on": seen.revision}
    return await product.actions.perform(name, scope, given)


@asynccontextmanager
async def opened(
    root: Path, *, plugins: Plugins | None = None, **tables: dict[str, Any]
) -> AsyncIterator[Deployment]:
    """Opens the deployment in a folder."""
    async with deployed(settings_for(root, **tables), plugins=plugins) as deployment:
        yield deployment


@asynccontextmanager
async def deployed(
    settings: Settings, *, plugins: Plugins | None = None
) -> AsyncIterator[Deployment]:
    """Opens the deployment that has these settings."""
    async with open_product(settings, plugins=plugins) as product:
        deployment = Deployment(product, SiteApp(product))
        async with deployment.client:
            yield deployment


async def make_deployment(root: Path) -> None:
    """Makes the three tenants. Every page's text says whose it is."""
    await migrate_platform(settings_for(root))
    async with opened(root) as deployment:
        for slug, tier in TENANTS.items():
            await deployment.rule(
                "tenants.create",
                slug=slug,
                name=slug.title(),
                tier=tier,
                domains=DOMAINS.get(slug, ()),
            )
            for path, layout in PAGES.items():
                text = f"This is the text of {path} at {slug}."
                if path == "/":
                    await deployment.do("pages.edit", slug, path="/", body=text)
                    await deployment.do("pages.publish", slug, path="/")
                else:
                    await deployment.add(path, slug, layout=layout, body=text)


class Deployments:
    """Runs scenarios, each over its own copy of the made deployment.

    Args:
        place: where the copy's platform database is; by default in its data folder.
    """

    def __init__(self, made: Path, folder: Path, place: Place | None = None) -> None:
        self._made = made
        self._place = place
        self.root = folder / "deployment"

    def copy(self) -> Path:
        """A fresh copy, in place of an earlier one."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._made, self.root)
        if isinstance(self._place, Schema):
            self._place.take(self.root / "data" / "platform.db", platform_schema())
            (self.root / _ELSEWHERE).write_text(json.dumps(self._place.settings))
        return self.root

    @property
    def database(self) -> dict[str, Any]:
        """What its settings say of its platform database."""
        return {} if self._place is None else self._place.settings.get("database", {})

    def __call__(
        self,
        scenario: Callable[[Deployment], Awaitable[Any]],
        *,
        plugins: Plugins | None = None,
        **tables: dict[str, Any],
    ) -> Any:
        async def main() -> Any:
            async with opened(self.copy(), plugins=plugins, **tables) as deployment:
                return await scenario(deployment)

        return asyncio.run(main())

    @contextmanager
    def held(self, **tables: dict[str, Any]) -> Iterator[tuple[Deployment, asyncio.Runner]]:
        """A deployment that stays open while a search runs one example after another."""
        with asyncio.Runner() as runner:
            context = opened(self.copy(), **tables)
            deployment = runner.run(context.__aenter__())
            try:
                yield deployment, runner
            finally:
                runner.run(context.__aexit__(None, None, None))
