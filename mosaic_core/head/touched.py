"""Which derived rows a statement changes that goes past the unit of work.

Most such statements name the first column of the key: ``delete(…).where(page_id == …)``. Of others
nobody can say more than the table. It is asked while a move follows, and at no other time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Table
from sqlalchemy.sql import ColumnElement, Insert, operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause

from mosaic_core.head.tables import LONGEST_ID
from mosaic_core.types import canonical_json


def touched(construct: Any, compiled: Any, parameters: Sequence[Mapping[str, Any]]) -> set[str]:
    """What the log calls the rows: the first value of their keys in a JSON list, or all of them in
    one; an empty text for the whole table.

    Args:
        parameters: of each execution, as they were given.
    """
    table: Table = construct.table
    keys = list(table.primary_key.columns)
    if isinstance(construct, Insert):
        found = [[one.get(column.key) for column in keys] for one in parameters]
        return {_named(keys, key) for key in found}
    first = keys[:1]
    for condition in _conditions(construct.whereclause):
        bind = _bind(condition, first[0])
        if bind is None:
            continue
        name = compiled.bind_names.get(bind)
        if name is None:
            continue
        given = [one[name] for one in parameters if name in one]
        if condition.operator is operators.in_op:
            given = [value for values in given for value in values]
        return {_named(first, [value]) for value in given} or {""}
    return {""}


def _named(columns: Sequence[Any], values: Sequence[Any]) -> str:
    if None in values:
        return ""
    images = [column.type.to_image(value) for column, value in zip(columns, values, strict=True)]
    text = canonical_json(images)
    return text if len(text) <= LONGEST_ID else ""


def _conditions(where: ColumnElement[bool] | None) -> Iterator[BinaryExpression[Any]]:
    """What has to hold of each row, as far as it is a comparison."""
    if isinstance(where, BooleanClauseList):
        if where.operator is operators.and_:
            for clause in where.clauses:
                yield from _conditions(clause)
    elif isinstance(where, BinaryExpression):
        yield where


def _bind(condition: BinaryExpression[Any], column: Any) -> BindParameter[Any] | None:
    """The parameter that a column is compared with for being equal to it, or one of it."""
    left, right = condition.left, condition.right
    if condition.operator not in (operators.eq, operators.in_op):
        return None
    if not isinstance(left, ColumnClause) or left.name != column.name:
        return None
    if getattr(left.table, "name", None) != column.table.name:
        return None
    return right if isinstance(right, BindParameter) else None
