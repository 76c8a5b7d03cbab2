"""Exporting: a site as a folder of Markdown, or as one JSON file. Nothing of it is changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mosaic_cms.actions import Model, action
from mosaic_cms.exporting.json_file import export_json
from mosaic_cms.exporting.markdown import export_markdown
from mosaic_cms.importing.report import Report
from mosaic_cms.operations.imports import ImportLine
from mosaic_cms.rights import SERVER_FILES, Permission
from mosaic_cms.scope import TenantScope

#: They write where they are told to on this machine.
_MAY = Permission("create", SERVER_FILES)


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
    counts, report = await export_markdown(scope, command.site, command.folder, force=command.force)
    return _told(command.folder, counts, report)


@action("content.export_json", needs=_MAY, effect="read")
async def to_json(scope: TenantScope, command: ExportJson) -> ExportReport:
    """Writes all of a site as one JSON file, its stored files beside it."""
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
