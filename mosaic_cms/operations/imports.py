"""Importing: a folder of Markdown, or what WordPress exports, becomes pages of a site.

What reads the formats is imported by the first import: most processes never see one.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Base64Bytes, Field

from mosaic_cms.actions import Model, action
from mosaic_cms.rights import SERVER_FILES, Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput

if TYPE_CHECKING:
    from mosaic_cms.importing.writing import Writer


class ImportMarkdown(Model):
    """A folder on this machine, and the site that it becomes pages of."""

    folder: Path
    site: str | None = None
    publish: bool = True


class ImportArchive(Model):
    """A ZIP archive of such a folder, and the site that it becomes pages of."""

    #: Base64, of at most 12 MB.
    archive: Annotated[Base64Bytes, Field(max_length=12_000_000)]
    site: str | None = None
    publish: bool = True


class ImportWordPress(Model):
    """The XML file that WordPress exported, and the site that it becomes pages of."""

    file: Path
    #: A copy of the old site's wp-content/uploads, for its pictures.
    uploads: Path | None = None
    site: str | None = None
    publish: bool = True


class ImportLine(Model):
    """A line of the report; ``line`` counts within the file ``source``."""

    source: str
    line: int | None
    level: Literal["understood", "note", "problem"]
    message: str


class ImportReport(Model):
    """What became of it all. A second run finds everything unchanged."""

    created: int
    updated: int
    unchanged: int
    published: int
    files: int
    lines: tuple[ImportLine, ...]

    @property
    def problems(self) -> int:
        return sum(line.level == "problem" for line in self.lines)


@action("content.import_markdown", needs=Permission("read", SERVER_FILES))
async def import_markdown(scope: TenantScope, command: ImportMarkdown) -> ImportReport:
    """Makes pages of a folder of Markdown, and reports what was understood and what was not."""
    from mosaic_cms.importing.folder import read_folder
    from mosaic_cms.importing.markdown import write_folder
    from mosaic_cms.importing.writing import Writer

    if not command.folder.is_dir():
        raise InvalidInput(
            f"There is no folder {command.folder}.", hint="Name the folder of the Markdown files."
        )
    found = await asyncio.to_thread(read_folder, command.folder)
    writer = Writer(scope, command.site, found.report, publish=command.publish)
    await write_folder(writer, found)
    return _told(writer)


@action(
    "content.import_archive",
    needs=Permission("create", "sites"),
    http="POST /imports/markdown",
    seconds=600,
)
async def import_archive(scope: TenantScope, command: ImportArchive) -> ImportReport:
    """Makes pages of a folder of Markdown that comes as an archive."""
    from mosaic_cms.importing.archive import unpack
    from mosaic_cms.importing.folder import read_folder
    from mosaic_cms.importing.markdown import write_folder
    from mosaic_cms.importing.writing import Writer

    with tempfile.TemporaryDirectory(prefix="mosaic-import-") as name:
        folder = Path(name)
        await asyncio.to_thread(unpack, command.archive, folder)
        found = await asyncio.to_thread(read_folder, _inner(folder))
        writer = Writer(scope, command.site, found.report, publish=command.publish)
        await write_folder(writer, found)
        return _told(writer)


def _inner(folder: Path) -> Path:
    """The folder itself, or the one that is all there is in it."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


@action("content.import_wordpress", needs=Permission("read", SERVER_FILES))
async def import_wordpress(scope: TenantScope, command: ImportWordPress) -> ImportReport:
    """Makes a site's pages of a WordPress export, and reports what was not understood."""
    from mosaic_cms.importing.wordpress import read_wordpress
    from mosaic_cms.importing.wordpress.writing import write_wordpress
    from mosaic_cms.importing.writing import Writer

    if not command.file.is_file():
        raise InvalidInput(
            f"There is no file {command.file}.",
            hint="Name the XML file that WordPress wrote under Tools → Export.",
        )
    found = await asyncio.to_thread(read_wordpress, command.file, command.uploads)
    writer = Writer(scope, command.site, found.report, publish=command.publish)
    await write_wordpress(writer, found)
    return _told(writer)


def _told(writer: Writer) -> ImportReport:
    return ImportReport(
        created=writer.counts["created"],
        updated=writer.counts["updated"],
        unchanged=writer.counts["unchanged"],
        published=writer.counts["published"],
        files=len(writer.media),
        lines=tuple(
            ImportLine(source=x.source, line=x.line, level=x.level, message=x.message)
            for x in writer.report.lines
        ),
    )
