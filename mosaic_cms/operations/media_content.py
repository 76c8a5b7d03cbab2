"""What is in a file of the library: sent, replaced, and brought back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Media, MediaVersion
from mosaic_cms.content.references import media_url
from mosaic_cms.content.tree import find_site
from mosaic_cms.incoming import Incoming
from mosaic_cms.media import shelf
from mosaic_cms.media.checks import Checked
from mosaic_cms.media.intake import Arrival, receive
from mosaic_cms.operations.media import (
    Alt,
    Caption,
    Credit,
    Folder,
    MediaView,
    NamedMedia,
    Reference,
    Tags,
    facts_of,
    media_view,
    same_content,
)
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import NotFound
from mosaic_core.head import Write

#: A name as it was sent, which may be anything.
GivenName = Annotated[str, Field(min_length=1, max_length=1000)]


class UploadMedia(Model):
    """A file, and what is said of it. Of a picture, ``alt`` says what it shows.

    Attributes:
        keep_metadata: what the camera noted stays, such as where it was taken; None is as the
            tenant decided.
    """

    content: Incoming
    name: GivenName
    folder: Folder = ""
    tags: Tags = ()
    alt: Alt = ""
    caption: Caption = ""
    credit: Credit = ""
    keep_metadata: bool | None = None
    site: str | None = None


class ReplaceMedia(Model):
    """A file, ``media:<id>``, and its new content; without a name it is called as before."""

    content: Incoming
    media: Reference
    name: GivenName | None = None
    keep_metadata: bool | None = None
    site: str | None = None


class Uploaded(Model):
    """A file that has come.

    Attributes:
        duplicates: other files of the library with the same content.
        notes: what was changed of it, and what is missing.
    """

    media: MediaView
    duplicates: tuple[str, ...]
    notes: tuple[str, ...]


class VersionView(Model):
    """A content that a file had before: until when, and who replaced it."""

    number: int
    name: str
    url: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    at: datetime
    actor: str


class NumberedVersion(Model):
    """A file, ``media:<id>``, and the number of one of its versions."""

    media: Reference
    number: int
    site: str | None = None


class ForgetVersions(Model):
    """A file, and one of its versions; None is all of them."""

    media: Reference
    number: int | None = None
    site: str | None = None


class Forgotten(Model):
    """How many versions were deleted."""

    versions: int


@action("media.upload", needs=Permission("create", "media"), http="POST /media", seconds=3600)
async def upload_media(scope: TenantScope, command: UploadMedia) -> Uploaded:
    """Puts a file into the library, once it was looked at; the body is the file itself."""
    told = command.model_dump(include={"folder", "tags", "alt", "caption", "credit"})
    arrival = Arrival(command.name, facts_of(**told), keep_metadata=command.keep_metadata)
    content = command.content
    row, checked = await receive(scope, command.site, arrival, content, size=content.size)
    return await uploaded(scope, row, checked)


@action(
    "media.replace",
    needs=Permission("update", "media"),
    http="PUT /media/{media}/content",
    seconds=3600,
)
async def replace_media(scope: TenantScope, command: ReplaceMedia) -> Uploaded:
    """Gives a file another content; pages show it, and the one before becomes a version."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        there = await shelf.find(session, site, command.media)
        name, media_id = command.name or there.name, there.id
    arrival = Arrival(name, {}, media_id=media_id, keep_metadata=command.keep_metadata)
    content = command.content
    row, checked = await receive(scope, command.site, arrival, content, size=content.size)
    return await uploaded(scope, row, checked)


@action(
    "media.versions",
    needs=Permission("read", "media"),
    effect="read",
    http="GET /media/{media}/versions",
)
async def list_versions(scope: TenantScope, command: NamedMedia) -> list[VersionView]:
    """The contents that a file had before, the newest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        row = await shelf.find(session, site, command.media)
        return [_version(version) for version in await shelf.versions_of(session, row)]


@action(
    "media.restore",
    needs=Permission("update", "media"),
    http="POST /media/{media}/versions/{number}/restore",
)
async def restore_version(scope: TenantScope, command: NumberedVersion) -> MediaView:
    """Brings a content back that a file had before; the one that it has becomes a version."""

    async def fn(write: Write) -> MediaView:
        site = await find_site(write.session, command.site)
        row = await shelf.find(write.session, site, command.media)
        versions = await shelf.versions_of(write.session, row)
        version = next((one for one in versions if one.number == command.number), None)
        if version is None:
            raise NotFound(
                f"{row.name!r} has no version {command.number}.",
                hint="'mosaic media versions' shows those there are.",
            )
        facts: dict[str, Any] = {name: getattr(version, name) for name in shelf.CONTENT}
        shelf.replace(write, row, facts)
        await shelf.show_again(write, scope.product.publisher, site, row)
        return media_view(row)

    return await scope.write(fn)


@action(
    "media.forget_versions",
    needs=Permission("delete", "media"),
    http="DELETE /media/{media}/versions",
)
async def forget_versions(scope: TenantScope, command: ForgetVersions) -> Forgotten:
    """Deletes contents that a file had before, for good: nobody gets them any more."""

    async def fn(write: Write) -> Forgotten:
        site = await find_site(write.session, command.site)
        row = await shelf.find(write.session, site, command.media)
        numbers = () if command.number is None else (command.number,)
        return Forgotten(versions=await shelf.forget_versions(write, row, *numbers))

    return await scope.write(fn, reserve=True)


async def uploaded(scope: TenantScope, row: Media, checked: Checked) -> Uploaded:
    """What whoever sent a file is told."""
    view = media_view(row)
    async with scope.read() as session:
        same = tuple(await same_content(session, row))
    notes = list(checked.notes)
    if view.needs_alt:
        notes.append("Nothing says what it shows: give it an alternative text.")
    if same:
        notes.append(f"The library has this content already: {', '.join(same[:5])}.")
    return Uploaded(media=view, duplicates=same, notes=tuple(notes))


def _version(version: MediaVersion) -> VersionView:
    facts = "number name content_type size width height at actor"
    url = media_url(version.digest, version.name)
    return VersionView(url=url, **{name: getattr(version, name) for name in facts.split()})
