"""New objects as rows, without the unit of work: what is inserted, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import instance_state

from mosaic_core.head import chain
from mosaic_core.head.recorder import entity_id
from mosaic_core.head.statements import KernelStatement


def row_of(new: Any) -> tuple[Table, dict[str, Any]]:
    """A new object's table and row: each column's value, or its default."""
    state = instance_state(new)
    table, columns = _columns(state.mapper)
    given = state.dict
    return table, {
        name: given[key] if key in given else _default(default) for name, key, default in columns
    }


def inserted(table: Table, values: dict[str, Any]) -> chain.Change:
    """The log's entry of a new row."""
    image = {name: to_image(values[name]) for name, to_image in _images(table)}
    return chain.Change(chain.INSERT, table.name, entity_id(table, image), image)


@cache
def _columns(mapper: Mapper[Any]) -> tuple[Table, list[tuple[str, str, Any]]]:
    """A class's table, and each column's name, attribute and default."""
    table = mapper.local_table
    assert isinstance(table, Table)
    return table, [
        (column.name, mapper.get_property_by_column(column).key, column.default)
        for column in table.columns
    ]


@cache
def _images(table: Table) -> list[tuple[str, Callable[[Any], Any]]]:
    """What makes the log's image of each column."""
    return [(column.name, column.type.to_image) for column in table.columns]  # type: ignore[attr-defined]


@cache
def insertion(table: Table) -> KernelStatement:
    """The statement that inserts a row with all its columns."""
    return KernelStatement(insert(table))


def _default(default: Any) -> Any:
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg
