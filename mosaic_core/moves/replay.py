"""Bringing a copy to where its tenant is by now.

The change log says which rows were changed since; how they look is read beside it, in the same
snapshot. So whatever happened to a row in between, and whichever images of it were erased since,
the copy gets what is there, and goes from one version to another in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.database.ordering import streamed
from mosaic_core.database.schema import TenantSchema
from mosaic_core.head import chain
from mosaic_core.head.tables import TENANT
from mosaic_core.moves.copying import carry, compare_rows, unlike
from mosaic_core.moves.home import Home, head_of
from mosaic_core.moves.progress import Progress
from mosaic_core.moves.rows import (
    Key,
    Slices,
    deleting,
    differing,
    differing_at,
    key_of,
    rows_at,
    tables_of,
    together,
)

_LOG = TENANT.changes
_SKIPPED = {chain.CHECKPOINT, chain.MIGRATE}


@dataclass(slots=True)
class _Stale:
    """What a copy has to look at: rows by their keys, and tables of which nobody knows more."""

    keys: dict[str, set[Key]] = field(default_factory=dict)
    #: Those whose keys begin so; with nothing, all.
    beginning: dict[str, set[Key]] = field(default_factory=dict)
    #: Something was erased from the log itself.
    log: bool = False


async def catch_up(
    source: Home, target: Home, schema: TenantSchema, compare: Progress | None = None
) -> int:
    """Brings the copy to where its tenant is now; how many versions that were.

    What was put in is read again and compared; with ``compare``, so is everything else.

    Raises:
        DatabaseDamaged: the copy is not what was copied.
    """
    async with source.session() as session:
        head = await head_of(session)
        async with target.session() as there:
            level = await head_of(there)
        tables = {table.name: table for table in tables_of(schema)}
        behind = int(head["version"] - level["version"])
        stale = await _stale(session, tables, level["version"]) if behind else _Stale()
        async with target.putting(deferred=True) as connection:
            await _look(session, connection, tables, stale, level)
            if behind or any(stale.keys.values()):
                await _apply(session, connection, tables, stale)
                await _log(session, connection, level["version"])
                await carry(connection, head)
        await _compare(session, target, tables, stale)
        if compare is not None:
            await compare_rows(session, target, schema, compare)
        return behind


async def _stale(session: AsyncSession, tables: dict[str, Table], level: int) -> _Stale:
    """What was changed since a version."""
    found = _Stale()
    query = select(_LOG.c.entity, _LOG.c.entity_id, _LOG.c.operation).where(_LOG.c.version > level)
    async for row in streamed(session, query):
        entity, entity_id = row["entity"], row["entity_id"]
        if row["operation"] in _SKIPPED or entity not in tables:
            continue
        if entity == _LOG.name:
            found.log = True
            continue
        key = key_of(tables[entity], entity_id, derived=row["operation"] == chain.DERIVE)
        whole = len(key) == len(tables[entity].primary_key.columns)
        (found.keys if whole else found.beginning).setdefault(entity, set()).add(key)
    return found


async def _look(
    session: AsyncSession,
    target: AsyncConnection,
    tables: dict[str, Table],
    stale: _Stale,
    level: Any,
) -> None:
    """Finds the rows of what the log does not say by itself."""
    # The outbox is in no log.
    for name, beginnings in {TENANT.outbox.name: {()}, **stale.beginning}.items():
        table = tables[name]
        first = next(iter(table.primary_key.columns))
        for key in [()] if () in beginnings else beginnings:
            where = [first == key[0]] if key else []
            found = await differing(session, target, table, *where)
            stale.keys.setdefault(name, set()).update(found)
    if stale.log:  # something was erased from it; while it is followed, nothing else goes
        old = _LOG.c.version <= level["version"]
        stale.keys[_LOG.name] = await differing(session, target, _LOG, old)


async def _apply(
    session: AsyncSession, target: AsyncConnection, tables: dict[str, Table], stale: _Stale
) -> None:
    """Takes the stale rows away and puts in what is there; what points where is looked at when all
    of it is done."""
    slices = Slices()
    for name in reversed(tables):
        for statement in deleting(tables[name], stale.keys.get(name, ())):
            await target.execute(statement)
            await slices.end()
    for name, table in tables.items():
        async for rows in together(rows_at(session, table, stale.keys.get(name, ()))):
            await target.execute(insert(table), rows)


async def _log(session: AsyncSession, target: AsyncConnection, level: int) -> None:
    """The log's own rows: those that came, and what was erased of the last that was there."""
    async for rows in together(streamed(session, _since(_LOG.c.version > level))):
        await target.execute(insert(_LOG), rows)
    # An autosave erases the image that the one before it left.
    erased = and_(_LOG.c.version == level, _LOG.c.salt.is_(None))
    for version, seq in await session.execute(select(_LOG.c.version, _LOG.c.seq).where(erased)):
        same = and_(_LOG.c.version == version, _LOG.c.seq == seq)
        await target.execute(update(_LOG).where(same).values(image=None, salt=None))


def _since(condition: ColumnElement[bool]) -> Any:
    return select(_LOG).where(condition).order_by(_LOG.c.version, _LOG.c.seq)


async def _compare(
    session: AsyncSession, target: Home, tables: dict[str, Table], stale: _Stale
) -> None:
    """Reads again what was put in."""
    if not any(stale.keys.values()):
        return
    async with target.session() as there:
        for name, keys in stale.keys.items():
            if found := await differing_at(session, there, tables[name], keys):
                raise unlike(tables[name], found)
