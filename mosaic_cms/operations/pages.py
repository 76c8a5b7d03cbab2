"""Pages: making, editing, publishing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.actions import Model, Part, action
from mosaic_cms.blocks.stored import recognised
from mosaic_cms.content.drafts import changed_draft, content_of, forget_steps
from mosaic_cms.content.models import Page, PageVersion
from mosaic_cms.content.outline import PageContent
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import (
    add_page,
    find_page,
    find_site,
    find_site_and_page,
    set_content,
    with_body,
)
from mosaic_cms.operations.page_views import (
    Notice,
    PageAt,
    PageDetail,
    PageView,
    detailed,
    facts,
    found,
    live_version,
    notices,
    seen,
)
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write


class ListPages(Part):
    """The pages of a site, those after a path."""

    site: str | None = None
    after: Annotated[str, Field(max_length=4_000)] = ""


class CreatePage(Model):
    """A new page below the page at ``parent``."""

    slug: str
    title: str
    parent: str | None = "/"
    site: str | None = None
    layout: str = "page"
    summary: str = ""
    regions: dict[str, Any] = Field(default_factory=dict)
    #: Markdown: short for one block of it in the region ``main``.
    body: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class EditPage(Model):
    """Changes to a draft; None leaves a thing as it is."""

    path: str
    site: str | None = None
    title: str | None = None
    summary: str | None = None
    regions: dict[str, Any] | None = None
    #: Markdown: short for one block of it in the region ``main``.
    body: str | None = None
    layout: str | None = None
    details: dict[str, Any] | None = None
    #: The draft's revision that was changed. It has to be said, here or with If-Match.
    based_on: int | None = None


class LivePage(PageView):
    """A page that was published."""

    #: Blocks that are kept as they are, and that visitors do not see.
    warnings: list[Notice]


class SavedPage(PageDetail):
    """A draft as it was saved; ``merged`` with what others had saved meanwhile."""

    merged: bool


@action(
    "pages.list",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /pages",
    cursor="path",
)
async def list_pages(scope: TenantScope, command: ListPages) -> list[PageView]:
    """The pages of a site, by path."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        wanted = (
            select(Page)
            .where(Page.site_id == site.id, Page.binned_at.is_(None), Page.path > command.after)
            .order_by(Page.path)
            .limit(command.limit)
        )
        pages = (await session.scalars(wanted)).all()
        ids = wanted.with_only_columns(Page.live_version_id).subquery()
        versions = await session.scalars(
            select(PageVersion).join(ids, ids.c.live_version_id == PageVersion.id)
        )
        live = {version.page_id: version for version in versions}
        return [PageView(**facts(page, live.get(page.id))) for page in pages]


@action("pages.show", needs=Permission("read", "content"), effect="read", http="GET /pages/{path}")
async def show_page(scope: TenantScope, command: PageAt) -> PageDetail:
    """A page's draft."""
    async with scope.read() as session:
        _, page = await find_site_and_page(session, command.site, path_of(command.path))
        live = (
            await session.get(PageVersion, page.live_version_id) if page.live_version_id else None
        )
        return PageDetail(**detailed(scope.product.blocks, page, live))


@action("pages.create", needs=Permission("create", "content"), http="POST /pages")
async def create_page(scope: TenantScope, command: CreatePage) -> PageView:
    """Makes a page as a draft."""

    async def fn(write: Write) -> PageView:
        site = await find_site(write.session, command.site)
        parent = None
        if command.parent is not None and command.slug:
            parent = await find_page(write.session, site, path_of(command.parent))
        page = await add_page(
            write,
            site,
            slug=command.slug,
            title=command.title,
            parent=parent,
            layout=command.layout,
            summary=command.summary,
            regions=scope.kept(_regions(command, {}) or {}, before={}),
            details=command.details,
        )
        return PageView(**facts(page, None))

    return await scope.write(fn)


@action("pages.edit", needs=Permission("update", "content"), http="PATCH /pages/{path}")
async def edit_page(scope: TenantScope, command: EditPage) -> SavedPage:
    """Saves a draft; what is published stays as it is.

    A change that is based on an older draft is merged into what others saved since, or refused
    with all that is at odds.
    """

    def given(base: PageContent) -> dict[str, Any]:
        content = command.model_dump(
            exclude={"path", "site", "regions", "body", "based_on"}, exclude_none=True
        )
        regions = _regions(command, base.regions)
        if regions is not None:
            regions = recognised(regions, base.regions)
            content["regions"] = scope.product.blocks.kept(regions)
        return content

    async def fn(write: Write) -> SavedPage:
        _, page = await found(write, command)
        what = f"the page {page.path!r}"
        based_on = scope.base(command.based_on, page.revision, what)
        merging = based_on != page.revision
        if merging:
            types = scope.product.blocks
            content = await changed_draft(write, page, what, types, given, based_on)
        else:
            content = given(content_of(page))
        if "regions" in content:
            scope.require_permitted(content["regions"], before=page.regions)
        if set_content(write, page, **content):
            await write.session.flush()
            await forget_steps(write.session, page)
        live = await live_version(write, page)
        return SavedPage(**detailed(scope.product.blocks, page, live), merged=merging)

    return await scope.write(fn, coalesce=True)


@action("pages.publish", needs=Permission("publish", "content"), http="POST /pages/{path}/publish")
async def publish_page(scope: TenantScope, command: PageAt) -> LivePage:
    """Makes a page's draft what visitors see."""

    async def fn(write: Write) -> LivePage:
        site, page = await found(write, command)
        live = await scope.product.publisher.publish(write, site, page)
        return LivePage(**facts(page, live), warnings=notices(scope.product.blocks, page))

    return await scope.write(fn)


@action(
    "pages.unpublish", needs=Permission("publish", "content"), http="POST /pages/{path}/unpublish"
)
async def unpublish_page(scope: TenantScope, command: PageAt) -> PageView:
    """Takes a page from visitors; its draft stays."""

    async def fn(write: Write) -> PageView:
        site, page = await found(write, command)
        await scope.product.publisher.unpublish(write, site, page)
        return await seen(write, page)

    return await scope.write(fn, reserve=True)


def _regions(command: CreatePage | EditPage, before: dict[str, Any]) -> dict[str, Any] | None:
    """The regions that a command gives; a body alone keeps the block that holds it."""
    if command.body is None:
        return command.regions
    if command.regions:
        raise InvalidInput(
            "A page is given its regions or its body, not both.", hint="Leave the body out."
        )
    return with_body(before, command.body)
