"""A site's languages: one tree of pages for each, translations linked with one another.

The pages of the site's own language have the plain addresses; those of another stand below
``/<tag>/``, so that every address has one language for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.language_tags import check_tag, segment_of
from mosaic_cms.content.models import Page, Site
from mosaic_cms.content.slugs import slugify
from mosaic_cms.content.tree import add_page
from mosaic_core.errors import Conflict, InvalidInput
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Languages of one site, at most.
MOST = 50


async def check_languages(
    session: AsyncSession, site: Site, own: str, others: Sequence[str]
) -> list[str]:
    """The languages that a site is to have beside its own, in their order, each once.

    Raises:
        InvalidInput: one is none, or they are too many.
        Conflict: pages are in one that would go or become the site's own, or have the address
            that one would take.
    """
    wanted = list(dict.fromkeys(check_tag(tag) for tag in others if tag != own))
    # However they are written: 'pt-br' is 'pt-BR' (RFC 5646, 2.1.1).
    if len(wanted) > MOST or len({segment_of(tag) for tag in (own, *wanted)}) <= len(wanted):
        raise InvalidInput(f"A site has at most {MOST} languages, each once.")
    for tag in set(site.languages) - set(wanted):
        page = await _one(session, site, Page.language == tag)
        if page is not None:
            raise Conflict(
                f"The site {site.key!r} has pages in {tag!r}, such as {page.path!r}.",
                hint="Delete or move them first.",
            )
    for tag in set(wanted) - set(site.languages):
        taken = f"/{segment_of(tag)}/"
        page = await _one(session, site, Page.path.startswith(taken, autoescape=True))
        if page is not None and page.language != tag:
            raise Conflict(
                f"The page {page.path!r} has an address of the language {tag!r}.",
                hint="Give it another slug first.",
            )
    return wanted


async def _one(session: AsyncSession, site: Site, condition: ColumnElement[bool]) -> Page | None:
    found: Page | None = await session.scalar(
        select(Page).where(Page.site_id == site.id, Page.binned_at.is_(None), condition).limit(1)
    )
    return found


async def translations_of(session: AsyncSession, page: Page) -> list[Page]:
    """The drafts that are linked as translations of a page, itself left out, by language."""
    rows = await session.scalars(
        select(Page)
        .where(
            Page.translation_id == page.translation_id,
            Page.id != page.id,
            Page.binned_at.is_(None),
        )
        .order_by(Page.language)
    )
    return list(rows)


async def translate_page(
    write: Write, site: Site, page: Page, language: str, *, slug: str | None, title: str | None
) -> Page:
    """Makes a page's translation: a draft with its content, below the translation of its parent.

    Raises:
        InvalidInput: the site has no such language, or the page above has no translation yet.
        Conflict: the page has a translation into it, or its address is taken.
    """
    if language not in (site.language, *site.languages):
        known = ", ".join([site.language, *site.languages])
        raise InvalidInput(
            f"The site {site.key!r} has no language {language!r}; it has {known}.",
            hint="Add it with 'mosaic site set --languages'.",
        )
    existing = await translation_into(write.session, page, language)
    if existing is not None:
        raise Conflict(
            f"The page {page.path!r} is there in {language!r} already, at {existing.path!r}.",
            hint="Edit that one.",
        )
    parent = await _parent_in(write.session, page, language)
    slug = _slug(site, page, language, title, slug)
    made = await add_page(
        write,
        site,
        slug=slug,
        parent=parent,
        position=page.position,
        title=page.title if title is None else title,
        summary=page.summary,
        layout=page.layout,
        details=page.details,
        regions=page.regions,
    )
    made.language = language
    made.translation_id = page.translation_id
    return made


async def translation_into(session: AsyncSession, page: Page, language: str) -> Page | None:
    """A page's translation into a language: the page itself, when it is in it."""
    if page.language == language:
        return page
    found: Page | None = await session.scalar(
        select(Page).where(
            Page.translation_id == page.translation_id,
            Page.language == language,
            Page.binned_at.is_(None),
        )
    )
    return found


async def link_translation(write: Write, page: Page, other: Page) -> None:
    """Says that two pages, made apart, are translations of each other.

    Raises:
        Conflict: they are in one language, or each has a translation into the same one.
    """
    if page.language == other.language:
        raise Conflict(f"{page.path!r} and {other.path!r} are both in {page.language!r}.")
    if page.translation_id == other.translation_id:
        return
    others = [other, *await translations_of(write.session, other)]
    for one in [page, *await translations_of(write.session, page)]:
        for two in others:
            if one.language == two.language:
                whose, there = (other, two) if one is page else (page, one)
                raise Conflict(
                    f"The page {whose.path!r} is there in {there.language!r} already, at "
                    f"{there.path!r}.",
                    hint="Unlink that one first.",
                )
    for one in others:
        one.translation_id = page.translation_id


def unlink_translation(page: Page) -> None:
    """Makes a page one that is no other's translation."""
    page.translation_id = new_id()  # not its own id, which may be that of the others


async def _parent_in(session: AsyncSession, page: Page, language: str) -> Page | None:
    if page.parent_id is None:
        return None
    parent = await session.get_one(Page, page.parent_id)
    found = await translation_into(session, parent, language)
    if found is None:
        raise InvalidInput(
            f"The page above it, {parent.path!r}, is not there in {language!r} yet.",
            hint="Translate that one first.",
        )
    return found


def _slug(site: Site, page: Page, language: str, title: str | None, given: str | None) -> str:
    """The slug of a translation; one that has no page above it begins with its language."""
    if page.parent_id is not None:
        named = page.slug if title is None else slugify(title)
        return named if given is None else given
    begins = {
        tag: "" if tag == site.language else segment_of(tag) for tag in (page.language, language)
    }
    own = begins[language]
    rest = _without(page.slug, begins[page.language]) if given is None else _without(given, own)
    return "/".join(part for part in (own, rest) if part)


def _without(slug: str, segment: str) -> str:
    first, _, rest = slug.partition("/")
    return rest if first == segment else slug
