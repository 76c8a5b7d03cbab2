"""The measured site: Wagtail's pages with the same blocks, in a tenant with a menu, a second
language and a search that has been used."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.deployment import Deployment, new_deployment
from bench.process import BenchError
from bench.wagtail import content
from bench.wagtail.prepare import branch
from mosaic_cms.content.tree import find_site
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor, TenantScope
from mosaic_core.search import SearchQuery

SLUG = "tiles"
HOST = {"Host": f"{SLUG}.localhost"}
PATH = content.MEASURED_PATH
TEXT = b"Clay and quartz</h1>"
_TURKISH = {"/": "Çini Evi", f"/{content.SECTION}/": "Notlar", PATH: "Kil ve kuvars"}


def tiles(folder: Path) -> Deployment:
    """A deployment with the thirty pages, their section and the home page, all published."""
    deployment = new_deployment(folder / "tiles")

    async def fill() -> None:
        async with open_product(deployment.settings()) as product:
            await _fill(product)

    asyncio.run(fill())
    return deployment


async def _fill(product: Product) -> None:
    actor = Actor("operator", "bench")
    given = {"slug": SLUG, "name": content.SITE_NAME, "tier": "free"}
    await product.actions.perform("tenants.create", product.platform_scope(actor), given)
    scope = product.scope(product.platform.directory.named(SLUG), actor)

    async def do(name: str, **given: Any) -> Any:
        return await product.actions.perform(name, scope, given)

    section = branch(content.SECTION, content.SECTION.title(), in_menu=True, seed=101)
    home = branch("", content.SITE_NAME, in_menu=False, seed=100)
    pages = {f"/{content.SECTION}/": section}
    pages |= {_path(page): page for page in content.pages()}
    ids: dict[str, uuid.UUID] = {}
    for path, page in pages.items():
        parent = f"/{content.SECTION}/" if page.in_section else "/"
        made = {"slug": page.slug, "title": page.title, "summary": page.summary, "parent": parent}
        ids[page.slug] = (await do("pages.create", **made)).id
        assert path == f"{parent}{page.slug}/"
    for path, page in {**pages, "/": home}.items():
        blocks = list(_stored(page, ids))
        seen = await do("pages.show", path=path)
        text = {"summary": page.summary, "regions": {"main": blocks}}
        await do("pages.edit", path=path, based_on=seen.revision, **text)
        await do("pages.publish", path=path)
    menu = [{"title": page.title, "target": path} for path, page in pages.items() if page.in_menu]
    await do("menus.set", place="header", items=menu)
    await do("sites.configure", languages=["tr"], based_on=(await do("sites.show")).revision)
    for path, title in _TURKISH.items():
        translated = await do("pages.translate", path=path, language="tr", title=title)
        await do("pages.publish", path=translated.path)
    await _search(scope)


def _path(page: content.Page) -> str:
    return f"/{content.SECTION}/{page.slug}/" if page.in_section else f"/{page.slug}/"


def _stored(page: content.Page, ids: dict[str, uuid.UUID]) -> Iterator[dict[str, Any]]:
    """A page's blocks as an editor of ours stores them; links lead to pages by their ids."""
    for number, (kind, value) in enumerate(page.blocks):
        text = re.sub(r'"page:([^"]+)"', lambda found: f'"page:{ids[found[1]]}"', value)
        yield {"id": f"b{number}", "type": kind, "data": {"text": text}}


async def _search(scope: TenantScope) -> None:
    """The first search, which makes the index that every write keeps from then on."""
    async with scope.read() as session:
        site = await find_site(session, None)
    persistence = scope.product.platform.persistence(scope.tenant)
    found = await persistence.search(scope.tenant, SearchQuery("quartz", (site.id, site.language)))
    if not found.hits:
        raise BenchError("the search finds nothing")
