"""Exporting a tenant: one snapshot of its rows and its log, and the files beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.bundle.form import (
    FILES,
    FORMAT,
    MANIFEST,
    PART,
    HeadFacts,
    Manifest,
    Progress,
    TenantFacts,
    rows_name,
)
from mosaic_core.bundle.locking import keys_of, locked
from mosaic_core.bundle.writing import BundleWriter, begin, claim, finish
from mosaic_core.database.ordering import ordered, streamed
from mosaic_core.database.schema import TenantSchema, logged_tables
from mosaic_core.errors import Conflict, DatabaseDamaged, FileMissing
from mosaic_core.head.log import checkpoint_of
from mosaic_core.head.tables import TENANT
from mosaic_core.persistence import Persistence
from mosaic_core.storage import FileInfo, Storage
from mosaic_core.tenants import TenantContext
from mosaic_core.types import canonical_json, new_id

#: Bytes of a file that are written at once.
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Where a tenant is exported from.

    Attributes:
        made_by: the software, for people who look at the bundle.
        leaves_out: whether a stored file is made of others, and so is not exported.
    """

    tenant: TenantContext
    persistence: Persistence
    storage: Storage
    schema: TenantSchema
    made_by: str
    leaves_out: Callable[[str], bool]


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        rows: of each table.
        missing: keys of files that were deleted meanwhile.
    """

    path: Path
    manifest: Manifest
    rows: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    files: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)


async def export(
    source: Source,
    path: Path,
    *,
    recipients: Sequence[str] = (),
    force: bool = False,
    progress: Progress,
) -> Exported:
    """Writes a tenant into a file, which has its name only once it is whole and on the disk.

    An export that was broken off is gone on with when nobody wrote to the tenant meanwhile, unless
    it is encrypted.

    Args:
        recipients: age public keys; with any, the bundle is encrypted for them.
        force: replaces a file that is there.

    Raises:
        Conflict: the file is there, or being written by somebody else.
        DatabaseError, StorageError: of what is read.
    """
    if path.exists() and not force:
        raise Conflict(f"The file {path.name!r} is there already.", hint="Replace it with --force.")
    # Code may serve a tenant with columns that it does not know, but it would leave them out here.
    history, subject = source.schema.history, f"The database of {source.tenant.slug!r}"
    history.require_whole(await source.persistence.revision(source.tenant), subject)
    unfinished, keys = path.with_name(f"{path.name}.part"), keys_of(recipients)
    async with AsyncExitStack() as stack:
        file = await asyncio.to_thread(claim, unfinished)
        stack.callback(file.close)
        async with AsyncExitStack() as inner:
            async with source.persistence.session(source.tenant) as session:
                manifest = await _manifest(source, session)
                if keys:
                    await asyncio.to_thread(file.truncate, 0)
                    writer = BundleWriter(inner.enter_context(locked(file, keys)))
                    content = manifest.model_dump_json().encode()
                    await asyncio.to_thread(writer.add, MANIFEST, content)
                else:
                    writer, manifest = await asyncio.to_thread(begin, file, manifest)
                done = Exported(path, manifest)
                await _rows(source, session, writer, done, progress)
            await _files(source, writer, done, progress)
            await asyncio.to_thread(writer.seal, done.rows, done.changes, done.files, done.size)
        # The last of what is encrypted is written when its pipe is closed.
        await asyncio.to_thread(finish, file, unfinished, path)
    return done


async def _manifest(source: Source, session: AsyncSession) -> Manifest:
    tenant = source.tenant
    head = (await session.execute(select(TENANT.head))).mappings().one()
    return Manifest(
        format=FORMAT,
        bundle_id=new_id(),
        made_at=datetime.now(UTC),
        made_by=source.made_by,
        tenant=TenantFacts(
            tenant_id=tenant.tenant_id,
            slug=tenant.slug,
            name=tenant.name,
            tier=tenant.tier,
            epoch=head["epoch"],
        ),
        revision=source.schema.history.current,
        head=HeadFacts(
            version=head["version"],
            published=head["published"],
            digest=head["digest"].hex(),
            base_version=head["base_version"],
            checkpoint=await checkpoint_of(session, TENANT),
        ),
        tables=tuple(logged_tables(source.schema.metadata)),
    )


async def _rows(
    source: Source, session: AsyncSession, writer: BundleWriter, done: Exported, progress: Progress
) -> None:
    tables = logged_tables(source.schema.metadata)
    counts = {
        name: await session.scalar(select(func.count()).select_from(table)) or 0
        for name, table in {**tables, "changes": TENANT.changes}.items()
    }
    total, written = sum(counts.values()), 0
    for name, table in {**tables, "changes": TENANT.changes}.items():
        lines, number, rows = bytearray(), 0, 0
        async for row in streamed(session, ordered(table)):
            images = {c.name: c.type.to_image(row[c]) for c in table.columns}  # type: ignore[attr-defined]
            lines += canonical_json(images).encode() + b"\n"
            rows += 1
            if len(lines) >= PART:
                number += 1
                await asyncio.to_thread(writer.add_rows, rows_name(name, number), bytes(lines))
                lines = bytearray()
                progress("rows", written + rows, total)
        if lines:
            await asyncio.to_thread(writer.add_rows, rows_name(name, number + 1), bytes(lines))
        if rows != counts[name]:  # a row that points to itself, by way of others
            raise DatabaseDamaged(
                f"{counts[name] - rows} rows of {name} stand in a circle.",
                hint="Run 'mosaic doctor'.",
            )
        written += rows
        progress("rows", written, total)
        if name == "changes":
            done.changes = rows
        else:
            done.rows[name] = rows


async def _files(source: Source, writer: BundleWriter, done: Exported, progress: Progress) -> None:
    storage, tenant = source.storage, source.tenant
    total = await storage.usage(tenant)  # with what is left out: good enough for a bar
    async for info in storage.list(tenant):
        if source.leaves_out(info.key):
            continue
        try:  # the list may be long, and older by now
            await storage.stat(tenant, info.key)
        except FileMissing:
            done.missing.append(info.key)
            continue
        if await asyncio.to_thread(writer.begin, f"{FILES}{info.key}", info.size, info.digest):
            await _file(source, writer, info)
        done.files += 1
        done.size += info.size
        progress("bytes of files", done.size, max(done.size, total))


async def _file(source: Source, writer: BundleWriter, info: FileInfo) -> None:
    waiting = bytearray()
    async for chunk in source.storage.read(source.tenant, info.key):
        waiting += chunk
        if len(waiting) >= _CHUNK:
            await asyncio.to_thread(writer.write, bytes(waiting))
            waiting = bytearray()
    await asyncio.to_thread(writer.write, bytes(waiting))
    await asyncio.to_thread(writer.end)
