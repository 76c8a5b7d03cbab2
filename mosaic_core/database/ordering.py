"""Reading whole tables in an order that is always the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sqlalchemy import Select, Table, literal, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

#: Rows that are read at once.
ROWS = 200


def ordered(table: Table) -> Select[tuple[object, ...]]:
    """The rows of a table, each after those of the same table that it points to."""
    key = list(table.primary_key.columns)
    own = [fk for fk in table.foreign_keys if fk.column.table is table]
    query = select(table).order_by(*key)
    if own:
        pointing, pointed = own[0].parent, own[0].column
        deep = (
            select(pointed.label("key"), literal(0).label("depth"))
            .where(pointing.is_(None))
            .cte("deep", recursive=True)
        )
        child = table.alias("child")
        below = select(child.c[pointed.name], deep.c.depth + 1).join(
            deep, child.c[pointing.name] == deep.c.key
        )
        deep = deep.union_all(below)
        query = select(table).join(deep, deep.c.key == pointed).order_by(deep.c.depth, *key)
    return query


async def streamed(
    session: AsyncSession, query: Select[tuple[object, ...]]
) -> AsyncIterator[RowMapping]:
    """The rows of a query, some at a time."""
    result = await session.stream(query, execution_options={"yield_per": ROWS})
    async for row in result.mappings():
        yield row
