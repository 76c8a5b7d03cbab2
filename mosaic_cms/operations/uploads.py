"""Large files: sent in parts, in any order and again, to the product or to the storage itself."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import MediaUpload
from mosaic_cms.content.tree import find_site
from mosaic_cms.incoming import Incoming
from mosaic_cms.media import shelf
from mosaic_cms.media.intake import (
    Arrival,
    abandon,
    arrived,
    begin,
    find_upload,
    settle,
)
from mosaic_cms.operations.media import Alt, Caption, Credit, Folder, MediaSite, Tags, facts_of
from mosaic_cms.operations.media_content import GivenName, Uploaded, uploaded
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Denied, FileMismatch, FileMissing, InvalidInput
from mosaic_core.storage import Upload

#: For how long a part can be sent to an address.
_SIGNED = timedelta(minutes=15)


class BeginUpload(Model):
    """A file that will come in parts, and what is said of it.

    Attributes:
        size: in bytes; what comes must have as many.
        digest: the hex SHA-256 of the whole, which is compared at the end.
        media: the file that it replaces, ``media:<id>``; None for a new one.
    """

    name: GivenName
    size: Annotated[int, Field(ge=1, le=10**15)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    media: Annotated[str, Field(max_length=100)] | None = None
    folder: Folder = ""
    tags: Tags = ()
    alt: Alt = ""
    caption: Caption = ""
    credit: Credit = ""
    keep_metadata: bool | None = None
    site: str | None = None


class NamedUpload(Model):
    """A file that comes in parts."""

    upload: uuid.UUID
    site: str | None = None


class UploadPart(Model):
    """A part of a file: all have ``part_size`` bytes, the last one what is left."""

    content: Incoming
    upload: uuid.UUID
    number: Annotated[int, Field(ge=1, le=100_000)]
    site: str | None = None


class NumberedPart(Model):
    """A part of a file that is to be sent to the storage itself."""

    upload: uuid.UUID
    number: Annotated[int, Field(ge=1, le=100_000)]
    site: str | None = None


class UploadView(Model):
    """A file that comes in parts.

    Attributes:
        part_size: bytes of each part but the last.
        parts: how many there are, numbered from 1; ``missing`` have not come yet.
        direct: parts can be sent to the storage itself (see ``media.part_address``).
        expires_at: what is not finished by then is deleted.
    """

    id: uuid.UUID
    name: str
    size: int
    part_size: int
    parts: int
    missing: tuple[int, ...]
    direct: bool
    begun_at: datetime
    expires_at: datetime


class PartAddress(Model):
    """Where a part can be sent with ``PUT``, and until when."""

    address: str
    expires_in: int


class Ended(Model):
    """An upload that is over."""

    id: uuid.UUID


@action("media.begin_upload", needs=Permission("create", "media"), http="POST /media/uploads")
async def begin_upload(scope: TenantScope, command: BeginUpload) -> UploadView:
    """Begins a file that comes in parts."""
    told = command.model_dump(include={"folder", "tags", "alt", "caption", "credit"})
    media_id = None
    if command.media is not None:
        decision = scope.actor.may(Permission("update", "media"), "media.replace", scope.site)
        if not decision.allowed:
            raise Denied(decision.reason)
        async with scope.read() as session:
            site = await find_site(session, command.site)
            media_id = (await shelf.find(session, site, command.media)).id
    arrival = Arrival(command.name, facts_of(**told), media_id, command.keep_metadata)
    row = await begin(
        scope, command.site, arrival, size=command.size, in_parts=True, digest=command.digest
    )
    return await _view(scope, row)


@action(
    "media.uploads", needs=Permission("read", "media"), effect="read", http="GET /media/uploads"
)
async def list_uploads(scope: TenantScope, command: MediaSite) -> list[UploadView]:
    """Files that are coming in parts, the oldest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.scalars(
            select(MediaUpload)
            .where(MediaUpload.site_id == site.id, MediaUpload.parts_id.is_not(None))
            .order_by(MediaUpload.begun_at, MediaUpload.id)
        )
        found = list(rows)
    return [await _view(scope, row) for row in found]


@action(
    "media.show_upload",
    needs=Permission("read", "media"),
    effect="read",
    http="GET /media/uploads/{upload}",
)
async def show_upload(scope: TenantScope, command: NamedUpload) -> UploadView:
    """A file that comes in parts, with those that are missing: to go on with it."""
    return await _view(scope, await _found(scope, command.upload, command.site))


@action(
    "media.send_part",
    needs=Permission("create", "media"),
    http="PUT /media/uploads/{upload}/parts/{number}",
    seconds=600,
)
async def send_part(scope: TenantScope, command: UploadPart) -> Ended:
    """Takes a part; one that came before is replaced. The body is the part itself."""
    row = await _found(scope, command.upload, command.site)
    assert row.parts_id is not None
    storage = scope.product.platform.storage(scope.tenant)
    await storage.write_part(scope.tenant, row.parts_id, command.number, command.content)
    return Ended(id=row.id)


@action(
    "media.part_address",
    needs=Permission("create", "media"),
    http="POST /media/uploads/{upload}/parts/{number}/address",
)
async def part_address(scope: TenantScope, command: NumberedPart) -> PartAddress:
    """An address of the storage to which a part can be sent, where it has such."""
    row = await _found(scope, command.upload, command.site)
    assert row.parts_id is not None
    storage = scope.product.platform.storage(scope.tenant)
    address = await storage.signed_part_url(
        scope.tenant, row.parts_id, command.number, expires_in=_SIGNED
    )
    if address is None:
        raise InvalidInput(
            "The storage of this tenant takes no files itself.", hint="Send the part here."
        )
    return PartAddress(address=address, expires_in=int(_SIGNED.total_seconds()))


@action(
    "media.finish_upload",
    needs=Permission("create", "media"),
    http="POST /media/uploads/{upload}/finish",
    seconds=3600,
)
async def finish_upload(scope: TenantScope, command: NamedUpload) -> Uploaded:
    """Puts the parts together and looks at the file; what is refused is gone."""
    row = await _found(scope, command.upload, command.site)
    info = await arrived(scope, row)
    try:
        media, checked = await settle(scope, row, info)
    except InvalidInput:
        await abandon(scope, row)
        raise
    return await uploaded(scope, media, checked)


@action(
    "media.abort_upload",
    needs=Permission("create", "media"),
    http="DELETE /media/uploads/{upload}",
)
async def abort_upload(scope: TenantScope, command: NamedUpload) -> Ended:
    """Ends a file that comes in parts; nothing of it is left."""
    row = await _found(scope, command.upload, command.site)
    await abandon(scope, row)
    return Ended(id=row.id)


async def _found(scope: TenantScope, upload_id: uuid.UUID, site_key: str | None) -> MediaUpload:
    async with scope.read() as session:
        site = await find_site(session, site_key)
        return await find_upload(session, site, upload_id)


async def _view(scope: TenantScope, row: MediaUpload) -> UploadView:
    storage = scope.product.platform.storage(scope.tenant)
    assert row.parts_id is not None
    try:
        parts = await storage.find_upload(scope.tenant, row.parts_id)
    except FileMissing:  # put together already, and not looked at yet
        size = row.size or 0
        parts = Upload(row.parts_id, row.key, size, None, max(size, 1), (1,))
    direct = False
    if parts.missing:
        first = parts.missing[0]
        with suppress(FileMismatch):  # far too much was sent there already
            address = await storage.signed_part_url(
                scope.tenant, row.parts_id, first, expires_in=_SIGNED
            )
            direct = address is not None
    return UploadView(
        id=row.id,
        name=row.name,
        size=parts.size,
        part_size=parts.part_size,
        parts=parts.parts,
        missing=parts.missing,
        direct=direct,
        begun_at=row.begun_at,
        expires_at=row.expires_at,
    )
