"""A site as a folder of Markdown, its files beside, that an import makes the same site of."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.stored import Stored, is_block
from mosaic_cms.content.models import (
    Comment,
    Media,
    Menu,
    Page,
    PageVersion,
    Redirect,
    SharedBlock,
    Site,
)
from mosaic_cms.content.redirects import split_target
from mosaic_cms.content.tree import find_site
from mosaic_cms.exporting.comparing import compare
from mosaic_cms.exporting.destination import new_folder
from mosaic_cms.exporting.files import Names, copy_out
from mosaic_cms.exporting.pages import Leaving, PageWriter
from mosaic_cms.exporting.site_text import site_text
from mosaic_cms.importing.fields import read_date
from mosaic_cms.importing.folder import SITE_FILE
from mosaic_cms.importing.report import Report
from mosaic_cms.scope import TenantScope

#: Shared blocks may show others; more levels than these are not followed.
_LEVELS = 5


@dataclass(frozen=True, slots=True)
class _Site:
    """All that an export takes of a site, in one state."""

    site: Site
    pages: Sequence[Page]
    live: Mapping[uuid.UUID, PageVersion]
    media: Sequence[Media]
    menus: Sequence[Menu]
    redirects: Sequence[Redirect]
    shared: Mapping[str, SharedBlock]
    left_out: Mapping[str, int]


async def export_markdown(
    scope: TenantScope, site_key: str | None, target: Path, *, force: bool
) -> tuple[Counter[str], Report]:
    """Writes the folder; returns how much, and what is missing or would come back differently.

    What visitors see is what is written: of a page with a newer draft, the live version.

    Raises:
        Conflict, DiskFull, InvalidInput: see :func:`new_folder`.
    """
    with new_folder(target, mark=SITE_FILE, force=force) as folder:
        async with scope.read() as session:
            taken = await _take(session, await find_site(session, site_key))
            session.expunge_all()
        return await _Export(scope, taken, folder).run()


async def _take(session: AsyncSession, site: Site) -> _Site:
    async def all_of(kind: Any) -> list[Any]:
        rows = await session.scalars(select(kind).where(kind.site_id == site.id).order_by(kind.id))
        return list(rows)

    pages: list[Page] = await all_of(Page)
    media: list[Media] = await all_of(Media)
    ids = select(Page.live_version_id).where(Page.site_id == site.id)
    versions = await session.scalars(select(PageVersion).where(PageVersion.id.in_(ids)))
    own = select(Page.id).where(Page.site_id == site.id)
    menus: list[Menu] = await all_of(Menu)
    languages = (site.language, *site.languages)
    comments = await session.scalars(select(Comment.id).where(Comment.page_id.in_(own)))
    return _Site(
        site=site,
        pages=[page for page in pages if page.binned_at is None],
        live={version.page_id: version for version in versions},
        media=[row for row in media if row.binned_at is None],
        menus=[menu for menu in menus if menu.language in languages],
        redirects=await all_of(Redirect),
        shared={str(block.id): block for block in await all_of(SharedBlock)},
        left_out={
            "pages in the bin": sum(page.binned_at is not None for page in pages),
            "files in the bin": sum(row.binned_at is not None for row in media),
            "comments": len(list(comments)),
            "menus in languages that the site does not have": sum(
                menu.language not in languages for menu in menus
            ),
        },
    )


class _Export:
    def __init__(self, scope: TenantScope, taken: _Site, folder: Path) -> None:
        self._scope = scope
        self._taken = taken
        self._folder = folder
        self._names = Names()
        self._counts: Counter[str] = Counter()
        self._report = Report()

    async def run(self) -> tuple[Counter[str], Report]:
        for what, count in self._taken.left_out.items():
            if count:
                self._report.note(".", f"{count} {what} are not in it; the JSON export has them")
        files = {str(media.id): self._media_file(media) for media in self._taken.media}
        sources = self._sources()
        pages = [self._leaving(page, sources) for page in self._taken.pages]
        self._translate(pages)
        redirects = self._redirects({page.id: page for page in pages})
        _weigh(pages)
        writer = PageWriter({str(key): source for key, source in sources.items()}, files)
        for number, page in enumerate(pages, 1):
            text = await asyncio.to_thread(writer.text, page)
            await asyncio.to_thread(self._write, page.source, text)
            self._scope.progress("pages", number, len(pages))
        paths = {str(page.id): page.path for page in pages}
        copied = await self._copy(files)
        told = [(files[str(row.id)], row) for row in self._taken.media if row.id in copied.values()]
        described = site_text(
            self._taken.site, self._taken.menus, redirects, told, paths, self._report
        )
        await asyncio.to_thread(self._write, SITE_FILE, described)
        await asyncio.to_thread(compare, self._folder, pages, copied, self._report)
        self._counts["pages"], self._counts["media"] = len(pages), len(copied)
        return self._counts, self._report

    def _write(self, source: str, text: str) -> None:
        path = self._folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "replace"))

    # ---- where things are --------------------------------------------------------------------

    def _media_file(self, media: Media) -> str:
        ending = Path(media.name).suffix
        ending = ending if ending[1:].isascii() and ending[1:].isalnum() else ""
        return self._names.path("media/", media.name.removesuffix(ending), ending)

    def _sources(self) -> dict[uuid.UUID, str]:
        """A file for each page: one with others below it is the index of a folder."""
        above = {page.parent_id for page in self._taken.pages}
        sources: dict[uuid.UUID, str] = {}
        for page in self._taken.pages:
            segments = [segment for segment in page.path.split("/") if segment]
            folders = [self._folder_of(segment) for segment in segments]
            if page.id in above or not segments:
                source = "/".join([*folders, "index.md"])
            else:
                folder = "".join(f"{name}/" for name in folders[:-1])
                source = self._names.path(folder, segments[-1], ".md")
            sources[page.id] = source
        return sources

    @staticmethod
    def _folder_of(segment: str) -> str:
        return Names().path("", segment, "")

    # ---- pages -------------------------------------------------------------------------------

    def _leaving(self, page: Page, sources: Mapping[uuid.UUID, str]) -> Leaving:
        source = sources[page.id]
        live = self._taken.live.get(page.id)
        shown = live or page
        if live is not None and any(
            getattr(live, name) != getattr(page, name)
            for name in ("title", "summary", "layout", "regions", "details")
        ):
            self._report.note(source, "its newer draft is not in it; the JSON export has it")
        regions = self._scope.product.blocks.forward(shown.regions)
        language = page.language if page.language != self._taken.site.language else None
        return Leaving(
            id=page.id,
            source=source,
            path=page.path,
            parent=page.parent_id,
            position=page.position,
            layout=shown.layout,
            title=shown.title,
            summary=shown.summary,
            regions={
                region: self._unshared(blocks, source, _LEVELS)
                for region, blocks in regions.items()
            },
            details=shown.details,
            draft=live is None,
            language=language,
        )

    def _unshared(self, blocks: Iterable[Stored], source: str, levels: int) -> list[Stored]:
        """Blocks with what shared ones show in their place."""
        made: list[Stored] = []
        for block in blocks:
            if block["type"] != "shared":
                made.append({**block, "data": self._inside(block["data"], source, levels)})
                continue
            key = str(block["data"].get("reference", "")).removeprefix("shared:")
            shared = self._taken.shared.get(key)
            if shared is None or not shared.live or not levels:
                self._report.problem(source, "a shared block that shows nothing is left out")
                continue
            self._report.note(
                source, f"the shared block {shared.name!r} is written out: the page's own from now"
            )
            forward = self._scope.product.blocks.forward({"main": shared.live})["main"]
            made += self._unshared(forward, source, levels - 1)
        return made

    def _inside(self, value: Any, source: str, levels: int) -> Any:
        if isinstance(value, dict):
            return {key: self._inside(item, source, levels) for key, item in value.items()}
        if isinstance(value, list):
            if value and all(is_block(item) for item in value):
                return self._unshared(value, source, levels)
            return [self._inside(item, source, levels) for item in value]
        return value

    def _translate(self, pages: Sequence[Leaving]) -> None:
        """Pages that say the same name one of them: that in the site's own language."""
        groups: dict[uuid.UUID, list[Leaving]] = {}
        for page, leaving in zip(self._taken.pages, pages, strict=True):
            groups.setdefault(page.translation_id, []).append(leaving)
        for group in groups.values():
            first = min(group, key=lambda page: (page.language is not None, page.path))
            for leaving in group:
                leaving.translates = first.id if leaving is not first else None

    def _redirects(self, pages: Mapping[uuid.UUID, Leaving]) -> list[tuple[str, str]]:
        """Those that lead to pages become the pages' aliases; the others are returned."""
        taken = {page.path for page in pages.values()}
        others: list[tuple[str, str]] = []
        for row in sorted(self._taken.redirects, key=lambda row: row.source):
            if not row.target.startswith("page:"):
                others.append((row.source, row.target))
                continue
            place, rest = split_target(row.target)
            page = pages.get(uuid.UUID(place.removeprefix("page:")))
            if page is not None and row.source == page.path:
                continue  # it waits for the page to move
            if page is None or row.source in taken:
                why = "leads nowhere" if page is None else "starts where a page is now"
                self._report.note(SITE_FILE, f"the redirect {row.source} {why}; left out")
            elif rest:
                others.append((row.source, page.path + rest))
            else:
                page.aliases.append(row.source)
        return others

    # ---- files -------------------------------------------------------------------------------

    async def _copy(self, files: Mapping[str, str]) -> dict[str, uuid.UUID]:
        """Copies the stored files; returns the ids of those that are there, by source."""
        copied: dict[str, uuid.UUID] = {}
        for number, media in enumerate(self._taken.media, 1):
            source = files[str(media.id)]
            target = self._folder / source
            problem = await copy_out(self._scope, media.key, media.digest, target)
            if problem is None:
                copied[source] = media.id
            else:
                self._report.problem(source, problem)
            self._scope.progress("files", number, len(self._taken.media))
        return copied


def _weigh(pages: Sequence[Leaving]) -> None:
    """Gives siblings weights where dates and titles alone would put them in another order."""
    below: dict[uuid.UUID | None, list[Leaving]] = {}
    for page in pages:
        below.setdefault(page.parent, []).append(page)
    for siblings in below.values():
        siblings.sort(key=lambda page: (page.position, page.path))
        if sorted(siblings, key=_by_itself) != siblings:
            for number, page in enumerate(siblings, 1):
                page.weight = number


def _by_itself(page: Leaving) -> tuple[bool, float, str, str]:
    date = read_date(page.details.get("date"))
    return (date is None, -date.timestamp() if date else 0.0, page.title.casefold(), page.source)
