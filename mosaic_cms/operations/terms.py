"""Tags and categories across a site."""

from __future__ import annotations

import uuid
from typing import Literal

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.drafts import step_back
from mosaic_cms.content.language_tags import language_root
from mosaic_cms.content.made_paths import listing_of
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.placing import dependents, place_page
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.redirects import leave_listings
from mosaic_cms.content.slugs import slugify
from mosaic_cms.content.terms import FIELDS, Kind, has_term, renamed, term_problems, terms_in
from mosaic_cms.content.tree import find_site
from mosaic_cms.content.versions import CONTENT
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Pages in one write.
_BATCH = 50


class SiteTerms(Model):
    """A site; and one kind of terms, or both."""

    site: str | None = None
    kind: Literal["tag", "category"] | None = None


class TermView(Model):
    """A term, and how many pages have it: as drafts, and as visitors see them."""

    kind: str
    slug: str
    title: str
    pages: int
    published: int


class RenameTerm(Model):
    """A term by its name or slug, and its new name; one that is there already takes its pages."""

    old: str
    new: str
    kind: Literal["tag", "category"] = "tag"
    site: str | None = None


class RenamedTerm(Model):
    """How many pages have the term under its new name now."""

    slug: str
    title: str
    pages: int
    published: int


@action("terms.list", needs=Permission("read", "content"), effect="read", http="GET /terms")
async def list_terms(scope: TenantScope, command: SiteTerms) -> list[TermView]:
    """The tags and categories of a site, by kind and slug."""
    drafts: dict[tuple[Kind, str], list[str]] = {}
    live: dict[tuple[Kind, str], list[str]] = {}
    async with scope.read() as session:
        site = await find_site(session, command.site)
        here = Page.site_id == site.id, Page.binned_at.is_(None)
        pages = select(Page.details).where(*here).order_by(Page.path)
        versions = select(PageVersion.details).where(
            PageVersion.id.in_(select(Page.live_version_id).where(*here))
        )
        for query, counted in ((pages, drafts), (versions, live)):
            for details in await session.scalars(query):
                for kind in FIELDS:
                    for slug, title in {slugify(t): t for t in terms_in(details, kind)}.items():
                        counted.setdefault((kind, slug), []).append(title)
    views = []
    for kind, slug in sorted(drafts.keys() | live.keys()):
        if command.kind in (None, kind):
            had, shown = drafts.get((kind, slug), []), live.get((kind, slug), [])
            title = (had or shown)[0]
            views.append(
                TermView(kind=kind, slug=slug, title=title, pages=len(had), published=len(shown))
            )
    return views


@action("terms.rename", needs=Permission("update", "content"), http="POST /terms/rename")
async def rename_term(scope: TenantScope, command: RenameTerm) -> RenamedTerm:
    """Renames a tag or category on every page of a site. A draft that is newer than what visitors
    see stays a draft: both get the new name. The old address of its list leads to the new one."""
    kind, old, new = command.kind, slugify(command.old), " ".join(command.new.split())
    problems = tuple(term_problems({FIELDS[kind]: [new]}))
    if problems:
        raise InvalidInput(f"{command.new[:80]!r} is no {kind}.", problems=problems)
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.execute(
            select(Page.id, Page.details, PageVersion.details)
            .outerjoin(PageVersion, PageVersion.id == Page.live_version_id)
            .where(Page.site_id == site.id)
            .order_by(Page.path)
        )
        ids = [
            page_id
            for page_id, draft, live in rows
            if has_term(draft, kind, old) or (live is not None and has_term(live, kind, old))
        ]
    if not ids:
        raise NotFound(
            f"No page of the site {site.key!r} has the {kind} {command.old[:80]!r}.",
            hint="'mosaic site terms' shows those there are.",
        )
    published = 0
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        published += await scope.write(
            lambda write, batch=batch: _rename(scope, write, batch, kind, old, new)  # type: ignore[misc]
        )
        scope.progress("pages", start + len(batch), len(ids))
    return RenamedTerm(slug=slugify(new), title=new, pages=len(ids), published=published)


async def _rename(
    scope: TenantScope, write: Write, ids: list[uuid.UUID], kind: Kind, old: str, new: str
) -> int:
    """Renames a term on some pages; returns how many of them visitors see."""
    session = write.session
    touched: set[uuid.UUID] = set()
    placed: list[PublishedPage] = []
    for page_id in ids:
        page = await session.get(Page, page_id)
        if page is None:
            continue
        if has_term(page.details, kind, old):
            details = renamed(page.details, kind, old, new)
            session.add(step_back(page, {"details": details}))
            page.details = details
            page.revision += 1
            page.updated_at = write.at
        if page.live_version_id is None:
            continue
        live = await session.get_one(PageVersion, page.live_version_id)
        row = await session.get(PublishedPage, page_id)
        if row is None or not has_term(live.details, kind, old):
            continue
        touched |= await dependents(session, [row])
        version = _version(write, page, live, renamed(live.details, kind, old, new))
        page.live_version_id = version.id
        placed.append(await place_page(session, page, version))
        await session.flush()
    touched |= await dependents(session, placed)
    if placed:
        # A menu may lead to the page of a term, and whoever knew it comes to the new one.
        site = await session.get_one(Site, placed[0].site_id)
        roots = {language_root(site.language, row.language) for row in placed}
        left = {listing_of(x, kind, old): listing_of(x, kind, slugify(new)) for x in roots}
        await leave_listings(session, site, left)
        await scope.product.publisher.place_around(session, site)
        await scope.product.publisher.render_later(
            write, touched.union(row.page_id for row in placed)
        )
    return len(placed)


def _version(
    write: Write, page: Page, live: PageVersion, details: dict[str, object]
) -> PageVersion:
    """A new version: what is live, with other details."""
    page.version_count += 1
    content = {name: getattr(live, name) for name in CONTENT}
    version = PageVersion(
        id=new_id(),
        page_id=page.id,
        number=page.version_count,
        at=write.at,
        actor=write.info.actor,
        name=None,
        **{**content, "details": details},
    )
    write.session.add(version)
    return version
