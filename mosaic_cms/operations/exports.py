"""Exporting: a site as a folder of Markdown, or as one JSON file; both also as an archive. Nothing
of it is changed.

What writes the formats is imported by the first export: most processes never see one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mosaic_cms.actions import Model, action
from mosaic_cms.content.tree import find_site
from mosaic_cms.download import Download, pack
from mosaic_cms.operations.imports import ImportLine
from mosaic_cms.rights import SERVER_FILES, Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.cache import Rate
from mosaic_core.errors import TooManyRequests

if TYPE_CHECKING:
    from mosaic_cms.importing.report import Report

#: They write where they are told to on this machine.
_MAY = Permission("create", SERVER_FILES)
#: Archives of one tenant.
_RATE = Rate(limit=10, seconds=3600, burst=5)


class ExportMarkdown(Model):
    """A site, and the folder on this machine that is made of it."""

    folder: Path
    site: str | None = None
    #: Replaces an older export.
    force: bool = False


class ExportJson(Model):
    """A site, and the file on this machine that is made of it."""

    file: Path
    site: str | None = None
    #: Replaces a file that is there.
    force: bool = False
    #: All versions of each page, not the live one alone.
    versions: bool = False
    #: What visitors sent through forms.
    submissions: bool = False
    #: The stored files, in a folder beside.
    media: bool = True


class ExportArchive(Model):
    """A site, and what its archive is to have."""

    site: str
    #: A folder of Markdown, as visitors see it, or all of the site in one JSON file.
    format: Literal["markdown", "json"] = "markdown"
    #: Of JSON: all versions of each page, not the live one alone.
    versions: bool = False
    #: Of JSON: what visitors sent through forms.
    submissions: bool = False
    #: Of JSON: the stored files; Markdown has those that it needs.
    media: bool = True


class ExportReport(Model):
    """What was written where; ``lines`` name what is missing, or would come back differently."""

    path: str
    pages: int
    files: int
    lines: tuple[ImportLine, ...]

    @property
    def problems(self) -> int:
        return sum(line.level == "problem" for line in self.lines)


@action("content.export_markdown", needs=_MAY, effect="read")
async def to_markdown(scope: TenantScope, command: ExportMarkdown) -> ExportReport:
    """Writes a site as a folder of Markdown that an import makes the same site of."""
    from mosaic_cms.exporting.markdown import export_markdown

    counts, report = await export_markdown(scope, command.site, command.folder, force=command.force)
    return _told(command.folder, counts, report)


@action("content.export_json", needs=_MAY, effect="read")
async def to_json(scope: TenantScope, command: ExportJson) -> ExportReport:
    """Writes all of a site as one JSON file, its stored files beside it."""
    from mosaic_cms.exporting.json_file import export_json

    counts, report = await export_json(
        scope,
        command.site,
        command.file,
        force=command.force,
        versions=command.versions,
        submissions=command.submissions,
        files=command.media,
    )
    return _told(command.file, counts, report)


@action(
    "content.export_archive",
    needs=Permission("create", "export"),
    effect="read",
    http="GET /sites/{site}/export",
    seconds=600,
)
async def to_archive(scope: TenantScope, command: ExportArchive) -> Download:
    """All of a site as a ZIP archive, which an import makes the same site of."""
    from mosaic_cms.exporting.json_file import export_json
    from mosaic_cms.exporting.markdown import export_markdown

    async with scope.read() as session:
        key = (await find_site(session, command.site)).key
    if not scope.actor.trusted:
        wait = await scope.product.rates.wait("exports", _RATE, scope.tenant.tenant_id)
        if wait:
            raise TooManyRequests(
                "Exports take long, and this tenant had several.",
                hint=f"Try again in {wait} s.",
                retry_after=wait,
            )
    name = f"{scope.tenant.slug}-{key}"
    with tempfile.TemporaryDirectory(prefix="mosaic-export-") as work:
        folder = Path(work) / name
        if command.format == "markdown":
            await export_markdown(scope, key, folder, force=False)
        else:
            await export_json(
                scope,
                key,
                folder / f"{name}.json",
                force=False,
                versions=command.versions,
                submissions=command.submissions,
                files=command.media,
            )
        return await asyncio.to_thread(pack, folder, f"{name}.{command.format}.zip")


def _told(path: Path, counts: Counter[str], report: Report) -> ExportReport:
    return ExportReport(
        path=str(path),
        pages=counts["pages"],
        files=counts["media"],
        lines=tuple(
            ImportLine(source=x.source, line=x.line, level=x.level, message=x.message)
            for x in report.lines
        ),
    )
