"""The folders of a library, and what is in it twice."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import func, or_, select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Media, Site
from mosaic_cms.content.tree import find_site
from mosaic_cms.media import shelf
from mosaic_cms.media.names import check_folder
from mosaic_cms.operations.media import Folder, MediaSite, MediaView, media_view
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write


class FolderView(Model):
    """A folder, with how many files are right in it."""

    folder: str
    files: int


class MoveFolder(Model):
    """A folder with all below it, and its new place; "" is the library itself."""

    folder: Annotated[str, Field(min_length=1, max_length=300)]
    to: Folder
    site: str | None = None


class Moved(Model):
    """How many files have another folder now."""

    files: int


class Duplicates(Model):
    """Files with the same content, the oldest first."""

    digest: str
    size: int
    files: tuple[MediaView, ...]


@action(
    "media.folders", needs=Permission("read", "media"), effect="read", http="GET /media/folders"
)
async def list_folders(scope: TenantScope, command: MediaSite) -> list[FolderView]:
    """The folders of a library; a folder is there as long as something is in it or below it."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.execute(
            select(Media.folder, func.count())
            .where(Media.site_id == site.id, Media.binned_at.is_(None))
            .group_by(Media.folder)
        )
        counts: Counter[str] = Counter()
        for folder, files in rows:
            counts[folder] += files
            parts = folder.split("/")
            for depth in range(1, len(parts)):
                counts["/".join(parts[:depth])] += 0
        return [FolderView(folder=folder, files=counts[folder]) for folder in sorted(counts)]


@action("media.move_folder", needs=Permission("update", "media"), http="POST /media/folders/move")
async def move_folder(scope: TenantScope, command: MoveFolder) -> Moved:
    """Moves or renames a folder with all below it. Addresses and pages stay as they are."""
    folder, to = check_folder(command.folder), check_folder(command.to)
    if to == folder or to.startswith(f"{folder}/"):
        raise InvalidInput(f"{folder!r} cannot be moved into itself.")

    async def fn(write: Write) -> Moved:
        site = await find_site(write.session, command.site)
        rows = list(await write.session.scalars(select(Media).where(*_within(site, folder))))
        for row in rows:
            row.folder = check_folder(f"{to}{row.folder.removeprefix(folder)}")
            row.words = shelf.words_of(row)
        return Moved(files=len(rows))

    return await scope.write(fn)


@action(
    "media.duplicates",
    needs=Permission("read", "media"),
    effect="read",
    http="GET /media/duplicates",
)
async def list_duplicates(scope: TenantScope, command: MediaSite) -> list[Duplicates]:
    """Files of a library that have the same content, the largest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        mine = (Media.site_id == site.id, Media.binned_at.is_(None))
        twice = select(Media.digest).where(*mine).group_by(Media.digest).having(func.count() > 1)
        rows = await session.scalars(
            select(Media).where(*mine, Media.digest.in_(twice)).order_by(Media.created_at, Media.id)
        )
        found: dict[str, list[Media]] = {}
        for row in rows:
            found.setdefault(row.digest, []).append(row)
        same = sorted(found.values(), key=lambda rows: -rows[0].size)
        return [
            Duplicates(
                digest=rows[0].digest,
                size=rows[0].size,
                files=tuple(media_view(row) for row in rows),
            )
            for rows in same
        ]


def _within(site: Site, folder: str) -> tuple[Any, ...]:
    inside = Media.folder.startswith(f"{folder}/", autoescape=True)
    return Media.site_id == site.id, or_(Media.folder == folder, inside)
