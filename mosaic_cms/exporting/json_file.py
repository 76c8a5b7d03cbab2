"""A site as one JSON file, with its stored files in a folder beside it.

The file is one object; docs/import-export.md describes its keys. Pages are written as they are
read, a batch at a time, so that any number of them takes the same memory.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import (
    Comment,
    Media,
    Menu,
    Page,
    PageVersion,
    Redirect,
    Schedule,
    SharedBlock,
    Site,
    Submission,
)
from mosaic_cms.content.slugs import slugify
from mosaic_cms.content.tree import find_site
from mosaic_cms.content.versions import CONTENT
from mosaic_cms.exporting.destination import new_file, new_folder
from mosaic_cms.exporting.files import copy_out
from mosaic_cms.importing.report import Report
from mosaic_cms.scope import TenantScope

FORMAT, VERSION = "mosaic-site", 1
#: Rows that are read at once.
_BATCH = 100
#: In a folder of files that an export made.
_MARK = "mosaic-export.txt"
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


async def export_json(
    scope: TenantScope,
    site_key: str | None,
    target: Path,
    *,
    force: bool,
    versions: bool,
    submissions: bool,
    files: bool,
) -> tuple[Counter[str], Report]:
    """Writes the file, and the folder ``<name>.media``; returns how much, and what is missing.

    All of it is one state of the site, whatever is written meanwhile.

    Raises:
        Conflict, DiskFull, InvalidInput: see :func:`new_file`.
    """
    async with scope.read() as session:
        site = await find_site(session, site_key)
        count = select(func.count()).select_from(Media).where(Media.site_id == site.id)
        media = target.with_name(f"{target.stem}.media")
        with ExitStack() as stack:
            part = stack.enter_context(new_file(target, force=force))
            folder = None
            if files and await session.scalar(count):
                folder = stack.enter_context(new_folder(media, mark=_MARK, force=force))
                (folder / _MARK).write_text(f"The files of {target.name}.\n", "utf-8")
            with part.open("x", encoding="utf-8", newline="\n") as file:
                export = _Export(scope, session, site, file, folder, media.name)
                await export.run(versions=versions, submissions=submissions)
        return export.counts, export.report


class _Export:
    def __init__(
        self,
        scope: TenantScope,
        session: AsyncSession,
        site: Site,
        file: TextIO,
        folder: Path | None,
        folder_name: str,
    ) -> None:
        self._scope = scope
        self._session = session
        self._site = site
        self._file = file
        self._folder = folder
        self._folder_name = folder_name
        self._terms: dict[tuple[str, str], list[Any]] = {}
        self.counts: Counter[str] = Counter()
        self.report = Report()

    async def run(self, *, versions: bool, submissions: bool) -> None:
        site = {name: _plain(value) for name, value in _facts(self._site).items()}
        self._file.write("{\n")
        self._key("format", FORMAT)
        self._key("version", VERSION)
        self._key("exported_at", datetime.now(UTC).isoformat())
        self._key("site", site)
        self._key("media_folder", self._folder_name if self._folder is not None else None)
        await self._list("media", self._media())
        for name, kind in (
            ("shared_blocks", SharedBlock),
            ("menus", Menu),
            ("redirects", Redirect),
            ("schedules", Schedule),
        ):
            await self._list(name, self._of_site(kind))
        await self._list("pages", self._pages(versions=versions))
        await self._list("comments", self._of_pages(Comment))
        if submissions:
            await self._list("submissions", self._of_pages(Submission))
        terms = [
            {"kind": kind, "slug": slug, "name": name, "pages": count}
            for (kind, slug), (name, count) in sorted(self._terms.items())
        ]
        self._key("terms", terms, last=True)
        self._file.write("}\n")

    # ---- the file ------------------------------------------------------------------------------

    def _key(self, name: str, value: Any, *, last: bool = False) -> None:
        self._file.write(f"{json.dumps(name)}: {_text(value)}{'' if last else ','}\n")

    async def _list(self, name: str, items: AsyncIterator[dict[str, Any]]) -> None:
        self._file.write(f"{json.dumps(name)}: [")
        async for item in items:
            self._file.write(",\n" if self.counts[name] else "\n")
            self._file.write(_text(item))
            self.counts[name] += 1
        self._file.write("\n],\n" if self.counts[name] else "],\n")

    # ---- what is in it ---------------------------------------------------------------------------

    async def _of_site(self, kind: Any) -> AsyncIterator[dict[str, Any]]:
        async for rows in self._batches(kind, kind.site_id == self._site.id):
            for row in rows:
                yield _without(row, "site_id")

    async def _of_pages(self, kind: Any) -> AsyncIterator[dict[str, Any]]:
        pages = select(Page.id).where(Page.site_id == self._site.id)
        async for rows in self._batches(kind, kind.page_id.in_(pages)):
            for row in rows:
                yield _without(row)

    async def _media(self) -> AsyncIterator[dict[str, Any]]:
        total = await self._total(Media)
        done = 0
        written: set[str] = set()
        async for rows in self._batches(Media, Media.site_id == self._site.id):
            for row in rows:
                facts = _without(row, "site_id", "key", "words")
                facts["file"] = await self._copied(row, written)
                done += 1
                self._scope.progress("files", done, total)
                yield facts

    async def _copied(self, row: Row[Any], written: set[str]) -> str | None:
        """The name of a file in the folder: its digest, so that it can be none that leads out."""
        if self._folder is None:
            return None
        ending = Path(row.name).suffix
        stem = row.digest if _DIGEST.fullmatch(row.digest) else str(row.id)
        name = f"{stem}{ending.lower() if _ENDING.fullmatch(ending) else ''}"
        if name not in written:
            problem = await copy_out(self._scope, row.key, row.digest, self._folder / name)
            if problem is not None:
                self.report.problem(f"media:{row.id} ({row.name})", problem)
                return None
            written.add(name)
        return name

    async def _pages(self, *, versions: bool) -> AsyncIterator[dict[str, Any]]:
        total = await self._total(Page)
        done = 0
        async for rows in self._batches(Page, Page.site_id == self._site.id):
            wanted = PageVersion.page_id.in_([row.id for row in rows])
            if not versions:
                live = [row.live_version_id for row in rows if row.live_version_id]
                wanted = PageVersion.id.in_(live)
            found: dict[uuid.UUID, list[Row[Any]]] = {}
            for version in await self._session.execute(_columns(PageVersion).where(wanted)):
                found.setdefault(version.page_id, []).append(version)
            for row in rows:
                facts = _without(row, "site_id", "live_version_id", *CONTENT)
                facts["draft"] = {name: getattr(row, name) for name in CONTENT}
                own = sorted(found.get(row.id, ()), key=lambda version: version.number)
                of_page = [_without(version, "page_id") for version in own]
                live_id = str(row.live_version_id)
                facts["live"] = next((v for v in of_page if v["id"] == live_id), None)
                if versions:
                    facts["versions"] = of_page
                self._count_terms(row.details)
                yield facts
            done += len(rows)
            self._scope.progress("pages", done, total)

    def _count_terms(self, details: dict[str, Any]) -> None:
        for kind, key in (("tag", "tags"), ("category", "categories")):
            names = details.get(key)
            for name in names if isinstance(names, list) else ():
                if isinstance(name, str):
                    self._terms.setdefault((kind, slugify(name)), [name, 0])[1] += 1

    # ---- reading -----------------------------------------------------------------------------

    async def _total(self, kind: Any) -> int:
        count = select(func.count()).select_from(kind).where(kind.site_id == self._site.id)
        return await self._session.scalar(count) or 0

    async def _batches(
        self, kind: Any, where: ColumnElement[bool]
    ) -> AsyncIterator[Sequence[Row[Any]]]:
        """Rows by their id, which is the order in which they were made."""
        query = _columns(kind).where(where).order_by(kind.id).limit(_BATCH)
        rows = (await self._session.execute(query)).all()
        while rows:
            yield rows
            rows = (await self._session.execute(query.where(kind.id > rows[-1].id))).all()


def _columns(kind: Any) -> Any:
    return select(*kind.__table__.columns)


def _facts(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def _without(row: Row[Any], *names: str) -> dict[str, Any]:
    return {key: _plain(value) for key, value in row._mapping.items() if key not in names}


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
