"""Constant statements as the driver takes them: compiled once, with a schema in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Update

from mosaic_core.errors import InvalidInput

Processor = Callable[[Any], Any]
Statement = Select[Any] | Insert | Update


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query, or a change. ``convert`` has a function for each column of the rows that it returns,
    where it needs one."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    bind: Mapping[str, Processor]
    convert: tuple[Processor | None, ...]
    plain: bool

    @classmethod
    def compile(cls, statement: Statement, dialect: Dialect, schema: str | None = None) -> Prepared:
        """A statement as a dialect has it, with a tenant's tables in this schema, or where the
        dialect puts them."""
        places = {"tenant": schema} if schema is not None else None
        compiled = statement.compile(
            dialect=dialect, schema_translate_map=places, render_schema_translate=bool(places)
        )
        columns = tuple(
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.exported_columns
        )
        bind: dict[str, Processor] = {}
        for name, parameter in compiled.binds.items():
            processor = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                bind[name] = processor
        names = tuple(compiled.positiontup or ())
        constants = dict(compiled.params)
        return cls(str(compiled), names, constants, bind, columns, not any(columns))

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The parameters in their order, as the driver takes them.

        Raises:
            InvalidInput: the database does not take one of them.
        """
        try:
            return self.bound(parameters)
        except ValueError as error:
            raise InvalidInput(f"A query does not take a value: {error}.") from error

    def bound(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The same, with the ValueError of the column's type."""
        given = {**self.constants, **parameters}
        return [
            self.bind[name](given[name]) if name in self.bind else given[name]
            for name in self.names
        ]

    def rows(self, found: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What the driver found, as the columns' types have it."""
        if self.plain:
            return [tuple(row) for row in found]
        return [
            tuple(
                value if process is None else process(value)
                for process, value in zip(self.convert, row, strict=True)
            )
            for row in found
        ]
