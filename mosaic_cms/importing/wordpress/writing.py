"""A WordPress export into a site, by way of the :class:`~mosaic_cms.importing.writing.Writer`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from mosaic_cms.content.menus import LEVELS, set_menu
from mosaic_cms.content.models import Comment, Menu, Page
from mosaic_cms.content.slugs import slugify
from mosaic_cms.content.tree import find_site
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.model import (
    WordPressComment,
    WordPressMenu,
    WordPressMenuEntry,
    WordPressPage,
    WordPressSite,
)
from mosaic_cms.importing.wordpress.references import resolve, resolve_target
from mosaic_cms.importing.writing import Incoming, Writer
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Comments in one write.
_BATCH = 200
#: Where public lists of pages with a term are.
_LISTS = {"category": "categories", "post_tag": "tags"}
_HEADER = ("main", "primary", "header", "top", "haupt", "nav")
_FOOTER = ("foot", "bottom", "legal")


def is_ours(source: str) -> bool:
    """Whether a page came from a WordPress export."""
    return source.startswith("wp:")


async def write_wordpress(writer: Writer, site: WordPressSite) -> None:
    """Writes all of an export; what cannot be is in the writer's report."""
    await _Writing(writer, site).run()


class _Writing:
    def __init__(self, writer: Writer, site: WordPressSite) -> None:
        self._writer = writer
        self._site = site
        self._home = next((page.source for page in site.pages if page.path == "/"), "")
        self._told: set[str] = set()

    async def run(self) -> None:
        site, writer = self._site, self._writer
        await writer.begin([page.source for page in site.pages], ours=is_ours, home=self._home)
        await self._name()
        await writer.store(site.media)
        await writer.write([self._incoming(page) for page in site.pages])
        await writer.redirect([(found.address, found.page) for found in site.redirects])
        await self._menus()
        await self._comments()
        await self._schedule()

    # ---- the site ----------------------------------------------------------------------------

    async def _name(self) -> None:
        """A new site gets the old one's name and language; any other keeps its own."""
        site, writer = self._site, self._writer
        given = {"title": site.title, "tagline": site.tagline, "language": site.language}
        given = {name: value for name, value in given.items() if value}
        if not writer.fresh:
            writer.report.note(
                ".", f"the site has pages already: it is not renamed to {site.title!r}"
            )
        elif given:
            perform, which = writer.scope.product.actions.perform, {"site": writer.site}
            seen = await perform("sites.show", writer.scope, which)
            changes = {**which, **given, "based_on": seen.revision}
            try:
                await perform("sites.configure", writer.scope, changes)
            except InvalidInput as error:
                writer.report.problem(".", f"the site keeps its name and language: {error.message}")

    # ---- pages -------------------------------------------------------------------------------

    def _incoming(self, page: WordPressPage) -> Incoming:
        parent = page.parent
        if parent is None and page.source != self._home:
            parent = self._home or None
        return Incoming(
            source=page.source,
            parent=parent,
            slug=page.slug,
            position=page.position,
            draft=page.draft,
            made=lambda before: self._content(page, before),
        )

    def _content(self, page: WordPressPage, before: Mapping[str, Any]) -> dict[str, Any]:
        writer = self._writer
        found = resolve(page.blocks, writer.pages, writer.media, self._site.originals)
        for address in found.unresolved:
            self._tell(page.source, f"{address} is not in the export; its old address stays")
        details = dict(page.details)
        if "image" in details:
            details["image"] = self._target(details["image"], page.source)
        return {
            "title": page.title,
            "summary": page.summary,
            "layout": page.layout,
            "details": details,
            "regions": {**before, "main": found.blocks},
        }

    def _target(self, target: str, source: str) -> str:
        writer = self._writer
        found = resolve_target(target, writer.pages, writer.media, self._site.originals)
        if target.startswith(("page:wp:", "media:upload:")) and not found.startswith(
            ("page:", "media:")
        ):
            self._tell(source, f"{found} is not in the export; its old address stays")
        return found

    def _tell(self, source: str, message: str) -> None:
        """A problem, once: a write may be made again."""
        if f"{source}\0{message}" not in self._told:
            self._told.add(f"{source}\0{message}")
            self._writer.report.problem(source, message)

    # ---- menus -------------------------------------------------------------------------------

    async def _menus(self) -> None:
        """The menus that have a place here, where the site has none yet."""
        places = _places(self._site.menus, self._writer.report)
        items = {
            place: [made for entry in menu.entries for made in self._item(entry, menu)]
            for place, menu in places.items()
        }
        items = {place: entries for place, entries in items.items() if entries}
        if items:
            try:
                kept = await self._writer.scope.write(lambda write: self._set_menus(write, items))
            except InvalidInput as error:
                self._writer.report.problem(".", error.message)
                return
            for place in kept:
                self._writer.report.note(
                    f"menu:{places[place].slug}", f"the site has a {place} menu, which stays"
                )

    async def _set_menus(self, write: Write, items: dict[str, list[dict[str, Any]]]) -> list[str]:
        session = write.session
        site = await find_site(session, self._writer.site)
        kept: list[str] = []
        changed = False
        for place, entries in items.items():
            there = await session.scalar(
                select(Menu).where(
                    Menu.site_id == site.id, Menu.place == place, Menu.language == site.language
                )
            )
            if there is None:
                await set_menu(session, site, place, site.language, entries)
                changed = True
            elif _titles(there.items) != _titles(entries):
                kept.append(place)
        if changed:
            await session.flush()
            await self._writer.scope.product.publisher.place_around(session, site)
        return kept

    def _item(
        self, entry: WordPressMenuEntry, menu: WordPressMenu, level: int = 1
    ) -> list[dict[str, Any]]:
        """The entry with those below it; deeper ones than a menu has stand beside it."""
        below = [made for child in entry.children for made in self._item(child, menu, level + 1)]
        source = f"menu:{menu.slug}"
        target: str | None = self._target(entry.target, source)
        taxonomy, colon, slug = entry.target.partition(":")
        if colon and any(term.taxonomy == taxonomy for term in self._site.terms):
            names = {t.slug: t.name for t in self._site.terms if t.taxonomy == taxonomy}
            folder = _LISTS.get(taxonomy)
            target = f"/{folder}/{slugify(names.get(slug, slug))}/" if folder else None
        if target is None:
            self._tell(source, f"the entry {entry.title!r} lists a {taxonomy}; left out")
            return below
        title = entry.title if len(entry.title) <= 100 else f"{entry.title[:99].rstrip()}…"
        if level < LEVELS:
            return [{"title": title, "target": target, "items": below}]
        if below:
            self._tell(source, f"what is below {title!r} stands beside it: {LEVELS} levels fit")
        return [{"title": title, "target": target, "items": []}, *below]

    # ---- comments and schedules ----------------------------------------------------------------

    async def _comments(self) -> None:
        comments = self._site.comments
        others = sum(comment.kind not in {"comment", ""} for comment in comments)
        if others:
            self._writer.report.note(
                ".", f"{others} pingbacks and trackbacks are kept as comments like the others"
            )
        for start in range(0, len(comments), _BATCH):
            batch = comments[start : start + _BATCH]
            await self._writer.scope.write(
                lambda write, batch=batch: self._put_comments(write, batch)  # type: ignore[misc]
            )
            done = min(start + _BATCH, len(comments))
            self._writer.scope.progress("comments", done, len(comments))

    async def _put_comments(self, write: Write, batch: Sequence[WordPressComment]) -> None:
        session = write.session
        page_ids = {self._writer.pages[comment.page] for comment in batch}
        rows = await session.scalars(select(Comment).where(Comment.page_id.in_(page_ids)))
        there = {(row.page_id, row.source): row for row in rows}
        pages = set(await session.scalars(select(Page.id).where(Page.id.in_(page_ids))))
        ids: dict[tuple[uuid.UUID, str], uuid.UUID] = {
            (page_id, source): row.id for (page_id, source), row in there.items() if source
        }
        for comment in batch:
            key = (self._writer.pages[comment.page], f"wp:{comment.id}")
            ids.setdefault(key, new_id())
        for comment in sorted(batch, key=lambda comment: comment.id):
            page_id = self._writer.pages[comment.page]
            key = (page_id, f"wp:{comment.id}")
            if page_id not in pages:
                continue  # the report says why its page is not there
            facts = {
                "parent_id": ids.get((page_id, f"wp:{comment.parent}")),
                "author": comment.author[:300],
                "email": comment.email[:320],
                "address": comment.url[:2000],
                "at": comment.date,
                "text": comment.text.replace("\0", ""),
                "approved": comment.approved,
            }
            row = there.get(key)
            if row is None:
                row = Comment(id=ids[key], page_id=page_id, source=key[1], **facts)
                there[key] = row
                session.add(row)
            for name, value in facts.items():
                if getattr(row, name) != value:
                    setattr(row, name, value)

    async def _schedule(self) -> None:
        """What was to be published later is, at that time."""
        for page in self._site.pages:
            if page.scheduled is not None:
                await self._writer.schedule(page.source, page.scheduled)


def _titles(items: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What a menu says: its targets may have become others, as pages took their place."""
    return [[item["title"], _titles(item["items"])] for item in items]


def _places(menus: Sequence[WordPressMenu], report: Report) -> dict[str, WordPressMenu]:
    """Which menu goes where: an export does not say, so their names do."""
    places: dict[str, WordPressMenu] = {}
    named = [(menu, f"{menu.slug} {menu.name}".casefold()) for menu in menus if menu.entries]
    for place, words in (("footer", _FOOTER), ("header", _HEADER)):
        for menu, name in named:
            if menu not in places.values() and any(word in name for word in words):
                places.setdefault(place, menu)
    for menu, _ in named:
        for place in ("header", "footer", "side"):
            if menu not in places.values():
                places.setdefault(place, menu)
        if menu in places.values():
            place = next(place for place, found in places.items() if found is menu)
            report.understood(f"menu:{menu.slug}", f"the menu {menu.name!r} is the {place}'s")
        else:
            report.problem(f"menu:{menu.slug}", f"no place is left for the menu {menu.name!r}")
    return places
