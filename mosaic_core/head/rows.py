"""New objects as rows, without the unit of work: what is inserted, and what the log says of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, insert
from sqlalchemy.orm.attributes import instance_state

from mosaic_core.head import chain
from mosaic_core.head.recorder import entity_id


def row_of(new: Any) -> tuple[Table, dict[str, Any]]:
    """A new object's table and row: each column's value, or its default."""
    state = instance_state(new)
    mapper, given = state.mapper, state.dict
    table = mapper.local_table
    assert isinstance(table, Table)
    values: dict[str, Any] = {}
    for column in table.columns:
        key = mapper.get_property_by_column(column).key
        values[column.name] = given[key] if key in given else _default(column.default)
    return table, values


def inserted(table: Table, values: dict[str, Any]) -> chain.Change:
    """The log's entry of a new row."""
    image = {column.name: column.type.to_image(values[column.name]) for column in table.columns}  # type: ignore[attr-defined]
    return chain.Change(chain.INSERT, table.name, entity_id(table, image), image)


@cache
def insertion(table: Table) -> Insert:
    """The statement that inserts a row with all its columns."""
    return insert(table)


def _default(default: Any) -> Any:
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg
