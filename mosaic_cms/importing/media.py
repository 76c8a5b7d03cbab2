"""Storing the files that imported pages use."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import imagesize
from sqlalchemy import select

from mosaic_cms.content.models import Media, Site
from mosaic_cms.content.tree import find_site
from mosaic_cms.importing.folder import SourceFile
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidKey
from mosaic_core.head import Write
from mosaic_core.storage import normalise_key
from mosaic_core.types import new_id

_CHUNK = 256 * 1024
#: What may be stored, by the name's ending. A browser runs nothing of these.
_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".zip": "application/zip",
}


async def store_media(
    scope: TenantScope, site_key: str | None, files: Sequence[SourceFile]
) -> tuple[dict[str, uuid.UUID], list[tuple[str, str]]]:
    """Stores files and notes them; what is stored already is left alone.

    Returns the ids by source, and (source, why) of those that were refused.
    """
    async with scope.read() as session:
        site = await find_site(session, site_key)
        rows = await session.scalars(select(Media).where(Media.site_id == site.id))
        there = {row.source: row for row in rows}
    ids: dict[str, uuid.UUID] = {}
    faults: list[tuple[str, str]] = []
    new: list[dict[str, object]] = []
    for number, file in enumerate(files, 1):
        content_type = _TYPES.get(file.path.suffix.lower())
        if content_type is None:
            faults.append((file.source, f"files of the kind {file.path.suffix!r} are not stored"))
            continue
        digest, size = await asyncio.to_thread(_digest, file.path)
        row = there.get(file.source)
        ids[file.source] = row.id if row is not None else new_id()
        if row is None or row.digest != digest:
            try:
                facts = await _store(scope, file.path, digest, size)
            except InvalidKey as error:
                faults.append((file.source, error.message))
                del ids[file.source]
                continue
            new.append({"source": file.source, "content_type": content_type, **facts})
        scope.progress("files", number, len(files))

    async def note(write: Write) -> None:
        site = await find_site(write.session, site_key)
        replaced = False
        for facts in new:
            replaced |= await _note(write, site, ids[str(facts["source"])], facts)
        await write.session.flush()
        if replaced:
            await scope.product.publisher.refresh_site(write, site)

    if new:
        await scope.write(note)
    return ids, faults


async def _store(scope: TenantScope, path: Path, digest: str, size: int) -> dict[str, object]:
    name = unicodedata.normalize("NFC", path.name)
    key = normalise_key(f"media/{digest[:2]}/{digest[2:24]}/{name}")
    storage = scope.product.platform.storage(scope.tenant)
    await storage.write(scope.tenant, key, _chunks(path), size=size, digest=digest)
    width, height = await asyncio.to_thread(imagesize.get, str(path))
    return {
        "key": key,
        "name": name,
        "size": size,
        "digest": digest,
        "width": int(width) if width > 0 else None,
        "height": int(height) if height > 0 else None,
        "focal_x": None,  # it was that of another picture
        "focal_y": None,
    }


async def _note(write: Write, site: Site, media_id: uuid.UUID, facts: dict[str, object]) -> bool:
    """Whether the file replaces another one."""
    row = await write.session.get(Media, media_id)
    if row is None:
        write.session.add(Media(id=media_id, site_id=site.id, **facts))
        return False
    for name, value in facts.items():
        setattr(row, name, value)
    return True


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
