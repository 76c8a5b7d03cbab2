"""Copying pages: with all below them, as drafts."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.made_paths import held_for
from mosaic_cms.content.models import Page, Site
from mosaic_cms.content.paths import check_slug, join
from mosaic_cms.content.references import REFERENCE
from mosaic_cms.content.slugs import slugify
from mosaic_cms.content.tree import add_page, with_all_below
from mosaic_core.errors import Conflict
from mosaic_core.head import Write
from mosaic_core.types import canonical_json, new_id


async def copy_pages(
    write: Write,
    site: Site,
    page: Page,
    *,
    parent: Page | None,
    slug: str | None,
    with_children: bool,
) -> list[Page]:
    """Copies a page's draft, and those below it, to below ``parent``; the copy comes first.

    Where the pages refer to one another, the copies do.

    Args:
        slug: of the copy; None for its own, with a number when that is taken.

    Raises:
        Conflict: the slug is taken, or its address kept for the site itself.
        InvalidInput: an address gets too long.
    """
    originals = [page]
    if with_children:
        originals = await with_all_below(write.session, page)
    ids = {original.id: new_id() for original in originals}
    copies: dict[uuid.UUID, Page] = {}
    for original in originals:
        above = parent
        if original is page:
            own = await _slug(write.session, site, page, parent, slug)
        else:
            assert original.parent_id is not None
            above = copies[original.parent_id]
            own = await _free(write.session, site, above, original.slug)
        copies[original.id] = await add_page(
            write,
            site,
            slug=own,
            parent=above,
            page_id=ids[original.id],
            position=None if original is page else original.position,
            title=original.title,
            summary=original.summary,
            layout=original.layout,
            regions=_among(ids, original.regions),
            details=_among(ids, original.details),
        )
        await write.session.flush()  # pages below refer to it
    return list(copies.values())


def _among(ids: dict[uuid.UUID, uuid.UUID], value: Any) -> Any:
    """The same with references to copied pages leading to the copies."""

    def copied(found: re.Match[str]) -> str:
        kind, key = found.groups()
        return f"{kind}:{ids.get(uuid.UUID(key), key)}" if kind == "page" else found.group()

    return json.loads(REFERENCE.sub(copied, canonical_json(value)))


async def _slug(
    session: AsyncSession, site: Site, page: Page, parent: Page | None, given: str | None
) -> str:
    if given is None:
        return await _free(session, site, parent, page.slug or slugify(page.title))
    if await _taken(session, site, join(parent.path if parent else None, check_slug(given))):
        raise Conflict(f"There is a page at the slug {given!r} already.", hint="Use another slug.")
    return given


async def _free(session: AsyncSession, site: Site, parent: Page | None, slug: str) -> str:
    """A slug, with a number behind it when no page can have it."""
    above = parent.path if parent else None
    number, tried = 1, slug
    while held_for(join(above, tried), [site.language, *site.languages]) or await _taken(
        session, site, join(above, tried)
    ):
        number += 1
        tried = f"{slug}-{number}"
    return tried


async def _taken(session: AsyncSession, site: Site, path: str) -> bool:
    found = select(Page.id).where(Page.site_id == site.id, Page.path == path)
    return await session.scalar(found) is not None
