"""Writing what an import has read into a site: pages, files, redirects, batch by batch.

Pages are known by their source, so that a second run finds them and changes only what is different.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, PageVersion, Redirect, Site
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.references import described_in
from mosaic_cms.content.tree import add_page, find_site, move_page, set_content
from mosaic_cms.content.versions import CONTENT
from mosaic_cms.importing.media import store_media
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.scan import SourceFile
from mosaic_cms.importing.site_file import FileEntry
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, InvalidInput, NotFound
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
        self._publish = publish
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
            kept = await self.scope.write(lambda write: self._redirect(write, addresses))
            for source, note in kept:
                self.report.note(source, note)

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
                page, outcome = await self._put(write, site, incoming)
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
                self._publish
                and not incoming.draft
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
        self, write: Write, site: Site, incoming: Incoming
    ) -> tuple[Page | None, Outcome]:
        page_id = self.pages[incoming.source]
        page = await write.session.get(Page, page_id)
        if page is not None and page.binned_at is not None:
            return None, "unchanged"
        content = incoming.made(page.regions if page is not None else {})
        before = page.regions if page is not None else {}
        content["regions"] = self.scope.kept(content["regions"], before=before)
        parent = None
        if incoming.parent is not None:
            parent = await write.session.get(Page, self.pages[incoming.parent])
            if parent is None:
                raise NotFound(f"The page above it, {incoming.parent}, was not imported.")
        if page is None:
            page = await add_page(
                write,
                site,
                slug=incoming.slug,
                parent=parent,
                page_id=page_id,
                position=incoming.position,
                source=incoming.source,
                **content,
            )
            self._speak(page, incoming)
            await write.session.flush()  # pages below look for it by its id
            return page, "created"
        changed = set_content(write, page, **content)
        if incoming.source == self._welcome:
            page.source = incoming.source
        placed: list[Page] = []
        place = (parent.id if parent else None, incoming.slug, incoming.position)
        if (page.parent_id, page.slug, page.position) != place:
            moved = await move_page(
                write, site, page, parent=parent, slug=incoming.slug, position=incoming.position
            )
            placed = moved or [page]
        if self._speak(page, incoming):
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

    async def _redirect(
        self, write: Write, addresses: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Returns those that are left as they were, by source."""
        session = write.session
        site = await find_site(session, self.site)
        rows = await session.scalars(select(Redirect).where(Redirect.site_id == site.id))
        there = {row.source: row for row in rows}
        taken = set(await session.scalars(select(Page.path).where(Page.site_id == site.id)))
        own = {f"page:{page_id}" for page_id in self.pages.values()} | taken
        changed = False
        kept: list[tuple[str, str]] = []
        for address, source in addresses:
            path, target = normalise_path(address), f"page:{self.pages[source]}"
            if path is None or path in taken or await session.get(Page, self.pages[source]) is None:
                continue
            row = there.get(path)
            if row is None:
                row = Redirect(site_id=site.id, source=path, target=target, automatic=False)
                there[path] = row
                session.add(row)
            elif row.target == target and not row.automatic:
                continue
            elif row.automatic or row.target in own:
                row.target, row.automatic = target, False
            else:
                kept.append((source, f"the redirect {path} leads to {row.target}, and stays so"))
                continue
            changed = True
        if changed:
            await session.flush()
            await self.scope.product.publisher.place_around(session, site)
        return kept


def _is_untouched(row: Any) -> bool:
    """The home page that a site was made with: published, and not saved since.

    Its content is kept as a version when another takes its place.
    """
    return row.path == "/" and row.source is None and (row.revision, row.version_count) == (1, 1)


async def _differs(write: Write, page: Page) -> bool:
    if page.live_version_id is None:
        return True
    live = await write.session.get(PageVersion, page.live_version_id)
    return live is None or any(getattr(page, name) != getattr(live, name) for name in CONTENT)
