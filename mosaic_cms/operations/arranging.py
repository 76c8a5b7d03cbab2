"""Where pages are in the tree: moving, copying, ordering."""

from __future__ import annotations

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.copying import copy_pages
from mosaic_cms.content.models import Page
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import children_of, find_page, find_site, move_page
from mosaic_cms.operations.page_views import PageView, facts, found, live_version, seen
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write


class MovePage(Model):
    """A page's new place."""

    path: str
    parent: str | None = None
    slug: str | None = None
    position: int | None = None
    site: str | None = None


class CopyPage(Model):
    """A page and where its copy goes: None is beside it, with a slug that is free."""

    path: str
    parent: str | None = None
    slug: str | None = None
    with_children: bool = True
    site: str | None = None


class ReorderPages(Model):
    """The order of the pages right below ``parent`` (None: at the root).

    Those that are not named come behind, in the order that they have.
    """

    parent: str | None
    order: tuple[str, ...]
    site: str | None = None


@action("pages.move", needs=Permission("update", "content"), http="POST /pages/{path}/move")
async def move(scope: TenantScope, command: MovePage) -> PageView:
    """Moves a page with all below it, published ones included."""

    async def fn(write: Write) -> PageView:
        site, page = await found(write, command)
        if command.parent is not None:
            parent: Page | None = await find_page(write.session, site, path_of(command.parent))
        else:
            parent = await write.session.get(Page, page.parent_id) if page.parent_id else None
        changed = await move_page(
            write, site, page, parent=parent, slug=command.slug, position=command.position
        )
        await write.session.flush()
        await scope.product.publisher.readdress(write, site, changed or [page])
        return await seen(write, page)

    return await scope.write(fn)


@action("pages.copy", needs=Permission("create", "content"), http="POST /pages/{path}/copy")
async def copy(scope: TenantScope, command: CopyPage) -> list[PageView]:
    """Copies a page's draft with all below it; the copy comes first."""

    async def fn(write: Write) -> list[PageView]:
        site, page = await found(write, command)
        if command.parent is not None:
            parent: Page | None = await find_page(write.session, site, path_of(command.parent))
        else:
            parent = await write.session.get(Page, page.parent_id) if page.parent_id else None
        copies = await copy_pages(
            write,
            site,
            page,
            parent=parent,
            slug=command.slug,
            with_children=command.with_children,
        )
        return [PageView(**facts(one, None)) for one in copies]

    return await scope.write(fn)


@action("pages.reorder", needs=Permission("update", "content"), http="POST /pages/reorder")
async def reorder(scope: TenantScope, command: ReorderPages) -> list[PageView]:
    """Orders the pages right below another one."""

    async def fn(write: Write) -> list[PageView]:
        site = await find_site(write.session, command.site)
        if command.parent is not None:
            parent = await find_page(write.session, site, path_of(command.parent))
            siblings = await children_of(write.session, parent)
        else:
            roots = select(Page).where(
                Page.site_id == site.id, Page.parent_id.is_(None), Page.binned_at.is_(None)
            )
            siblings = list(await write.session.scalars(roots.order_by(Page.position, Page.id)))
        named = {path_of(path): rank for rank, path in enumerate(command.order)}
        unknown = sorted(named.keys() - {page.path for page in siblings})
        if unknown:
            raise InvalidInput(
                f"{', '.join(map(repr, unknown))} is not right below {command.parent or '/'}.",
                hint="Name the pages that are, by their paths, in the order that they are to have.",
                problems=tuple((path, "it is not there") for path in unknown),
            )
        siblings.sort(key=lambda page: named.get(page.path, len(named)))
        moved = [page for number, page in enumerate(siblings) if page.position != number]
        for number, page in enumerate(siblings):
            page.position = number
        await write.session.flush()
        await scope.product.publisher.readdress(write, site, moved)
        return [PageView(**facts(page, await live_version(write, page))) for page in siblings]

    return await scope.write(fn)
