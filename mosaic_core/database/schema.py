"""How tables are declared, and the rules that every tenant table keeps.

Tenant tables are in the schema ``tenant`` and platform tables in ``platform``. Neither exists: each
strategy supplies a translation, so a session without one fails loudly instead of reading somebody's
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapper, registry
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import LoaderCallableStatus

from mosaic_core.database.migrations import NAMES, History
from mosaic_core.types import MosaicType

#: Key in ``Table.info``: how the write treats the table.
_KIND = "mosaic"
_PUBLISHES = "mosaic_publishes"


def tenant_metadata() -> MetaData:
    """What a plugin's tables are declared in: the ``metadata`` of a base of its own."""
    return MetaData(schema="tenant", naming_convention=NAMES)


def fill(self: Any, **values: Any) -> None:
    """The constructor of rows: puts their columns where the unit of work looks for them.

    SQLAlchemy's own sets one after the other, and looks each time for what was there before and
    for whom to tell: four times the work, for an object that nobody has seen yet.

    Raises:
        TypeError: the class has no such attribute.
    """
    if values.keys() <= _columns(self.__mapper__):
        state = instance_state(self)
        state.dict.update(values)
        state.committed_state.update(dict.fromkeys(values, LoaderCallableStatus.NO_VALUE))
        state.modified = bool(values)
        return
    for name, value in values.items():
        if not hasattr(type(self), name):
            raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
        setattr(self, name, value)


@cache
def _columns(mapper: Mapper[Any]) -> frozenset[str]:
    """Those to whose changes nobody listens."""
    keys = [attribute.key for attribute in mapper.column_attrs]
    return frozenset(key for key in keys if not mapper.class_manager[key].dispatch.set)


class TenantBase(DeclarativeBase):
    """The base of every table that a tenant has."""

    registry = registry(metadata=tenant_metadata(), constructor=fill)


class PlatformBase(DeclarativeBase):
    """The base of the platform's own, shared tables."""

    registry = registry(
        metadata=MetaData(schema="platform", naming_convention=NAMES), constructor=fill
    )


def derived(*, publishes: bool = False) -> dict[str, Any]:
    """``info`` of a table that can be rebuilt: written freely in a write, and not logged.

    With ``publishes``, a change of it is one that visitors see.
    """
    return {_KIND: "derived", _PUBLISHES: publishes}


def kernel_table() -> dict[str, Any]:
    """``info`` of a table that only the kernel writes: head, change log, outbox."""
    return {_KIND: "kernel"}


def is_derived(table: Table) -> bool:
    return bool(table.info.get(_KIND) == "derived")


def is_kernel(table: Table) -> bool:
    return bool(table.info.get(_KIND) == "kernel")


def publishes(table: Table) -> bool:
    return bool(table.info.get(_PUBLISHES))


class Tables(Protocol):
    """Tables, each after those that it points to: those of a ``MetaData``, or of several."""

    @property
    def sorted_tables(self) -> list[Table]: ...


def logged_tables(metadata: Tables) -> dict[str, Table]:
    """The tables whose changes the log records, by name, in the order of their dependencies."""
    return {
        table.name: table
        for table in metadata.sorted_tables
        if not is_derived(table) and not is_kernel(table)
    }


@dataclass(frozen=True, slots=True)
class TenantSchema:
    """What a tenant's database consists of: its tables, and the migrations that lead there."""

    metadata: Tables
    history: History


@dataclass(frozen=True, slots=True)
class TenantTables:
    """The tables that a plugin has in the database of every tenant.

    Attributes:
        base: that its classes are derived from, with :func:`tenant_metadata`.
        migrations: the folder of the migrations that make them.
    """

    base: type[DeclarativeBase]
    migrations: Path


def metadata_faults(metadata: MetaData, *bases: type[DeclarativeBase]) -> Iterator[str]:
    """Every breach of the rules of tables, in words; nothing when they are kept.

    The rules keep a change log complete: what the database or a relationship does by itself, the
    log cannot see.

    Args:
        bases: whose classes the tables are mapped to; by default the two of this module.
    """
    mappers = [
        mapper
        for base in bases or (TenantBase, PlatformBase)
        for mapper in base.registry.mappers
        if base.metadata is metadata
    ]
    for mapper in mappers:
        yield from _mapper_faults(mapper)
    mapped = {mapper.local_table for mapper in mappers}
    for table in metadata.sorted_tables:
        if not table.primary_key.columns:
            yield f"{table.name} has no primary key"
        if not table.dialect_options["sqlite"]["strict"]:
            yield f"{table.name} is not STRICT"
        if table not in mapped and not is_derived(table) and not is_kernel(table):
            yield f"{table.name} is not mapped to a class, so its changes would not be logged"
        for column in table.columns:
            yield from _column_faults(table, column)
        for key in table.foreign_keys:
            if key.ondelete or key.onupdate:
                yield f"{table.name}.{key.parent.name} cascades in the database"


def _mapper_faults(mapper: Mapper[Any]) -> Iterator[str]:
    name = mapper.class_.__name__
    if mapper.inherits is not None:
        parent = mapper.inherits.class_.__name__
        yield f"{name} inherits from {parent}; a logged row is one class's, in one table"
        return
    for column in mapper.local_table.columns:
        if not mapper.columns.contains_column(column):
            yield f"{name} leaves out the column {column.name}"
    for relationship in mapper.relationships:
        if relationship.secondary is not None and not relationship.viewonly:
            yield (
                f"{name}.{relationship.key} writes rows of {relationship.secondary} past their "
                f"class; make it viewonly"
            )


def _column_faults(table: Table, column: Column[Any]) -> Iterator[str]:
    where = f"{table.name}.{column.name}"
    if not isinstance(column.type, MosaicType):
        yield f"{where} has the type {column.type!r}, which is not one of mosaic_core.types"
    if column is table.autoincrement_column:
        yield f"{where} is numbered by the database; say autoincrement=False"
    if column.computed is not None or column.identity is not None:
        yield f"{where} is computed by the database"
    elif column.server_default is not None or column.server_onupdate is not None:
        yield f"{where} is filled in by the database"
    for default in (column.default, column.onupdate):
        if default is not None and default.is_clause_element:
            yield f"{where} has an SQL expression as its default"
