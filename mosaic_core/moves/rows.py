"""Rows of a table by their keys, and where two homes have different ones."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from itertools import islice
from operator import eq
from typing import Any

from sqlalchemy import ColumnElement, Delete, RowMapping, Table, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.database.ordering import ROWS, streamed
from mosaic_core.database.schema import TenantSchema, is_derived, logged_tables
from mosaic_core.head.tables import TENANT
from mosaic_core.types import Integer

Key = tuple[Any, ...]
#: Rows that are put in at once, and about how many bytes of them.
_TOGETHER, _MUCH = 250, 1_000_000
#: Seconds after which others get a turn.
_SLICE = 0.002


class Slices:
    """Work in the event loop's thread, in slices so short that nobody whom the process serves
    notices: a file is read and written without ever waiting, and rows are compared in Python."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def end(self) -> None:
        """Lets others have a turn, if it is time."""
        if time.monotonic() - self._since > _SLICE:
            await asyncio.sleep(0)
            self._since = time.monotonic()


def tables_of(schema: TenantSchema) -> list[Table]:
    """Every table that travels, each after those that its rows point to; the log last."""
    derived = [table for table in schema.metadata.sorted_tables if is_derived(table)]
    return [*logged_tables(schema.metadata).values(), *derived, TENANT.outbox, TENANT.changes]


def key_of(table: Table, entity_id: str, *, derived: bool = False) -> Key:
    """A row's primary key, from what the change log calls the row (see ``recorder.entity_id``).

    Of ``derived`` rows it may say no more than how the key begins, or nothing.
    """
    columns = list(table.primary_key.columns)
    if not entity_id and derived:
        images = []
    elif len(columns) > 1 or derived:
        images = json.loads(entity_id)
    else:
        images = [int(entity_id) if isinstance(columns[0].type, Integer) else entity_id]
    return tuple(
        column.type.from_image(image)  # type: ignore[attr-defined]
        for column, image in zip(columns, images, strict=not derived)
    )


async def together(rows: AsyncIterator[RowMapping]) -> AsyncIterator[list[dict[str, Any]]]:
    """Rows to put in, so many at a time that neither they nor their bytes are too many."""
    waiting: list[dict[str, Any]] = []
    size, slices = 0, Slices()
    async for row in rows:
        waiting.append(dict(row))
        size += _size(row)
        await slices.end()
        if len(waiting) == _TOGETHER or size >= _MUCH:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


async def rows_at(
    session: AsyncSession, table: Table, keys: Collection[Key]
) -> AsyncIterator[RowMapping]:
    """The rows with these keys, as far as there are any."""
    for some in _in_batches(keys):
        async for row in streamed(session, select(table).where(_among(table, some))):
            yield row


async def differing_at(
    source: AsyncSession, target: AsyncSession, table: Table, keys: Collection[Key]
) -> int:
    """How many of the rows with these keys one of two homes has not, or has otherwise."""
    found = 0
    for some in _in_batches(keys):
        found += len(await differing(source, target, table, _among(table, some)))
    return found


def deleting(table: Table, keys: Collection[Key]) -> Iterator[Delete]:
    """The statements that delete the rows with these keys."""
    for some in _in_batches(keys):
        yield delete(table).where(_among(table, some))


async def differing(
    source: AsyncSession,
    target: AsyncSession | AsyncConnection,
    table: Table,
    *where: ColumnElement[bool],
) -> set[Key]:
    """The keys of the rows that one of two homes has not, or has otherwise. Both are read once, in
    the order of the keys, which every database sorts alike."""
    keys = list(table.primary_key.columns)
    query = select(table).where(*where).order_by(*keys)
    options = {"yield_per": ROWS}
    here = aiter((await source.stream(query, execution_options=options)).mappings())
    there = aiter((await target.stream(query, execution_options=options)).mappings())
    names = [column.name for column in keys]
    found: set[Key] = set()
    one, other = await _next(here, names), await _next(there, names)
    slices = Slices()
    while one is not None or other is not None:
        await slices.end()
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            found.add(one[0])
            one = await _next(here, names)
        elif one is None or other[0] < one[0]:
            found.add(other[0])
            other = await _next(there, names)
        else:
            if one[1] != other[1]:
                found.add(one[0])
            one, other = await _next(here, names), await _next(there, names)
    return found


async def _next(rows: AsyncIterator[RowMapping], names: Iterable[str]) -> tuple[Key, Any] | None:
    row = await anext(rows, None)
    return None if row is None else (tuple(row[name] for name in names), dict(row))


def _size(row: RowMapping) -> int:
    """About how many bytes a row has."""
    return sum(
        len(value if isinstance(value, str | bytes) else repr(value)) for value in row.values()
    )


def _in_batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    left = iter(keys)
    while some := list(islice(left, ROWS)):
        yield some


def _among(table: Table, keys: Collection[Key]) -> ColumnElement[bool]:
    columns = list(table.primary_key.columns)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    # Column by column: SQL Server compares no tuples.
    return or_(*(and_(*map(eq, columns, key)) for key in keys))
