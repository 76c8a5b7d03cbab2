"""Reading the change log: verifying its chain, rebuilding the past, compacting, migrating."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database.branches import belongs_to
from mosaic_core.database.schema import Tables, TenantSchema, logged_tables
from mosaic_core.errors import ChainBroken, NotFound
from mosaic_core.head import chain
from mosaic_core.head.guard import migrating
from mosaic_core.head.recorder import entity_id
from mosaic_core.head.tables import GENESIS, HeadTables
from mosaic_core.head.write import Write, Writer
from mosaic_core.persistence import HeadStatus

#: entity → row id → the row's image; None for an image that was erased.
Content = dict[str, dict[str, dict[str, Any] | None]]

_KEEP = "Restore a backup, or keep the file for an investigation: it was not changed by us."
_ROW_OPERATIONS = (chain.INSERT, chain.UPDATE)


async def _log(session: AsyncSession, tables: HeadTables) -> AsyncIterator[RowMapping]:
    log = tables.changes
    result = await session.stream(
        select(log).order_by(log.c.version, log.c.seq), execution_options={"yield_per": 500}
    )
    async for row in result.mappings():
        yield row


async def verify(session: AsyncSession, tables: HeadTables) -> int:
    """Recomputes the whole chain; returns the number of changes seen.

    Raises:
        ChainBroken: naming the first version at which the log is not what was written.
    """
    try:
        return await _verify(session, tables)
    except (ValueError, TypeError) as error:
        raise ChainBroken(
            f"The change log is broken: it holds what was never written ({error}).", hint=_KEEP
        ) from error


async def _verify(session: AsyncSession, tables: HeadTables) -> int:
    head = (await session.execute(select(tables.head))).mappings().one()
    base = head["base_version"]
    checkpoint = await _checkpoint(session, tables, base) if base else None
    check = ChainCheck(base, checkpoint)
    async for row in _log(session, tables):
        check.add(dict(row))
    check.end(head["version"], head["digest"])
    return check.count


async def checkpoint_of(session: AsyncSession, tables: HeadTables) -> dict[str, Any] | None:
    """What vouches for the compacted part of a log; None when nothing was compacted.

    Raises:
        ChainBroken: it is missing.
    """
    base = await session.scalar(select(tables.head.c.base_version))
    return await _checkpoint(session, tables, base) if base else None


class ChainCheck:
    """Recomputes a chain from the rows of its log, given one after the other in their order.

    Args:
        base: up to which version the log was compacted.
        checkpoint: what vouches for that part.
    """

    def __init__(self, base: int, checkpoint: Mapping[str, Any] | None) -> None:
        self._base, self._checkpoint = base, checkpoint
        self._value = GENESIS if checkpoint is None else bytes.fromhex(checkpoint["chain"])
        self._version = base
        self._kept = hashlib.sha256()
        self._compacted = checkpoint is not None
        self.count = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """The next row of the log.

        Raises:
            ChainBroken: it is not what was written.
        """
        self.count += 1
        if row["salt"] is not None:
            if chain.image_digest(row["salt"], row["image"]) != row["image_digest"]:
                raise _broken(row["version"], "an image was changed")
        elif row["image"] is not None:
            raise _broken(row["version"], "an image stands without its salt")
        if self._compacted and row["version"] <= self._base:
            self._kept.update(chain.link(row["chain"], dict(row)))
            return
        self._end_compacted()
        if row["version"] not in (self._version, self._version + 1):
            raise _broken(row["version"], "a version is missing before it")
        self._version, self._value = row["version"], chain.link(self._value, dict(row))
        if self._value != row["chain"]:
            raise _broken(self._version, "a change was altered, added or removed")

    def end(self, version: int, digest: bytes) -> None:
        """After the last row: compares with the head.

        Raises:
            ChainBroken: they do not match.
        """
        self._end_compacted()
        if self._version != version or self._value != digest:
            raise _broken(version, "the head does not match the newest change")

    def _end_compacted(self) -> None:
        checkpoint = self._checkpoint if self._compacted else None
        if checkpoint is not None and self._kept.hexdigest() != checkpoint["kept"]:
            raise _broken(self._base, "the compacted part was changed")
        self._compacted = False


async def rebuild(session: AsyncSession, tables: HeadTables, version: int | None = None) -> Content:
    """What the logged tables held at ``version`` (None: now).

    Raises:
        NotFound: the log does not reach back to that version.
    """
    head = (await session.execute(select(tables.head))).mappings().one()
    if version is None:
        version = head["version"]
    if not head["base_version"] <= version <= head["version"]:
        raise NotFound(
            f"Version {version} is not kept; the log has {head['base_version']}–{head['version']}."
        )
    content: Content = {}
    async for row in _log(session, tables):
        if row["version"] > version:
            break
        if row["operation"] in _ROW_OPERATIONS:
            content.setdefault(row["entity"], {})[row["entity_id"]] = row["image"]
        elif row["operation"] == chain.DELETE:
            content.get(row["entity"], {}).pop(row["entity_id"], None)
    return {entity: rows for entity, rows in content.items() if rows}


async def content_of(session: AsyncSession, metadata: Tables) -> Content:
    """What the logged tables hold now, in the form that :func:`rebuild` returns."""
    content: Content = {}
    for name, table in logged_tables(metadata).items():
        rows: dict[str, dict[str, Any] | None] = {}
        for row in (await session.execute(select(table))).mappings():
            image = {c.name: c.type.to_image(row[c]) for c in table.columns}  # type: ignore[attr-defined]
            rows[entity_id(table, image)] = image
        if rows:
            content[name] = rows
    return content


def in_shape(content: Content, metadata: Tables) -> Content:
    """What was rebuilt, in the shape that the tables have now: while a fleet is migrated, code that
    knows a column and code that does not write to the same rows."""
    tables = logged_tables(metadata)
    return {
        entity: {
            row_id: image and {c.name: image.get(c.name) for c in tables[entity].columns}
            for row_id, image in rows.items()
        }
        for entity, rows in content.items()
        if entity in tables
    }


async def compact(write: Write, tables: HeadTables, version: int) -> int:
    """Forgets how things came to be what they were at ``version``; returns the rows removed.

    The newest image of each row that lived then is kept; a checkpoint in the log vouches for them
    and for the chain's value, so :func:`verify` still holds. A log that a move follows is left as
    it is: it alone says which rows are gone.
    """
    log, head = tables.changes, tables.head
    row = (await write.session.execute(select(head))).mappings().one()
    if HeadStatus(row["status"]).followed:
        return 0
    if not row["base_version"] < version < write.version:
        return 0
    session = write.session
    value = await session.scalar(
        select(log.c.chain).where(log.c.version == version).order_by(log.c.seq.desc()).limit(1)
    )
    newer = log.alias("newer")
    superseded = (
        select(newer.c.version)
        .where(
            newer.c.entity == log.c.entity,
            newer.c.entity_id == log.c.entity_id,
            newer.c.version <= version,
            or_(
                newer.c.version > log.c.version,
                and_(newer.c.version == log.c.version, newer.c.seq > log.c.seq),
            ),
        )
        .exists()
    )
    with write.permit.kernel():
        removed = await session.execute(
            delete(log)
            .where(log.c.version <= version, superseded)
            .execution_options(synchronize_session=False)
        )
        gone = await session.execute(
            delete(log)
            .where(log.c.version <= version, log.c.operation.not_in(_ROW_OPERATIONS))
            .execution_options(synchronize_session=False)
        )
        kept = hashlib.sha256()
        linked = [column for column in log.c if column.name not in {"image", "salt"}]
        rows = await session.execute(
            select(*linked).where(log.c.version <= version).order_by(log.c.version, log.c.seq)
        )
        for change in rows.mappings():
            kept.update(chain.link(change["chain"], dict(change)))
        await session.execute(update(head).values(base_version=version))
    assert value is not None
    write.extra.append(
        chain.Change(
            chain.CHECKPOINT,
            "",
            "",
            {"version": version, "chain": value.hex(), "kept": kept.hexdigest()},
        )
    )
    return int(removed.rowcount) + int(gone.rowcount)  # type: ignore[attr-defined]


async def _checkpoint(session: AsyncSession, tables: HeadTables, base: int) -> dict[str, Any]:
    log = tables.changes
    images = await session.scalars(
        select(log.c.image)
        .where(log.c.operation == chain.CHECKPOINT)
        .order_by(log.c.version.desc())
    )
    for image in images:
        if isinstance(image, dict) and image.get("version") == base:
            return image
    raise _broken(base, "the checkpoint of the compacted part is missing")


def _broken(version: int, why: str) -> ChainBroken:
    return ChainBroken(
        f"The change log is broken at version {version}: {why}.",
        hint=_KEEP,
    )


async def migrate(writer: Writer, tables: HeadTables, schema: TenantSchema, subject: str) -> str:
    """Migrates a tenant's database and logs what that changed, in one transaction.

    Rows that have another value afterwards are logged as they look now, so that the past is rebuilt
    in its own shape and the present in the new one. A new column without a value is no change.

    Raises:
        DatabaseNewer: the database was made by newer code; it is left as it is.
    """

    async def upgrade(write: Write) -> str:
        connection = await write.session.connection()
        await connection.execution_options(**migrating())
        before = await connection.run_sync(schema.history.read)
        if schema.history.own(before) == schema.history.current:
            return schema.history.current
        old = await rebuild(write.session, tables, write.version - 1)
        async with schema.history.turn:
            after = await connection.run_sync(schema.history.upgrade, subject)
        new = await content_of(write.session, schema.metadata)
        write.extra.append(chain.Change(chain.MIGRATE, "", "", {"from": before, "to": after}))
        left = schema.history.strangers(before)
        write.extra += _differences(_without(old, left, logged_tables(schema.metadata)), new)
        return after

    return await writer.write(upgrade, actor="system", action="schema.migrate", reserve=True)


def _without(content: Content, plugins: Collection[str], known: Collection[str]) -> Content:
    """Without the rows of plugins that this code does not have: they are left alone, and known to
    be there. A table that is known is none of theirs, whatever it is called."""
    return {
        entity: rows
        for entity, rows in content.items()
        if entity in known or not any(belongs_to(entity, plugin) for plugin in plugins)
    }


def _differences(old: Content, new: Content) -> Iterator[chain.Change]:
    for entity, found in new.items():
        for row_id, image in found.items():
            assert image is not None
            had = old.get(entity, {}).get(row_id)
            if had is None or any(had.get(name) != value for name, value in image.items()):
                yield chain.Change(chain.UPDATE, entity, row_id, image)
    for entity, rows in old.items():
        for row_id in rows.keys() - new.get(entity, {}).keys():
            yield chain.Change(chain.DELETE, entity, row_id, None)
