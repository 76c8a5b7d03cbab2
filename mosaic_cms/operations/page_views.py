"""What the actions on pages share: how a page is named, and how it is shown."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Protocol

from mosaic_cms.actions import Model
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import find_site_and_page
from mosaic_cms.content.versions import is_draft
from mosaic_core.head import Write


class SiteOfTenant(Model):
    """A site, by its key; None is the tenant's first."""

    site: str | None = None


class PageAt(Model):
    """A page, by its path."""

    path: str
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


class Notice(Model):
    """Something of a page that its editor should know of, and where it is."""

    where: str
    what: str


class PageDetail(PageView):
    """A page with its draft."""

    summary: str
    regions: dict[str, Any]
    details: dict[str, Any]
    #: The save that this is; a change says on which it is based.
    revision: int
    #: Blocks that are kept as they are, and that visitors do not see.
    warnings: list[Notice]


class NamesPage(Protocol):
    """A command that names a page."""

    @property
    def path(self) -> str: ...

    @property
    def site(self) -> str | None: ...


async def found(write: Write, command: NamesPage) -> tuple[Site, Page]:
    """The page that a command names, with its site."""
    return await find_site_and_page(write.session, command.site, path_of(command.path))


async def seen(write: Write, page: Page) -> PageView:
    """A page as it is in a write."""
    return PageView(**facts(page, await live_version(write, page)))


async def live_version(write: Write, page: Page) -> PageVersion | None:
    """What visitors see of a page."""
    if page.live_version_id is None:
        return None
    return await write.session.get(PageVersion, page.live_version_id)


def facts(page: Page, live: PageVersion | None) -> dict[str, Any]:
    """The values of a :class:`PageView`."""
    return {
        "id": page.id,
        "path": page.path,
        "title": page.title,
        "layout": page.layout,
        "state": "draft" if live is None else "published" if is_draft(page, live) else "changed",
        "updated_at": page.updated_at,
    }


def notices(types: BlockTypes, page: Page) -> list[Notice]:
    """What of a page's draft visitors would not see."""
    return [Notice(where=fault.where, what=fault.what) for fault in types.unknown(page.regions)]


def detailed(types: BlockTypes, page: Page, live: PageVersion | None) -> dict[str, Any]:
    """The values of a :class:`PageDetail`."""
    return facts(page, live) | {
        "summary": page.summary,
        "regions": page.regions,
        "details": page.details,
        "revision": page.revision,
        "warnings": notices(types, page),
    }
