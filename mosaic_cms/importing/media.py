"""Storing the files that imported pages use: each is looked at as one that is uploaded."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from mosaic_cms.content.models import Media, MediaUpload, Site
from mosaic_cms.content.tree import find_site
from mosaic_cms.importing.folder import SourceFile
from mosaic_cms.importing.site_file import FileEntry
from mosaic_cms.incoming import Incoming
from mosaic_cms.media import shelf
from mosaic_cms.media.checks import Checked, Rules
from mosaic_cms.media.inspector import put
from mosaic_cms.media.intake import PATIENCE, content_of, key_for, require_size
from mosaic_cms.media.settings import read_rules
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, QuotaExceeded
from mosaic_core.head import Write
from mosaic_core.types import new_id


@dataclass(slots=True)
class _New:
    """A file that is not in the library yet, or has another content there."""

    file: SourceFile
    digest: str
    size: int
    id: uuid.UUID
    key: str
    upload: uuid.UUID


async def store_media(
    scope: TenantScope,
    site_key: str | None,
    files: Sequence[SourceFile],
    said: Mapping[str, FileEntry] | None = None,
) -> tuple[dict[str, uuid.UUID], list[tuple[str, str]]]:
    """Stores files and notes them; what is stored already is left alone.

    Args:
        said: what is said of files, by their source.

    Returns the ids by source, and (source, why) of those that were refused.
    """
    async with scope.read() as session:
        site = await find_site(session, site_key)
        rows = await session.scalars(select(Media).where(Media.site_id == site.id))
        there = {row.source: row for row in rows}
        rules = await read_rules(session)
        session.expunge_all()
    ids: dict[str, uuid.UUID] = {}
    new: list[_New] = []
    for file in files:
        digest, size = await asyncio.to_thread(_digest, file.path)
        row = there.get(file.source)
        ids[file.source] = row.id if row is not None else new_id()
        if row is None or digest not in {row.digest, row.given}:
            key = key_for(file.path.name)
            new.append(_New(file, digest, size, ids[file.source], key, new_id()))
    if new:
        await scope.write(lambda write: _expect(scope, write, site_key, new))
    checked: dict[str, Checked] = {}
    faults: list[tuple[str, str]] = []
    try:
        for number, one in enumerate(new, 1):
            try:
                checked[one.file.source] = await _store(scope, one, rules)
            except InvalidInput as error:
                faults.append((one.file.source, error.message))
                if one.file.source not in there:
                    del ids[one.file.source]
            scope.progress("files", number, len(new))
    except BaseException:  # there is no room for one, or nobody waits any more
        await asyncio.shield(asyncio.ensure_future(_give_up(scope, new)))
        raise
    binned = {row.source for row in there.values() if row.binned_at is not None}
    if new or binned.intersection(ids) or said:

        async def note(write: Write) -> None:
            await _note(scope, write, site_key, new, checked, ids, said or {})

        await scope.write(note)
    return ids, faults


async def _expect(
    scope: TenantScope, write: Write, site_key: str | None, new: Sequence[_New]
) -> None:
    """Notes what is going to be stored, so that it is swept if this is stopped."""
    site = await find_site(write.session, site_key)
    for one in new:
        write.session.add(
            MediaUpload(
                id=one.upload,
                site_id=site.id,
                media_id=None,
                key=one.key,
                parts_id=None,
                name=one.file.path.name[-1000:],
                size=one.size,
                facts={},
                actor=write.info.actor,
                begun_at=write.at,
                expires_at=write.at + PATIENCE,
            )
        )
    agenda = scope.product.platform.directory.agenda
    await agenda.expect(scope.tenant.tenant_id, write.at + PATIENCE)


async def _give_up(scope: TenantScope, new: Sequence[_New]) -> None:
    """Leaves nothing of what was stored for an import that came to nothing."""

    async def fn(write: Write) -> None:
        for one in new:
            row = await write.session.get(MediaUpload, one.upload)
            if row is not None:
                await write.session.delete(row)
        await write.session.flush()
        await shelf.remove_later(write, {one.key for one in new})

    await scope.write(fn, reserve=True)


async def _store(scope: TenantScope, new: _New, rules: Rules) -> Checked:
    """Stores what may be shown of a file."""
    try:
        require_size(scope, new.size)
    except QuotaExceeded as error:  # of this file; what there is no room for is another matter
        raise InvalidInput(error.message, hint=error.hint) from error
    storage = scope.product.platform.storage(scope.tenant)
    inspector, path = scope.product.inspector, new.file.path
    checked = await inspector.look_at(path, new.size, new.digest, rules)
    return await put(storage, scope.tenant, new.key, checked, Incoming.of_file(path))


async def _note(
    scope: TenantScope,
    write: Write,
    site_key: str | None,
    new: Sequence[_New],
    checked: Mapping[str, Checked],
    ids: Mapping[str, uuid.UUID],
    said: Mapping[str, FileEntry],
) -> None:
    session = write.session
    site = await find_site(session, site_key)
    changed: list[Media] = []
    for one in new:
        upload = await session.get(MediaUpload, one.upload)
        if upload is not None:
            await session.delete(upload)
        source = one.file.source
        if source not in checked:
            continue
        content = content_of(checked[source], one.key, one.digest)
        row = await session.get(Media, one.id)
        if row is None:
            credit = checked[source].credit[:500]
            shelf.add(write, site, one.id, source=source, credit=credit, **content)
        else:
            shelf.replace(write, row, content)
            changed.append(row)
    await session.flush()
    await shelf.remove_later(write, {one.key for one in new if one.file.source not in checked})
    changed += await _say(write, site, ids, said)
    if changed:
        await shelf.show_again(write, scope.product.publisher, site, *changed)


async def _say(
    write: Write, site: Site, ids: Mapping[str, uuid.UUID], said: Mapping[str, FileEntry]
) -> list[Media]:
    """Writes down what is said of files, and takes those out of the bin that pages use; returns
    the changed ones."""
    changed = []
    for source, media_id in ids.items():
        row = await write.session.get(Media, media_id)
        if row is None:
            continue
        facts: dict[str, Any] = said[source].facts() if source in said else {}
        facts |= {"binned_at": None}
        if any(getattr(row, name) != value for name, value in facts.items()):
            for name, value in facts.items():
                setattr(row, name, value)
            row.words = shelf.words_of(row)
            changed.append(row)
    return changed


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
