"""Writing what an import has read into a site: pages, files, redirects, batch by batch.

Pages are known by their source, so that a second run finds them and changes only what is different.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.references import described_in
from mosaic_cms.content.schedules import What
from mosaic_cms.content.tree import add_page, find_site, move_page, set_content
from mosaic_cms.content.versions import CONTENT, version_of_draft
from mosaic_cms.importing.media import store_media
from mosaic_cms.importing.memory import is_as_imported, knows_content, knows_place, memory_of
from mosaic_cms.importing.old_addresses import lead_to_pages
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.scan import SourceFile
from mosaic_cms.importing.site_file import FileEntry
from mosaic_cms.importing.slugs import slug_beside
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, InvalidInput, MosaicError, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Pages in one write.
BATCH = 50
#: What a page that is read becomes: what :func:`set_content` takes, for a draft's regions.
Made = Callable[[dict[str, Any]], dict[str, Any]]
Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A page that is to be there.

    Attributes:
        parent: the source of the page that it stands below.
        made: its content, given the regions that the draft has now.
        language: where it is not that of the page above.
        translates: the source of a page in another language that says the same.
    """

    source: str
    parent: str | None
    slug: str
    position: int
    draft: bool
    made: Made
    language: str | None = None
    translates: str | None = None


class Writer:
    """One import's way into a site.

    Attributes:
        publishes: what is no draft; otherwise everything stays one.
        pages: ids by source, of all pages that are to be there.
        media: ids by source, of the files that are stored.
        fresh: the site had nothing but its first page, as it was made.
    """

    def __init__(
        self, scope: TenantScope, site: str | None, report: Report, *, publish: bool
    ) -> None:
        self.scope = scope
        self.site = site
        self.report = report
        self.counts: Counter[str] = Counter()
        self.pages: dict[str, uuid.UUID] = {}
        self.media: dict[str, uuid.UUID] = {}
        self.fresh = False
        self._translations: dict[str, uuid.UUID] = {}
        self.publishes = publish
        self._welcome: str | None = None

    async def begin(
        self, pages: Sequence[Incoming] | Sequence[str], *, ours: Callable[[str], bool], home: str
    ) -> None:
        """Finds which sources are pages already; the others get their ids, for links to them.

        Args:
            pages: the sources of all pages.
            ours: whether a source is of this kind of import.
            home: the source of what is to be the home page; "" for none.
        """
        sources = [p if isinstance(p, str) else p.source for p in pages]
        async with self.scope.read() as session:
            site = await find_site(session, self.site)
            rows = list(
                await session.execute(
                    select(
                        Page.id,
                        Page.source,
                        Page.path,
                        Page.revision,
                        Page.version_count,
                        Page.binned_at,
                        Page.translation_id,
                    ).where(Page.site_id == site.id)
                )
            )
        known = {row.source: row.id for row in rows if row.source and ours(row.source)}
        first = next((row for row in rows if _is_untouched(row)), None)
        self.fresh = len(rows) == (first is not None)
        self.pages = {source: known.get(source) or new_id() for source in sources}
        if first is not None and home and home not in known:
            self.pages[home], self._welcome = first.id, home
        linked = {row.id: row.translation_id for row in rows}
        self._translations = {s: linked.get(key, key) for s, key in self.pages.items()}
        binned = {row.source for row in rows if row.binned_at is not None}
        for source in sorted(known.keys() - set(sources)):
            self.report.note(source, "it is not there any more; its page is left as it is")
        for source in sources:
            if source in binned:
                self.report.note(source, "its page is in the bin, and stays there")

    async def store(
        self, files: Sequence[SourceFile], said: Mapping[str, FileEntry] | None = None
    ) -> None:
        """Stores the files that pages use, with what is said of them by their source."""
        self.media, faults = await store_media(self.scope, self.site, files, said)
        for source, message in faults:
            self.report.problem(source, message)

    async def write(self, pages: Sequence[Incoming]) -> None:
        """Makes and changes pages, parents before children, and publishes what is no draft."""
        for start in range(0, len(pages), BATCH):
            batch = pages[start : start + BATCH]
            counts, report = await self.scope.write(
                lambda write, batch=batch: self._batch(write, batch)  # type: ignore[misc]
            )
            self.counts.update(counts)
            self.report.lines += report.lines
            self.scope.progress("pages", min(start + BATCH, len(pages)), len(pages))

    async def redirect(self, addresses: Sequence[tuple[str, str]]) -> None:
        """Has old addresses lead to pages: ``(address, source of the page)``."""
        if addresses:
            for source, note in await lead_to_pages(self.scope, self.site, self.pages, addresses):
                self.report.note(source, note)

    async def schedule(self, source: str, due: datetime, action: What = "publish") -> None:
        """Has a page be published, or taken away, at a time that was set where it comes from."""
        async with self.scope.read() as session:
            row = await session.get(Page, self.pages[source])
        if not self.publishes or row is None:
            return
        if action == "publish" and row.live_version_id is not None:
            return
        at = {"path": row.path, "site": self.site}
        perform = self.scope.product.actions.perform
        try:
            there = await perform("pages.schedules", self.scope, at)
            if not any(x.due == due and x.action == action and x.failure is None for x in there):
                given = {**at, "at": due.isoformat(), "action": action}
                await perform("pages.schedule", self.scope, given)
        except MosaicError as error:
            then = "published" if action == "publish" else "taken away"
            self.report.note(source, f"it was to be {then} later, and is not: {error}")

    async def _batch(self, write: Write, batch: Iterable[Incoming]) -> tuple[Counter[str], Report]:
        """Writes some pages; returns what became of how many, and what is to be reported.

        A write may be done again from its beginning, so nothing is kept but what it returns.
        """
        counts: Counter[str] = Counter()
        report = Report()
        site = await find_site(write.session, self.site)
        ready: list[Page] = []
        for incoming in batch:
            try:
                page, outcome = await self._put(write, site, incoming, report)
            except (Conflict, InvalidInput, NotFound) as error:
                report.problem(incoming.source, str(error))
                continue
            counts[outcome] += 1
            if page is None:
                continue
            if incoming.draft and page.live_version_id is not None:
                note = "it is a draft now; what is published stays until it is unpublished"
                report.note(incoming.source, note)
            elif (
                self.publishes
                and not incoming.draft
                and not (outcome == "unchanged" and _was_unpublished(page))
                and await _differs(write, page)
                and await self._is_whole(write.session, page, incoming.source, report)
            ):
                ready.append(page)
        await write.session.flush()
        if ready:
            await self.scope.product.publisher.publish_many(write, site, ready)
        counts["published"] = len(ready)
        return counts, report

    async def _is_whole(
        self, session: AsyncSession, page: Page, source: str, report: Report
    ) -> bool:
        """Whether it can be published; it stays a draft otherwise, and the report says why."""
        described = await described_in(session, page.regions)
        faults = self.scope.product.blocks.faults(page.regions, described=described)
        problems = [fault for fault in faults if fault.level == "problem"]
        for fault in faults:
            if fault.level == "warning":
                report.note(source, f"{fault.where}: {fault.what}")
        if problems:
            told = "; ".join(f"{fault.where}: {fault.what}" for fault in problems[:5])
            report.problem(source, f"it stays a draft, because it is not whole: {told}")
        return not problems

    async def _put(
        self, write: Write, site: Site, incoming: Incoming, report: Report
    ) -> tuple[Page | None, Outcome]:
        page_id = self.pages[incoming.source]
        page = await write.session.get(Page, page_id)
        if page is not None and page.binned_at is not None:
            return None, "unchanged"
        content = incoming.made(page.regions if page is not None else {})
        before = page.regions if page is not None else {}
        content["regions"] = self.scope.kept(content["regions"], before=before)
        place = (incoming.parent, incoming.slug, incoming.language, incoming.translates)
        memory = memory_of(content, draft=incoming.draft, place=place)
        parent = None
        if incoming.parent is not None:
            parent = await write.session.get(Page, self.pages[incoming.parent])
            if parent is None:
                raise NotFound(f"The page above it, {incoming.parent}, was not imported.")
        slug, told = incoming.slug, Report()
        if page is None or page.slug != slug:  # what has its address keeps it
            languages = [site.language, *site.languages]
            slug, note = slug_beside(slug, parent.path if parent else None, languages)
            if note is not None:
                told.note(incoming.source, note)
        if page is None:
            page = await add_page(
                write,
                site,
                slug=slug,
                parent=parent,
                page_id=page_id,
                position=incoming.position,
                source=incoming.source,
                **content,
            )
            page.source_digest = memory
            report.lines += told.lines
            self._speak(page, incoming)
            await write.session.flush()  # pages below look for it by its id
            return page, "created"
        if knows_content(page, memory) and not is_as_imported(page):
            report.note(
                incoming.source, "it was changed here, and its source was not; it is left as it is"
            )
            return None, "unchanged"
        stays = knows_place(page, memory)
        await _keep(write, page, content, incoming.source, report)
        changed = set_content(write, page, **content)
        page.source_digest = memory
        if incoming.source == self._welcome:
            page.source = incoming.source
        placed: list[Page] = []
        wanted = (parent.id if parent else None, slug, incoming.position)
        there = (page.parent_id, page.slug, page.position)
        if there != wanted and not (stays and there[:2] != wanted[:2]):
            moved = await move_page(
                write, site, page, parent=parent, slug=slug, position=incoming.position
            )
            placed = moved or [page]
            report.lines += told.lines
        if not stays and self._speak(page, incoming):
            placed = placed or [page]
        if placed:
            await write.session.flush()
            await self.scope.product.publisher.readdress(write, site, placed)
        return page, "updated" if changed or placed else "unchanged"

    def _speak(self, page: Page, incoming: Incoming) -> bool:
        """Gives a page its language, and links it with the page that it translates."""
        before = (page.language, page.translation_id)
        if incoming.language is not None:
            page.language = incoming.language
        if incoming.translates is not None:
            page.translation_id = self._translations[incoming.translates]
        return before != (page.language, page.translation_id)


def _is_untouched(row: Any) -> bool:
    """The home page that a site was made with: published, and not saved since.

    Its content is kept as a version when another takes its place.
    """
    return row.path == "/" and row.source is None and (row.revision, row.version_count) == (1, 1)


def _was_unpublished(page: Page) -> bool:
    return page.live_version_id is None and page.version_count > 0


async def _keep(
    write: Write, page: Page, content: Mapping[str, Any], source: str, report: Report
) -> None:
    """Keeps the draft as a version before another text takes its place, when somebody wrote in it
    and no version has that."""
    if is_as_imported(page) or all(getattr(page, name) == content[name] for name in CONTENT):
        return
    versions = page.version_count
    kept = await version_of_draft(write, page)
    if page.version_count > versions:
        report.note(source, f"it was changed here; that is kept as version {kept.number}")


async def _differs(write: Write, page: Page) -> bool:
    if page.live_version_id is None:
        return True
    live = await write.session.get(PageVersion, page.live_version_id)
    return live is None or any(getattr(page, name) != getattr(live, name) for name in CONTENT)
