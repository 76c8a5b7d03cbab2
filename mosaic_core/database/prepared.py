"""Constant queries as the driver takes them: compiled once, with a schema in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Select

from mosaic_core.errors import InvalidInput

Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query on a tenant's tables. ``convert`` has a function for each column that needs one."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    bind: Mapping[str, Processor]
    convert: tuple[Processor | None, ...]
    plain: bool

    @classmethod
    def compile(cls, query: Select[Any], dialect: Dialect, schema: str) -> Prepared:
        """A query as a dialect has it, with the tables in this schema."""
        compiled = query.compile(
            dialect=dialect, schema_translate_map={"tenant": schema}, render_schema_translate=True
        )
        columns = tuple(
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in query.selected_columns
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
        """The parameters in their order, as the driver takes them."""
        given = {**self.constants, **parameters}
        try:
            return [
                self.bind[name](given[name]) if name in self.bind else given[name]
                for name in self.names
            ]
        except ValueError as error:
            raise InvalidInput(f"A query does not take a value: {error}.") from error

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
