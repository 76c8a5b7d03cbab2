"""Pages: editing, arranging, publishing."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.actions import Model, Permission, action
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.tree import (
    add_page,
    delete_page,
    find_page,
    find_site,
    move_page,
    set_content,
)
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write


class SiteOfTenant(Model):
    """A site, by its key; None is the tenant's first."""

    site: str | None = None


class PageAt(Model):
    """A page, by its path."""

    path: str
    site: str | None = None


class CreatePage(Model):
    """A new page below the page at ``parent``."""

    slug: str
    title: str
    parent: str | None = "/"
    site: str | None = None
    layout: str = "page"
    summary: str = ""
    body: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


class EditPage(Model):
    """Changes to a draft; None leaves a thing as it is."""

    path: str
    site: str | None = None
    title: str | None = None
    summary: str | None = None
    body: str | None = None
    layout: str | None = None
    details: dict[str, Any] | None = None


class MovePage(Model):
    """A page's new place."""

    path: str
    parent: str | None = None
    slug: str | None = None
    position: int | None = None
    site: str | None = None


class PageView(Model):
    """A page in a list."""

    id: uuid.UUID
    path: str
    title: str
    layout: str
    #: draft, published, or changed (published, with a newer draft).
    state: str
    updated_at: datetime


class PageDetail(PageView):
    """A page with its draft."""

    summary: str
    body: str
    details: dict[str, Any]


@action("pages.list", needs=Permission("read", "content"), effect="read", http="GET /pages")
async def list_pages(scope: TenantScope, command: SiteOfTenant) -> list[PageView]:
    """The pages of a site, by path."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        pages = await session.scalars(
            select(Page).where(Page.site_id == site.id).order_by(Page.path)
        )
        versions = await session.scalars(
            select(PageVersion).where(
                PageVersion.id.in_(select(Page.live_version_id).where(Page.site_id == site.id))
            )
        )
        live = {version.page_id: version for version in versions}
        return [PageView(**_facts(page, live.get(page.id))) for page in pages]


@action("pages.show", needs=Permission("read", "content"), effect="read", http="GET /pages/{path}")
async def show_page(scope: TenantScope, command: PageAt) -> PageDetail:
    """A page's draft."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_page(session, site, _path(command.path))
        live = (
            await session.get(PageVersion, page.live_version_id) if page.live_version_id else None
        )
        return _detail(page, live)


@action("pages.create", needs=Permission("create", "content"), http="POST /pages")
async def create_page(scope: TenantScope, command: CreatePage) -> PageView:
    """Makes a page as a draft."""

    async def fn(write: Write) -> PageView:
        site = await find_site(write.session, command.site)
        parent = None
        if command.parent is not None and command.slug:
            parent = await find_page(write.session, site, _path(command.parent))
        page = await add_page(
            write,
            site,
            slug=command.slug,
            title=command.title,
            parent=parent,
            layout=command.layout,
            summary=command.summary,
            body=command.body,
            details=command.details,
        )
        return PageView(**_facts(page, None))

    return await scope.write(fn)


@action("pages.edit", needs=Permission("update", "content"), http="PATCH /pages/{path}")
async def edit_page(scope: TenantScope, command: EditPage) -> PageView:
    """Saves a draft; what is published stays as it is."""

    async def fn(write: Write) -> PageView:
        site, page = await _find(write, command)
        content = command.model_dump(exclude={"path", "site"}, exclude_none=True)
        set_content(write, page, **content)
        return await _seen(write, site, page)

    return await scope.write(fn, coalesce=True)


@action("pages.move", needs=Permission("update", "content"), http="POST /pages/{path}/move")
async def move(scope: TenantScope, command: MovePage) -> PageView:
    """Moves a page with all below it, published ones included."""

    async def fn(write: Write) -> PageView:
        site, page = await _find(write, command)
        if command.parent is not None:
            parent: Page | None = await find_page(write.session, site, _path(command.parent))
        else:
            parent = await write.session.get(Page, page.parent_id) if page.parent_id else None
        changed = await move_page(
            write, site, page, parent=parent, slug=command.slug, position=command.position
        )
        await write.session.flush()
        await scope.product.publisher.readdress(write, site, changed or [page])
        return await _seen(write, site, page)

    return await scope.write(fn)


@action("pages.publish", needs=Permission("publish", "content"), http="POST /pages/{path}/publish")
async def publish_page(scope: TenantScope, command: PageAt) -> PageView:
    """Makes a page's draft what visitors see."""

    async def fn(write: Write) -> PageView:
        site, page = await _find(write, command)
        await scope.product.publisher.publish(write, site, page)
        return await _seen(write, site, page)

    return await scope.write(fn)


@action(
    "pages.unpublish", needs=Permission("publish", "content"), http="POST /pages/{path}/unpublish"
)
async def unpublish_page(scope: TenantScope, command: PageAt) -> PageView:
    """Takes a page from visitors; its draft stays."""

    async def fn(write: Write) -> PageView:
        site, page = await _find(write, command)
        await scope.product.publisher.unpublish(write, site, page)
        return await _seen(write, site, page)

    return await scope.write(fn, reserve=True)


@action("pages.delete", needs=Permission("delete", "content"), http="DELETE /pages/{path}")
async def delete(scope: TenantScope, command: PageAt) -> PageView:
    """Deletes a page that no page stands below; visitors lose it too."""

    async def fn(write: Write) -> PageView:
        site, page = await _find(write, command)
        view = await _seen(write, site, page)
        if page.live_version_id is not None:
            await scope.product.publisher.unpublish(write, site, page)
        await delete_page(write, page)
        return view

    return await scope.write(fn, reserve=True)


async def _find(write: Write, command: PageAt | EditPage | MovePage) -> tuple[Site, Page]:
    site = await find_site(write.session, command.site)
    return site, await find_page(write.session, site, _path(command.path))


def _path(path: str) -> str:
    found = normalise_path(path)
    if found is None:
        raise InvalidInput(
            f"{path[:80]!r} is no path of a page.", hint="Write it as in '/visit/hours/'."
        )
    return found


async def _seen(write: Write, site: Site, page: Page) -> PageView:
    live = None
    if page.live_version_id is not None:
        live = await write.session.get(PageVersion, page.live_version_id)
    return PageView(**_facts(page, live))


def _facts(page: Page, live: PageVersion | None) -> dict[str, Any]:
    same = live is not None and all(
        getattr(page, name) == getattr(live, name)
        for name in ("title", "summary", "body", "layout", "details")
    )
    return {
        "id": page.id,
        "path": page.path,
        "title": page.title,
        "layout": page.layout,
        "state": "draft" if live is None else "published" if same else "changed",
        "updated_at": page.updated_at,
    }


def _detail(page: Page, live: PageVersion | None) -> PageDetail:
    return PageDetail(
        **_facts(page, live), summary=page.summary, body=page.body, details=page.details
    )
