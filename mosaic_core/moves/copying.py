"""The first copy of a tenant's rows: all of one snapshot, while people go on writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.database.ordering import ordered, streamed
from mosaic_core.database.schema import TenantSchema
from mosaic_core.errors import DatabaseDamaged
from mosaic_core.head.tables import TENANT
from mosaic_core.moves.home import Home, head_of
from mosaic_core.moves.progress import Progress
from mosaic_core.moves.rows import differing, tables_of, together

#: What of a head is its tenant's, and goes with it; the rest is the home's own.
_CARRIED = ("version", "published", "digest", "base_version")


async def copy_rows(source: Home, target: Home, schema: TenantSchema, progress: Progress) -> None:
    """Fills the empty tables of a home nobody uses yet.

    Raises:
        QuotaExceeded, DiskFull: the target has no room.
    """
    async with source.session() as session:
        head = await head_of(session)
        tables = tables_of(schema)
        counts = [await _count(session, table) for table in tables]
        total = sum(counts)
        await progress("rows", 0, total)
        done = 0
        for table, count in zip(tables, counts, strict=True):
            copied = 0
            async for rows in together(streamed(session, ordered(table))):
                copied += await _put(target, table, rows)
                await progress("rows", done + copied, total)
            if copied != count:  # a row that points to itself, by way of others
                raise DatabaseDamaged(
                    f"{count - copied} rows of {table.name} stand in a circle.",
                    hint="Run 'mosaic doctor'.",
                )
            done += copied
        async with target.putting() as connection:
            await carry(connection, head)
    await progress("rows", total, total)


async def carry(connection: AsyncConnection, head: Any) -> None:
    """The head goes on at the new home where it was; whether it takes writes is another matter."""
    values = {name: head[name] for name in _CARRIED}
    await connection.execute(update(TENANT.head).values(**values))


async def compare_rows(
    source: AsyncSession, target: Home, schema: TenantSchema, progress: Progress
) -> None:
    """Compares everything that a home has with a snapshot that it was brought to.

    Raises:
        DatabaseDamaged: something is not what it should be.
    """
    tables = tables_of(schema)
    async with target.session() as session:
        for number, table in enumerate(tables):
            await progress("compared tables", number, len(tables))
            if found := await differing(source, session, table):
                raise unlike(table, len(found))
    await progress("compared tables", len(tables), len(tables))


def unlike(table: Table, count: int) -> DatabaseDamaged:
    """Says that a copy is not what was copied."""
    return DatabaseDamaged(
        f"The copy is not what was copied: {count} rows of {table.name} differ.",
        hint="Something else writes to one of the two databases, or one of them is damaged: run "
        "'mosaic doctor' before the next try.",
    )


async def _count(session: AsyncSession, table: Table) -> int:
    return await session.scalar(select(func.count()).select_from(table)) or 0


async def _put(target: Home, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    async with target.putting() as connection:
        await connection.execute(insert(table), rows)
    return len(rows)
