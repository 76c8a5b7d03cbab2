"""Placing: the facts of live pages and sites put into the projection.

Rows are changed as objects, so what is the same is not written.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import bindparam, literal_column, or_, select, union, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.items import DATED, Facts, card_of, date_of, neighbours, posts_below
from mosaic_cms.content.made_paths import made_paths
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.menus import MENUS, places_of, shown_menu
from mosaic_cms.content.models import Menu, Page, PageVersion, Redirect, Site
from mosaic_cms.content.published import (
    PublishedDependency,
    PublishedForm,
    PublishedPage,
    PublishedRedirect,
    PublishedSite,
    PublishedTerm,
)
from mosaic_cms.content.redirects import split_target
from mosaic_cms.content.references import NOTHING, find_media, in_chunks, page_ids
from mosaic_cms.content.slugs import slugify

#: Characters of a tag's or category's title.
_TERM = 200
#: What is placed beside some pages, by its table.
_BESIDE = {
    table: select(table).where(table.page_id.in_(bindparam("pages", expanding=True)))
    for table in (PublishedDependency, PublishedForm, PublishedTerm)
}
#: The targets and the forms that pages show. A target has no definition: JSON's null.
_SHOWN = union_all(
    *(
        select(table.page_id, key, definition).where(
            table.page_id.in_(bindparam("pages", expanding=True))
        )
        for table, key, definition in (
            (PublishedForm, PublishedForm.form_id, PublishedForm.definition),
            (PublishedDependency, PublishedDependency.target, literal_column("'null'")),
        )
    )
)


async def place_page(
    session: AsyncSession,
    page: Page,
    version: PageVersion,
    *,
    first: bool = False,
    again: bool = False,
) -> PublishedPage:
    """Puts a live version's facts into its row; ``first`` saves looking for one. ``again`` puts
    everything in its place, as a rebuild does, and does not count on what was placed before."""
    media = await find_media(session, [version.details.get("image") or ""])
    row = None if first else await session.get(PublishedPage, page.id)
    before = None if row is None or again else _terms(row)
    if row is None:
        row = PublishedPage(
            page_id=page.id, html=None, head="", text="", theme="", theme_revision=""
        )
        session.add(row)
    row.site_id = page.site_id
    row.language = page.language
    row.translation_id = page.translation_id
    row.path = page.path
    row.parent_id = page.parent_id
    row.position = page.position
    row.layout = version.layout
    row.title = version.title
    row.summary = version.summary
    row.card = card_of(version, media)
    row.dated = date_of(row.card)
    if before != _terms(row):
        await _place_terms(session, row, first=first)
    return row


def _terms(row: PublishedPage) -> tuple[str, dict[tuple[str, str], str]]:
    """The language of a row's terms, and their titles by kind and slug."""
    named = (
        ("tag", row.card["tags"]),
        ("category", row.card["categories"]),
        ("author", [row.card["author"]]),
    )
    terms = {
        (kind, slugify(title)[:_TERM]): title[:_TERM]
        for kind, titles in named
        for title in titles
        if title.strip()
    }
    date = date_of(row.card)
    if date is not None:  # of the month that its readers see
        month = f"{date.year:04}-{date.month:02}"
        terms[("archive", month)] = month
    return row.language, terms


async def _place_terms(session: AsyncSession, row: PublishedPage, *, first: bool) -> None:
    language, wanted = _terms(row)
    placed = [] if first else await _rows_of(session, PublishedTerm, [row.page_id])
    for term in placed:
        title = wanted.pop((term.kind, term.slug), None)
        if title is None:
            await session.delete(term)
        else:
            term.title, term.language = title, language
    for (kind, slug), title in wanted.items():
        session.add(
            PublishedTerm(
                page_id=row.page_id,
                kind=kind,
                slug=slug,
                site_id=row.site_id,
                language=language,
                title=title,
            )
        )


async def remove_page(session: AsyncSession, page_id: uuid.UUID) -> None:
    """Takes a page out of the projection."""
    row = await session.get(PublishedPage, page_id)
    if row is not None:
        await session.delete(row)
    for table in (PublishedDependency, PublishedForm, PublishedTerm):
        for kept in await _rows_of(session, table, [page_id]):
            await session.delete(kept)
    await session.flush()


async def place_shown(
    session: AsyncSession,
    targets: Mapping[uuid.UUID, Collection[str]],
    forms: Mapping[uuid.UUID, Mapping[str, dict[str, Any]]],
) -> None:
    """Records what pages, by their ids, show something of, and the forms that they show: the data
    of each block, by its id."""
    known_targets: set[tuple[uuid.UUID, str]] = set()
    known_forms: dict[tuple[uuid.UUID, str], Any] = {}
    for ids in in_chunks(targets.keys() | forms.keys()):
        for page_id, key, definition in await session.execute(_SHOWN, {"pages": ids}):
            if definition is None:
                known_targets.add((page_id, key))
            else:
                known_forms[page_id, key] = definition
    wanted = {(page_id, target) for page_id, found in targets.items() for target in found}
    for key in sorted(known_targets - wanted):
        await session.delete(await session.get_one(PublishedDependency, key))
    for page_id, target in sorted(wanted - known_targets):
        session.add(PublishedDependency(page_id=page_id, target=target))
    shown = {
        (page_id, key): data for page_id, found in forms.items() for key, data in found.items()
    }
    for key in sorted(known_forms.keys() - shown.keys()):
        await session.delete(await session.get_one(PublishedForm, key))
    for key, definition in shown.items():
        if key not in known_forms:
            page_id, form_id = key
            session.add(PublishedForm(page_id=page_id, form_id=form_id, definition=definition))
        elif known_forms[key] != definition:
            (await session.get_one(PublishedForm, key)).definition = definition


async def place_site(
    session: AsyncSession, site: Site, markup: Markup, *, first: bool = False
) -> None:
    """Puts what surrounds the pages into the projection: settings and menus, a row for each
    language; ``first`` saves looking for them."""
    languages = [site.language, *site.languages]
    placed: dict[str, PublishedSite] = {}
    menus: list[Menu] = []
    if not first:
        rows = await session.scalars(select(PublishedSite).where(PublishedSite.site_id == site.id))
        placed = {row.language: row for row in rows}
        menus = list(await session.scalars(select(Menu).where(Menu.site_id == site.id)))
    paths = await shown_paths(session, site, {x for menu in menus for x in places_of(menu.items)})
    for language in languages:
        row = placed.pop(language, None)
        if row is None:
            row = PublishedSite(site_id=site.id, language=language)
            session.add(row)
        row.key = site.key
        row.position = site.position
        row.surround = {
            "title": site.title,
            "tagline": site.tagline,
            "theme": site.theme,
            "theme_settings": site.theme_settings,
            "footer": markup.render(site.footer, NOTHING, language=language).html
            if site.footer
            else "",
            "languages": languages,
            "api": site.api or {},
            "menus": {
                menu.place: shown_menu(menu.items, paths)
                for menu in menus
                if menu.language == language and menu.place in MENUS
            },
        }
    for row in placed.values():
        await session.delete(row)


async def place_redirects(
    session: AsyncSession, site: Site, sources: Collection[str] | None = None
) -> None:
    """Puts a site's redirects, or those from ``sources``, into the projection; one to a page that
    is not published is none. Nor is one that the list of a tag left, while something is listed at
    its old address or nothing at the new one."""
    rows = await _redirects(session, Redirect, site, sources)
    placed = await _redirects(session, PublishedRedirect, site, sources)
    there = {source: row.target for source, row in placed.items()}
    ends = {source: split_target(row.target) for source, row in rows.items()}
    lists = {x for x, row in rows.items() if row.automatic and ends[x][0].startswith("/")}
    looked_up = {x for x, (end, _) in ends.items() if x in lists or end.startswith("page:")}
    paths = await shown_paths(session, site, lists | {ends[x][0] for x in looked_up})
    wanted: dict[str, str] = {}
    for source, (end, rest) in ends.items():
        leads = paths.get(end) if source in looked_up else end
        if leads not in (None, source) and not (source in lists and source in paths):
            wanted[source] = f"{leads}{rest}"
    changed = {key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key)}
    for source in sorted(changed):
        if source not in there:
            session.add(PublishedRedirect(site_id=site.id, source=source, target=wanted[source]))
            continue
        row = await session.get_one(PublishedRedirect, (site.id, source))
        if source in wanted:
            row.target = wanted[source]
        else:
            await session.delete(row)
    await session.flush()


async def _redirects(
    session: AsyncSession, table: Any, site: Site, sources: Collection[str] | None
) -> dict[str, Any]:
    """Rows by their source."""
    columns = [table.source, table.target, *([table.automatic] if table is Redirect else [])]
    query = select(*columns).where(table.site_id == site.id)
    if sources is None:
        return {row.source: row for row in await session.execute(query)}
    found: dict[str, Any] = {}
    for chunk in in_chunks(sources):
        rows = await session.execute(query.where(table.source.in_(chunk)))
        found |= {row.source: row for row in rows}
    return found


async def _paths(session: AsyncSession, site: Site, places: Collection[str]) -> dict[str, str]:
    """The addresses of the published ones among some places: by ``page:<id>``, by themselves."""
    if not places:  # of a new site, there are none: to make a query takes a tenth of a millisecond
        return {}
    columns = PublishedPage.page_id, PublishedPage.path
    query = select(*columns).where(PublishedPage.site_id == site.id)
    found: dict[str, str] = {}
    for ids in in_chunks(page_ids(places)):
        rows = await session.execute(query.where(PublishedPage.page_id.in_(ids)))
        found |= {f"page:{page_id}": path for page_id, path in rows}
    for paths in in_chunks([place for place in places if place.startswith("/")]):
        rows = await session.execute(query.where(PublishedPage.path.in_(paths)))
        found |= {path: path for _, path in rows}
    return found


async def shown_paths(session: AsyncSession, site: Site, places: Collection[str]) -> dict[str, str]:
    """The addresses of those places that visitors find something at: published pages by
    ``page:<id>`` or their path, and what the site makes itself by its path."""
    found = await _paths(session, site, places)
    others = {place for place in places if place.startswith("/") and place not in found}
    return found | await made_paths(session, site, others) if others else found


async def dependents(
    session: AsyncSession, rows: Collection[PublishedPage | Facts]
) -> set[uuid.UUID]:
    """The rendered pages of a site that show something of these, themselves left out.

    One that is placed and not rendered yet has its message, and will show what holds then.
    """
    if not rows:
        return set()
    ids = {row.page_id for row in rows}
    site_id = next(iter(rows)).site_id
    rendered = select(PublishedPage.page_id).where(PublishedPage.html.is_not(None))
    parents = {row.parent_id for row in rows} - {None}
    within = [PublishedPage.path.startswith(top, autoescape=True) for top in _tops(rows)]
    translations = {row.translation_id for row in rows}
    found = await depending_on(session, _targets(rows))
    found |= set(
        await session.scalars(
            union(
                rendered.where(PublishedPage.page_id.in_(parents)),
                rendered.where(PublishedPage.translation_id.in_(translations)),
                rendered.where(PublishedPage.site_id == site_id, or_(*within)),
            )
        )
    )
    beside: dict[uuid.UUID | None, list[PublishedPage | Facts]] = {}
    for row in rows:
        if row.layout == DATED:
            beside.setdefault(row.parent_id, []).append(row)
    for posts in beside.values():
        if len(posts) == 1:
            found |= {item.id for item in await neighbours(session, posts[0]) if item is not None}
            continue
        order = [post.id for post in await posts_below(session, posts[0])]
        for pair in pairwise(order):
            found |= set(pair) if ids.intersection(pair) else set()
    return found - ids


async def depending_on(session: AsyncSession, targets: Collection[str]) -> set[uuid.UUID]:
    """The pages that show something of these targets."""
    if not targets:
        return set()
    return set(
        await session.scalars(
            select(PublishedDependency.page_id).where(
                PublishedDependency.target.in_(sorted(targets))
            )
        )
    )


def _targets(rows: Collection[PublishedPage | Facts]) -> set[str]:
    targets: set[str] = set()
    for row in rows:
        targets |= {f"page:{row.page_id}", f"below:{row.parent_id}"}
        targets |= {f"tag:{row.site_id}:{slugify(tag)}" for tag in row.card["tags"]}
    return targets


def _tops(rows: Collection[PublishedPage | Facts]) -> list[str]:
    """The paths of rows that are not below another's."""
    tops: list[str] = []
    for path in sorted(row.path for row in rows):
        if not tops or not path.startswith(tops[-1]):
            tops.append(path)
    return tops


async def _rows_of(session: AsyncSession, table: Any, page_ids: Collection[uuid.UUID]) -> list[Any]:
    found: list[Any] = []
    for ids in in_chunks(page_ids):
        found += await session.scalars(_BESIDE[table], {"pages": ids})
    return found
