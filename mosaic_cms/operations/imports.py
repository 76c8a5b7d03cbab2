"""Importing a folder of Markdown: read as a whole, then written in batches."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from mosaic_cms.actions import Model, Permission, action
from mosaic_cms.content.models import Page, PageVersion, Redirect, Site
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.tree import add_page, find_site, move_page, set_content
from mosaic_cms.importing.folder import SourceFolder, SourcePage, read_folder
from mosaic_cms.importing.media import store_media
from mosaic_cms.importing.references import resolve_references
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Pages in one write.
_BATCH = 50


class ImportMarkdown(Model):
    """A folder on this machine, and the site that it becomes pages of."""

    folder: Path
    site: str | None = None
    publish: bool = True


class ImportLine(Model):
    """A line of the report; ``line`` counts within the file ``source``."""

    source: str
    line: int | None
    level: Literal["understood", "note", "problem"]
    message: str


class ImportReport(Model):
    """What became of the folder. A second run finds everything unchanged."""

    created: int
    updated: int
    unchanged: int
    published: int
    files: int
    lines: tuple[ImportLine, ...]

    @property
    def problems(self) -> int:
        return sum(line.level == "problem" for line in self.lines)


@action("content.import_markdown", needs=Permission("create", "content"))
async def import_markdown(scope: TenantScope, command: ImportMarkdown) -> ImportReport:
    """Makes pages of a folder of Markdown, and reports what was understood and what was not."""
    if not command.folder.is_dir():
        raise InvalidInput(
            f"There is no folder {command.folder}.", hint="Name the folder of the Markdown files."
        )
    found = await asyncio.to_thread(read_folder, command.folder)
    return await _Import(scope, command, found).run()


class _Import:
    """One run. Pages are known by their source, so that a second run finds them."""

    def __init__(self, scope: TenantScope, command: ImportMarkdown, found: SourceFolder) -> None:
        self._scope = scope
        self._command = command
        self._found = found
        self._lines = [
            ImportLine(source=x.source, line=x.line, level=x.level, message=x.message)
            for x in found.report.lines
        ]
        self._counts: Counter[str] = Counter()
        self._ids: dict[str, uuid.UUID] = {}
        self._media: dict[str, uuid.UUID] = {}

    async def run(self) -> ImportReport:
        await self._know()
        self._media, faults = await store_media(self._scope, self._command.site, self._found.media)
        self._lines += [
            ImportLine(source=source, line=None, level="problem", message=message)
            for source, message in faults
        ]
        pages = self._found.pages
        for start in range(0, len(pages), _BATCH):
            batch = pages[start : start + _BATCH]
            counts, lines = await self._scope.write(
                lambda write, batch=batch: self._write(write, batch)  # type: ignore[misc]
            )
            self._counts.update(counts)
            self._lines += lines
            self._scope.progress("pages", start + len(batch), len(pages))
        await self._scope.write(self._redirects)
        return ImportReport(
            created=self._counts["created"],
            updated=self._counts["updated"],
            unchanged=self._counts["unchanged"],
            published=self._counts["published"],
            files=len(self._media),
            lines=tuple(self._lines),
        )

    async def _know(self) -> None:
        """Which sources are pages already; the others get their ids now, for links to them."""
        async with self._scope.read() as session:
            site = await find_site(session, self._command.site)
            rows = await session.execute(
                select(Page.source, Page.id).where(
                    Page.site_id == site.id, Page.source.is_not(None)
                )
            )
            known: dict[str, uuid.UUID] = {
                source: page_id for source, page_id in rows if source is not None
            }
        sources = [page.source for page in self._found.pages]
        self._ids = {source: known.get(source) or new_id() for source in sources}
        for source in sorted(known.keys() - set(sources)):
            self._note(source, "it is not in the folder any more; its page is left as it is")

    async def _write(
        self, write: Write, batch: Sequence[SourcePage]
    ) -> tuple[Counter[str], list[ImportLine]]:
        """Writes some pages; returns what became of how many, and what is to be reported."""
        counts: Counter[str] = Counter()
        lines: list[ImportLine] = []
        site = await find_site(write.session, self._command.site)
        ready: list[Page] = []
        for source in batch:
            try:
                page, outcome = await self._put(write, site, source)
            except (Conflict, InvalidInput, NotFound) as error:
                lines.append(_line(source.source, "problem", str(error)))
                continue
            counts[outcome] += 1
            if source.draft and page.live_version_id is not None:
                note = "it is a draft now; what is published stays until it is unpublished"
                lines.append(_line(source.source, "note", note))
            elif self._command.publish and not source.draft and await _differs(write, page):
                ready.append(page)
        await write.session.flush()
        await self._scope.product.publisher.publish_many(write, site, ready)
        counts["published"] = len(ready)
        return counts, lines

    async def _put(
        self, write: Write, site: Site, source: SourcePage
    ) -> tuple[Page, Literal["created", "updated", "unchanged"]]:
        content = self._content(source)
        page = await write.session.get(Page, self._ids[source.source])
        parent = None
        if source.parent is not None:
            parent = await write.session.get(Page, self._ids[source.parent])
            if parent is None:
                raise NotFound(f"The page above it, {source.parent}, was not imported.")
        if page is None:
            page = await add_page(
                write,
                site,
                slug=source.slug,
                parent=parent,
                page_id=self._ids[source.source],
                position=source.position,
                source=source.source,
                **content,
            )
            await write.session.flush()  # pages below look for it by its id
            return page, "created"
        changed = set_content(write, page, **content)
        parent_id = parent.id if parent else None
        place = (page.parent_id, page.slug, page.position)
        if place != (parent_id, source.slug, source.position):
            moved = await move_page(
                write, site, page, parent=parent, slug=source.slug, position=source.position
            )
            await write.session.flush()
            await self._scope.product.publisher.readdress(write, site, moved or [page])
            changed = True
        return page, "updated" if changed else "unchanged"

    def _content(self, source: SourcePage) -> dict[str, Any]:
        def refer(text: str) -> str:
            return resolve_references(text, self._ids, self._media)

        details: dict[str, Any] = {
            "author": source.author,
            "tags": list(source.tags),
            "date": source.date.isoformat() if source.date else None,
            "image": refer(source.image) if source.image else None,
            "image_alt": source.image_alt,
            **({"extra": source.extra} if source.extra else {}),
        }
        return {
            "title": source.title,
            "summary": source.summary,
            "body": refer(source.body),
            "layout": source.layout,
            "details": {name: value for name, value in details.items() if value},
        }

    async def _redirects(self, write: Write) -> None:
        """Old addresses that the pages name lead to them."""
        site = await find_site(write.session, self._command.site)
        rows = await write.session.scalars(select(Redirect).where(Redirect.site_id == site.id))
        there = {row.source: row for row in rows}
        for page in self._found.pages:
            for alias in page.aliases:
                source = normalise_path(alias)
                if source is None or source == page.path:
                    continue
                if source not in there:
                    there[source] = Redirect(site_id=site.id, source=source, target=page.path)
                    write.session.add(there[source])
                elif there[source].target != page.path:
                    there[source].target = page.path
        await write.session.flush()
        await self._scope.product.projection.place_site(write.session, site)
        await self._scope.product.projection.place_redirects(write.session, site)

    def _note(self, source: str, message: str) -> None:
        self._lines.append(_line(source, "note", message))


def _line(source: str, level: Literal["note", "problem"], message: str) -> ImportLine:
    return ImportLine(source=source, line=None, level=level, message=message)


async def _differs(write: Write, page: Page) -> bool:
    if page.live_version_id is None:
        return True
    live = await write.session.get(PageVersion, page.live_version_id)
    return live is None or any(
        getattr(page, name) != getattr(live, name)
        for name in ("layout", "title", "summary", "body", "details")
    )
