"""The language of a page that goes elsewhere: an address has one language for ever, so the page
takes that of the place."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.language_tags import language_of_path
from mosaic_cms.content.models import Page, Site
from mosaic_core.types import new_id


def language_of_new(site: Site, path: str, parent: Page | None) -> str:
    """The language of a page that is made: that of its address, or where that leaves it open, of
    the page above it."""
    spoken = language_of_path(path, [site.language, *site.languages])
    return spoken if parent is None or spoken != site.language else parent.language


def language_at(
    site: Site, page: Page, path: str, *, parent: Page | None, before: str | None
) -> str:
    """The language of a page that goes from one address to another: as of one that is made there.
    One that has no page above it keeps its own, unless the addresses are of different languages or
    the site has its own no more."""
    place = language_of_new(site, path, parent)
    languages = [site.language, *site.languages]
    if parent is not None or place != language_of_path(before or path, languages):
        return place
    plain = place == site.language  # else the address says it
    return page.language if plain and page.language in languages else place


async def speak(session: AsyncSession, pages: Iterable[Page], language: str) -> None:
    """Gives pages the language of the place where they are now. One of which another page is the
    translation into it stands alone from now on."""
    for page in pages:
        page.language = language
        same = select(Page.id).where(
            Page.translation_id == page.translation_id,
            Page.language == language,
            Page.id != page.id,
            Page.binned_at.is_(None),
        )
        if await session.scalar(same) is not None:
            page.translation_id = new_id()
