"""The page tree: making, changing and moving pages. Every function runs inside a write."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.stored import new_block, regions_of
from mosaic_cms.content.drafts import step_back
from mosaic_cms.content.made_paths import held_for
from mosaic_cms.content.models import MAX_TITLE, Page, Site
from mosaic_cms.content.outline import same
from mosaic_cms.content.page_language import language_at, language_of_new, speak
from mosaic_cms.content.paths import ID, check_slug, join
from mosaic_cms.content.references import in_chunks
from mosaic_cms.content.terms import term_problems
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

LAYOUTS = ("home", "page", "post", "list")
# Every command asks these: a query that is made once takes half the time of one made anew.
_FIRST_SITE = select(Site).order_by(Site.position).limit(1)
_SITE = select(Site).where(Site.key == bindparam("key"))
_PAGES = select(Page).where(Page.site_id == bindparam("site"), Page.binned_at.is_(None))
_PAGE_AT = _PAGES.where(Page.path == bindparam("path"))
_PAGE_NAMED = _PAGES.where(Page.id == bindparam("page"))
_BOTH = select(Site, Page).outerjoin(
    Page,
    and_(Page.site_id == Site.id, Page.path == bindparam("path"), Page.binned_at.is_(None)),
)
_BOTH_FIRST = _BOTH.order_by(Site.position).limit(1)
_BOTH_NAMED = _BOTH.where(Site.key == bindparam("key"))


class UnknownSite(NotFound):
    """A site that the tenant does not have; ``fields`` are those of commands that may name one."""

    fields = ("site",)


class UnknownPage(NotFound):
    """A page that the site does not have."""

    fields = ("path", "paths", "parent")


async def find_site(session: AsyncSession, key: str | None = None) -> Site:
    """The site with this key, or the tenant's first.

    Raises:
        UnknownSite: there is none. It names no other: not everybody may know of all.
    """
    if key is None:
        site = await session.scalar(_FIRST_SITE)
    else:
        site = await session.scalar(_SITE, {"key": key})
    if site is not None:
        return site
    if key is None:
        raise UnknownSite("The tenant has no site.")
    raise UnknownSite(
        f"There is no site {key!r}.", hint="'mosaic site list' shows those there are."
    )


async def find_page(session: AsyncSession, site: Site, path: str) -> Page:
    """The page with this path, or with this id when no page has it as its path.

    Raises:
        UnknownPage: there is none.
    """
    page = await session.scalar(_PAGE_AT, {"site": site.id, "path": path})
    if page is None and ID.fullmatch(name := path.strip("/")):
        page = await session.scalar(_PAGE_NAMED, {"site": site.id, "page": uuid.UUID(name)})
    if page is None:
        raise UnknownPage(
            f"There is no page {path!r} on the site {site.key!r}.",
            hint="'mosaic page list' shows those there are.",
        )
    return page


async def find_site_and_page(
    session: AsyncSession, key: str | None, path: str
) -> tuple[Site, Page]:
    """What :func:`find_site` and :func:`find_page` find, mostly with one question.

    Raises:
        UnknownSite, UnknownPage: there is none.
    """
    asked = {"path": path} if key is None else {"path": path, "key": key}
    both = (await session.execute(_BOTH_FIRST if key is None else _BOTH_NAMED, asked)).first()
    if both is not None and both.Page is not None:
        return both.Site, both.Page
    site = await find_site(session, key)
    return site, await find_page(session, site, path)


async def get_page(session: AsyncSession, page_id: uuid.UUID) -> Page:
    """The page with this id.

    Raises:
        NotFound: there is none.
    """
    page = await session.get(Page, page_id)
    if page is None:
        raise NotFound(f"There is no page with the id {page_id}.")
    return page


async def add_page(
    write: Write,
    site: Site,
    *,
    slug: str,
    title: str,
    parent: Page | None = None,
    page_id: uuid.UUID | None = None,
    position: int | None = None,
    source: str | None = None,
    **content: Any,
) -> Page:
    """Makes a page below ``parent``; ``content`` as for :func:`set_content`.

    Raises:
        Conflict: another page has the address, or the site itself.
        InvalidInput: a slug, title or body that does not fit.
    """
    slug = check_slug(slug)
    path = join(parent.path if parent else None, slug)
    require_not_held(site, path)
    await require_free(write.session, site, path)
    if position is None:
        position = await last_position(write.session, site, parent)
    page = _new_page(page_id or new_id(), write, site, slug=slug, path=path, position=position)
    page.parent_id = parent.id if parent else None
    page.language = language_of_new(site, path, parent)
    page.source = source
    set_content(write, page, title=title, **content)
    write.session.add(page)
    return page


def first_page(write: Write, site: Site, **content: Any) -> Page:
    """Makes the home page of a new site, where no other can have its address; ``content`` as for
    :func:`set_content`.

    Raises:
        InvalidInput: a title or body that does not fit.
    """
    page = _new_page(new_id(), write, site, slug="", path=join(None, ""), position=0)
    set_content(write, page, **content)
    write.session.add(page)
    return page


def _new_page(
    page_id: uuid.UUID, write: Write, site: Site, *, slug: str, path: str, position: int
) -> Page:
    return Page(
        id=page_id,
        site_id=site.id,
        parent_id=None,
        slug=slug,
        path=path,
        position=position,
        layout="page",
        language=site.language,
        translation_id=page_id,
        title="",
        summary="",
        regions={},
        details={},
        revision=0,
        source=None,
        live_version_id=None,
        version_count=0,
        created_at=write.at,
        updated_at=write.at,
    )


def set_content(write: Write, page: Page, **content: Any) -> bool:
    """Sets the draft's ``title``, ``summary``, ``regions``, ``layout`` or ``details``.

    Returns whether anything became different.

    Raises:
        InvalidInput: with every problem.
    """
    problems = list(_content_problems(content))
    if problems:
        raise InvalidInput(
            f"The page {page.path!r} cannot be saved: {problems[0][1]}",
            hint="Mend it, then save again.",
            problems=tuple(problems),
        )
    if "regions" in content:
        content["regions"] = regions_of(content["regions"])
    different = {
        name: value for name, value in content.items() if not same(getattr(page, name), value)
    }
    if different and page in write.session:
        write.session.add(step_back(page, different))
    for name, value in different.items():
        setattr(page, name, value)
    if different:
        page.revision += 1
        page.updated_at = write.at
    return bool(different)


def with_body(regions: dict[str, Any], body: str) -> dict[str, Any]:
    """Regions with Markdown as all of ``main``; a block that holds it alone stays that block."""
    main = regions.get("main") or []
    if len(main) == 1 and main[0]["type"] == "markdown":
        return {**regions, "main": [{**main[0], "data": {"text": body}}]}
    return {**regions, "main": [new_block("markdown", {"text": body})] if body else []}


def _content_problems(content: dict[str, Any]) -> list[tuple[str, str]]:
    problems = []
    title, summary = (content.get(name, "") for name in ("title", "summary"))
    if len(title) > MAX_TITLE:
        problems.append(("title", f"its title has {len(title)} characters; {MAX_TITLE} fit."))
    if len(summary) > 1000:
        problems.append(("summary", f"its summary has {len(summary)} characters; 1000 fit."))
    for name in ("title", "summary"):
        if "\0" in content.get(name, ""):
            problems.append((name, f"its {name} contains a NUL character."))
    if content.get("layout", "page") not in LAYOUTS:
        problems.append(("layout", f"there is no layout {content['layout']!r}."))
    problems += _details_problems(content.get("details", {}))
    return problems


def _details_problems(details: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What publishing would stumble over. Other keys are kept as they are, and not shown."""
    for name in ("author", "date", "image", "image_alt"):
        if not isinstance(details.get(name) or "", str):
            yield f"details.{name}", f"its {name} is no text."
    yield from term_problems(details)
    date = details.get("date")
    if isinstance(date, str) and date:
        try:
            instant = datetime.fromisoformat(date)
            if instant.tzinfo is not None:
                instant.astimezone(UTC)  # which may be before the year 1, or after 9999
        except (ValueError, OverflowError):
            yield "details.date", f"its date {date[:40]!r} is none; write it as in '2025-03-14'."


async def move_page(
    write: Write,
    site: Site,
    page: Page,
    *,
    parent: Page | None,
    slug: str | None = None,
    position: int | None = None,
) -> list[Page]:
    """Moves a page with all below it; returns the pages whose address changed.

    What raises leaves every page as it was.

    Raises:
        InvalidInput: the new parent is the page itself or below it, or an address gets too long.
        Conflict: another page has one of the addresses, or the site itself.
    """
    ancestor = parent
    while ancestor is not None:
        if ancestor.id == page.id:
            raise InvalidInput(
                f"The page {page.path!r} cannot be moved below itself.",
                hint="Choose a parent outside of it.",
            )
        ancestor = await get_page(write.session, ancestor.parent_id) if ancestor.parent_id else None
    slug = page.slug if slug is None else check_slug(slug)
    path = join(parent.path if parent else None, slug)
    moves: list[tuple[Page, str]] = []
    if path != page.path:
        # Where an address takes the place of another of these, the one that leaves goes first.
        moves = sorted(
            await _addresses_below(write.session, page, path),
            key=lambda move: len(move[0].path),
            reverse=len(path) > len(page.path),
        )
        for moved, address in moves:
            require_not_held(site, address, before=moved.path)
            await require_free(write.session, site, address, {one.id for one, _ in moves})
    language = language_at(site, page, path, parent=parent, before=page.path)
    page.parent_id = parent.id if parent else None
    page.slug = slug
    if position is not None:
        page.position = position
    for moved, address in moves:
        moved.path = address
        moved.updated_at = write.at
        await write.session.flush()
    changed = [moved for moved, _ in moves]
    if language != page.language:
        await speak(write.session, changed, language)
    return changed


async def _addresses_below(session: AsyncSession, page: Page, path: str) -> list[tuple[Page, str]]:
    """The page and all below it, each with its address once the page's is ``path``."""
    found = [(page, path)]
    for child in await children_of(session, page):
        found += await _addresses_below(session, child, join(path, child.slug))
    return found


async def children_of(session: AsyncSession, page: Page) -> list[Page]:
    """The pages right below a page, in their order."""
    below = select(Page).where(Page.parent_id == page.id, Page.binned_at.is_(None))
    return list(await session.scalars(below.order_by(Page.position, Page.id)))


async def with_all_below(session: AsyncSession, page: Page) -> list[Page]:
    """A page and all below it; each comes after the page above it, siblings in their order."""
    found, level = [page], [page.id]
    while level:
        below: list[Page] = []
        for ids in in_chunks(level):
            query = select(Page).where(Page.parent_id.in_(ids), Page.binned_at.is_(None))
            below += await session.scalars(query.order_by(Page.position, Page.id))
        found += below
        level = [one.id for one in below]
    return found


async def last_position(session: AsyncSession, site: Site, parent: Page | None) -> int:
    """The position behind the pages right below ``parent`` (None: at the root)."""
    last: int | None = await session.scalar(
        select(func.max(Page.position)).where(
            Page.site_id == site.id,
            Page.parent_id.is_not_distinct_from(parent.id if parent else None),
        )
    )
    return 0 if last is None else last + 1


def require_not_held(site: Site, path: str, *, before: str | None = None) -> None:
    """Raises Conflict when the site keeps an address for itself. A page that had such a one
    ``before``, as could be once, may go along with the page above it."""
    languages = [site.language, *site.languages]
    what = held_for(path, languages)
    if what is not None and (before is None or held_for(before, languages) is None):
        raise Conflict(
            f"The site {site.key!r} keeps {path!r} for {what}.", hint="Use another slug."
        )


async def require_free(
    session: AsyncSession, site: Site, path: str, moving: Collection[uuid.UUID] = ()
) -> None:
    """Raises Conflict when another page than those that are moving has an address."""
    taken = await session.scalar(select(Page.id).where(Page.site_id == site.id, Page.path == path))
    if taken is not None and taken not in moving:
        raise Conflict(
            f"The site {site.key!r} has a page at {path!r} already.", hint="Use another slug."
        )
