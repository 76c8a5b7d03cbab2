"""Sites: those there are, new ones, ones that go, and having everything of them made again."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.bin import delete_page
from mosaic_cms.content.due import find_zone
from mosaic_cms.content.models import Menu, Page, PageVersion, SharedBlock, Site
from mosaic_cms.content.placing import place_page
from mosaic_cms.content.publishing import RENDER
from mosaic_cms.content.sites import add_site, close_site, drop_site
from mosaic_cms.content.tree import find_site, first_page, with_body
from mosaic_cms.content.usage import forget_gone, note_again
from mosaic_cms.operations.sites import Language, SiteTitle, SiteView, site_view
from mosaic_cms.rights import READ_TENANT, Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, InvalidInput
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import Message

#: Pages in one write.
_BATCH = 100


class EverySite(Model):
    """All sites of the tenant."""


class NamedSite(Model):
    """A site, by its key; None is the tenant's first."""

    site: str | None = None


class CreateSite(Model):
    """A new site. ``key`` names it in domains and on the command line."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    title: SiteTitle
    language: Language = "en"
    theme: str = "iznik"
    time_zone: str = "UTC"
    #: Whether it begins with a published home page.
    home: bool = True


class DeleteSite(Model):
    """A site that goes, with its pages, their versions, and its files."""

    site: str


class DeletedSite(Model):
    """What went."""

    key: str
    pages: int
    files: int


class RenderSites(Model):
    """A site, by its key; None is every site of the tenant."""

    site: str | None = None


class Rendered(Model):
    """How many pages were made again, and how many could not be: those stay as they were."""

    pages: int
    left: int


@action("sites.list", needs=READ_TENANT, effect="read", http="GET /sites")
async def list_sites(scope: TenantScope, command: EverySite) -> list[SiteView]:
    """The sites of the tenant that one may read, the first one first."""
    async with scope.read() as session:
        readable = await scope.readable(session)
        sites = await session.scalars(select(Site).order_by(Site.position, Site.key))
        return [site_view(site) for site in sites if site.id in readable]


@action("sites.show", needs=Permission("read", "content"), effect="read", http="GET /sites/{site}")
async def show_site(scope: TenantScope, command: NamedSite) -> SiteView:
    """One site."""
    async with scope.read() as session:
        return site_view(await find_site(session, command.site))


@action("sites.create", needs=Permission("create", "sites"), http="POST /sites")
async def create_site(scope: TenantScope, command: CreateSite) -> SiteView:
    """Makes a site, as far as the tier has room for one."""
    if command.theme not in scope.product.themes:
        raise InvalidInput(f"There is no theme {command.theme!r}.", hint="Install its plugin.")
    zone = find_zone(command.time_zone).key

    async def fn(write: Write) -> SiteView:
        site = await add_site(
            write,
            scope.limits,
            key=command.key,
            title=command.title,
            language=command.language,
            theme=command.theme,
            zone=zone,
        )
        await _forget(scope, command.key)  # a deletion that was stopped may not have come to it
        if command.home:
            regions = with_body({}, _WELCOME)
            home = first_page(write, site, title=command.title, layout="home", regions=regions)
            await scope.product.publisher.open_site(write, site, home)
        else:
            await scope.product.projection.place_site(write.session, site, first=True)
        return site_view(site)

    return await scope.write(fn)


@action("sites.delete", needs=Permission("delete", "sites"), http="DELETE /sites/{site}")
async def delete_site(scope: TenantScope, command: DeleteSite) -> DeletedSite:
    """Deletes a site for good. Visitors lose it at once, whole; a second run finishes what a
    stopped one left."""

    async def close(write: Write) -> list[uuid.UUID]:
        return await close_site(write, await find_site(write.session, command.site))

    async def drop(write: Write) -> int:
        site = await find_site(write.session, command.site)
        if await write.session.scalar(select(Page.id).where(Page.site_id == site.id).limit(1)):
            raise Conflict(f"The site {site.key!r} has new pages.", hint="Delete it again.")
        return await drop_site(write, site)

    ids = await scope.write(close, reserve=True)
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        await scope.write(
            lambda write, batch=batch: _delete_pages(write, batch),  # type: ignore[misc]
            reserve=True,
        )
        scope.progress("pages", start + len(batch), len(ids))
    files = await scope.write(drop, reserve=True)
    await _forget(scope, command.site)
    return DeletedSite(key=command.site, pages=len(ids), files=files)


@action("sites.render", needs=Permission("update", "settings"), http="POST /sites/render")
async def render_sites(scope: TenantScope, command: RenderSites) -> Rendered:
    """Makes all that visitors see anew from what is live; until then they see what was there."""
    async with scope.read() as session:
        query = select(Site).order_by(Site.position)
        if command.site is not None:
            query = query.where(Site.id == (await find_site(session, command.site)).id)
        keys = [site.key for site in await session.scalars(query)]
    total = 0
    for key in keys:
        total += await _place_again(scope, key)
    await scope.write(_note_the_rest)
    done = 0

    def rendered(message: Message) -> None:
        nonlocal done
        if message.topic == RENDER:
            done += len(message.payload["pages"])
            scope.progress("pages rendered", min(done, total), total)

    await scope.product.settle(scope.tenant, done=rendered)
    async with scope.read() as session:
        outbox = TENANT.outbox.c
        waiting = await session.scalars(select(outbox.payload).where(outbox.topic == RENDER))
        left = sum(len(payload["pages"]) for payload in waiting)
    return Rendered(pages=total, left=left)


async def _forget(scope: TenantScope, key: str) -> None:
    """Nobody has a role at the next site of this key because they had one at this."""
    identity = scope.product.identity
    await identity.forget_site(scope.tenant.tenant_id, key, actor=str(scope.actor))


async def _place_again(scope: TenantScope, key: str) -> int:
    """Places a site with all that is live of it, and leaves messages to render that."""
    async with scope.read() as session:
        site = await find_site(session, key)
        ids = list(await session.scalars(select(Page.id).where(Page.site_id == site.id)))

    async def around(write: Write) -> None:
        site = await find_site(write.session, key)
        await scope.product.publisher.place_around(write.session, site)

    total = 0
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        total += await scope.write(
            lambda write, batch=batch: _place(scope, write, batch)  # type: ignore[misc]
        )
        scope.progress(f"{key}: pages placed", start + len(batch), len(ids))
    await scope.write(around)
    return total


async def _place(scope: TenantScope, write: Write, ids: list[uuid.UUID]) -> int:
    """Places those of some pages that are live; returns how many they are."""
    session = write.session
    pages = list(await session.scalars(select(Page).where(Page.id.in_(ids))))
    live = [page.live_version_id for page in pages if page.live_version_id is not None]
    rows = await session.scalars(select(PageVersion).where(PageVersion.id.in_(live)))
    versions = {version.id: version for version in rows}
    placed = []
    for page in pages:
        if page.live_version_id is not None:
            await place_page(session, page, versions[page.live_version_id], again=True)
            placed.append(page.id)
    await note_again(session, pages)
    await scope.product.publisher.render_later(write, placed)
    return len(placed)


async def _note_the_rest(write: Write) -> None:
    """What shared blocks and menus refer to; that of pages was noted as they were placed."""
    kinds: tuple[Any, ...] = (SharedBlock, Menu)
    for kind in kinds:
        await note_again(write.session, list(await write.session.scalars(select(kind))))
    await forget_gone(write.session)


async def _delete_pages(write: Write, ids: list[uuid.UUID]) -> None:
    for page_id in ids:
        page = await write.session.get(Page, page_id)
        if page is not None:
            await delete_page(write, page)


_WELCOME = "This site is open. This is its first page: edit it, or import a folder of Markdown.\n"
