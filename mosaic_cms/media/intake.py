"""How a file comes into the library: noted, stored, looked at, and only then a row that people see.

In one stream or in parts, it is the same way; whatever goes wrong on it, or is refused, leaves
nothing. What a killed process leaves is noted from the beginning, and swept.
"""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.models import Media, MediaUpload, Site
from mosaic_cms.content.tree import find_site
from mosaic_cms.media import shelf
from mosaic_cms.media.checks import Checked
from mosaic_cms.media.names import plain_name
from mosaic_cms.media.settings import read_rules
from mosaic_core.errors import Conflict, FileMissing, NotFound, QuotaExceeded
from mosaic_core.head import Write
from mosaic_core.storage import FileInfo
from mosaic_core.types import new_id

if TYPE_CHECKING:
    from mosaic_cms.scope import TenantScope

#: How long a file may take to come.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that somebody sends, and what they say of it.

    Attributes:
        facts: folder, tags, alt, caption and credit, each where it is said.
        media_id: the file that it replaces.
        keep_metadata: what the camera noted stays, whatever the tenant does otherwise.
    """

    name: str
    facts: dict[str, Any]
    media_id: uuid.UUID | None = None
    keep_metadata: bool | None = None


async def receive(
    scope: TenantScope,
    site_key: str | None,
    arrival: Arrival,
    chunks: AsyncIterable[bytes],
    *,
    size: int | None = None,
) -> tuple[Media, Checked]:
    """Takes a file in one stream.

    Raises:
        InvalidInput: it is not let in.
        QuotaExceeded: it is larger than the tier lets in, or there is no room for it.
        NotFound: there is no such site, or no such file to replace.
    """
    upload = await begin(scope, site_key, arrival, size=size)
    storage = scope.product.platform.storage(scope.tenant)
    try:
        bounded = _bounded(scope, chunks, size)
        info = await storage.write(scope.tenant, upload.key, bounded, size=size)
        return await settle(scope, upload, info)
    except BaseException:
        await _whole(abandon(scope, upload))
        raise


async def begin(
    scope: TenantScope,
    site_key: str | None,
    arrival: Arrival,
    *,
    size: int | None = None,
    in_parts: bool = False,
    digest: str | None = None,
) -> MediaUpload:
    """Notes a file that is coming, here and in the platform's agenda: it is swept if it never
    comes."""
    require_size(scope, size)
    upload_id, key = new_id(), key_for(arrival.name)
    storage = scope.product.platform.storage(scope.tenant)
    parts_id: str | None = None
    if in_parts:
        assert size is not None
        begun = await storage.begin_upload(scope.tenant, key, size=size, digest=digest)
        parts_id = begun.id

    async def fn(write: Write) -> MediaUpload:
        site = await find_site(write.session, site_key)
        if arrival.media_id is not None:
            await shelf.find(write.session, site, str(arrival.media_id))
        row = MediaUpload(
            id=upload_id,
            site_id=site.id,
            media_id=arrival.media_id,
            key=key,
            parts_id=parts_id,
            name=arrival.name[-1000:],
            size=size,
            facts={**arrival.facts, "keep_metadata": arrival.keep_metadata},
            actor=write.info.actor,
            begun_at=write.at,
            expires_at=write.at + PATIENCE,
        )
        write.session.add(row)
        await write.session.flush()
        await scope.product.platform.directory.agenda.expect(scope.tenant.tenant_id, row.expires_at)
        return row

    try:
        return await _beside(scope).write(fn)
    except BaseException:
        if parts_id is not None:
            await _whole(storage.abort_upload(scope.tenant, parts_id))
        raise


async def settle(scope: TenantScope, upload: MediaUpload, info: FileInfo) -> tuple[Media, Checked]:
    """Looks at what has come, and puts it into the library.

    Raises:
        InvalidInput: it is not let in.
        Conflict: the upload was ended meanwhile.
    """
    async with scope.read() as session:
        rules = await read_rules(session)
    keep = upload.facts.get("keep_metadata")
    rules = rules if keep is None else dataclasses.replace(rules, keep_metadata=keep)
    storage = scope.product.platform.storage(scope.tenant)
    look = scope.product.inspector.look
    checked = await look(storage, scope.tenant, info, upload.name, rules)

    async def fn(write: Write) -> Media:
        row = await write.session.get(MediaUpload, upload.id)
        if row is None:
            raise Conflict("The upload was ended meanwhile.", hint="Send the file again.")
        site = await write.session.get_one(Site, row.site_id)
        content = content_of(checked, row.key, info.digest)
        await delete_for_good(write, [row])  # the file's own row says it, and goes with the file
        if row.media_id is None:
            said = {k: v for k, v in row.facts.items() if k != "keep_metadata"}
            if not said.get("credit"):
                said["credit"] = checked.credit[:500]
            return shelf.add(write, site, new_id(), source=None, **content, **said)
        media = await shelf.find(write.session, site, str(row.media_id))
        shelf.replace(write, media, content)
        await shelf.show_again(write, scope.product.publisher, site, media)
        return media

    return await scope.write(fn), checked


def content_of(checked: Checked, key: str, given: str) -> dict[str, Any]:
    """What a row says of a content; ``given`` is the digest of what came."""
    return {
        "key": key,
        "name": checked.name,
        "content_type": checked.kind.media_type,
        "size": checked.size,
        "digest": checked.digest,
        "given": None if given == checked.digest else given,
        "width": checked.width,
        "height": checked.height,
    }


async def abandon(scope: TenantScope, upload: MediaUpload) -> None:
    """Ends an upload; nothing of it is left."""
    storage = scope.product.platform.storage(scope.tenant)
    if upload.parts_id is not None:
        await storage.abort_upload(scope.tenant, upload.parts_id)

    async def fn(write: Write) -> None:
        row = await write.session.get(MediaUpload, upload.id)
        if row is not None:
            await delete_for_good(write, [row])
            await write.session.flush()
        # Unless it is in the library already, and whoever sent it did not hear of it.
        await shelf.remove_later(write, {upload.key})

    await _beside(scope).write(fn, reserve=True)
    await scope.settle()


async def find_upload(session: AsyncSession, site: Site, upload_id: uuid.UUID) -> MediaUpload:
    """A file that is coming in parts.

    Raises:
        NotFound: there is none (any more).
    """
    row = await session.get(MediaUpload, upload_id)
    if row is None or row.site_id != site.id or row.parts_id is None:
        raise NotFound(
            f"There is no upload {upload_id} at the site {site.key!r}.",
            hint="It may be finished, or have taken longer than a day: begin it anew.",
        )
    return row


async def arrived(scope: TenantScope, upload: MediaUpload) -> FileInfo:
    """Puts the parts of an upload together, once.

    Raises:
        FileMismatch: parts are missing, or it is not what was announced.
    """
    storage = scope.product.platform.storage(scope.tenant)
    assert upload.parts_id is not None
    try:
        return await storage.finish_upload(scope.tenant, upload.parts_id)
    except FileMissing:  # somebody put them together, and was stopped before it was a row
        return await storage.stat(scope.tenant, upload.key)


def key_for(name: str) -> str:
    """A key that nothing else has. Its last part is for people who look into a folder."""
    made = uuid.uuid4().hex
    return f"media/{made[:2]}/{made[2:24]}/{plain_name(name)}"


def require_size(scope: TenantScope, size: int | None) -> None:
    """Raises QuotaExceeded for a file that is larger than the tier lets in."""
    most = scope.limits.file
    if most is not None and size is not None and size > most:
        raise _too_large(scope)


def _too_large(scope: TenantScope) -> QuotaExceeded:
    most = scope.limits.file or 0
    return QuotaExceeded(
        f"A file has at most {int(most):,} bytes on the {scope.tenant.tier} tier.",
        hint="Send a smaller one, or move up a tier.",
    )


async def _bounded(
    scope: TenantScope, chunks: AsyncIterable[bytes], size: int | None
) -> AsyncIterator[bytes]:
    """The chunks, as long as they are not more than the tier lets in; tells how far it is."""
    come = 0
    async for chunk in chunks:
        come += len(chunk)
        require_size(scope, come)
        yield chunk
        scope.progress("bytes", come, max(size or 0, come))


def _beside(scope: TenantScope) -> TenantScope:
    """The same scope, for writes that no caller said anything of."""
    return dataclasses.replace(scope, actor=dataclasses.replace(scope.actor, conditions=None))


async def _whole(work: Awaitable[None]) -> None:
    """Does something to its end, even if nobody waits for it any more."""
    await asyncio.shield(asyncio.ensure_future(work))
