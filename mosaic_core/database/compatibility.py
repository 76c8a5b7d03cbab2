"""Whether older code can go on with a database after a migration.

The migrations are run on an empty database, and what each does to the tables is compared: whatever
older code reads has to be there still, and whatever it writes has to be taken still. What they make
of rows, nobody can tell without rows; only that some are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic.ddl.base import AddColumn, AlterColumn, ColumnName, ColumnType, DropColumn, RenameTable
from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    Connection,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    Table,
    TableClause,
    TextClause,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, DropTable
from sqlalchemy.sql import Delete

from mosaic_core.database.migrations import History
from mosaic_core.database.revisions import Revision

_OWN = "alembic_version"


@dataclass(slots=True)
class _Shape:
    """What code may rely on in a table, and what rows have to be like."""

    columns: dict[str, Column[Any]] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    #: What no row may break, in words.
    rules: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, table: Table) -> _Shape:
        shape = cls({c.name: c for c in table.columns})
        shape.key = tuple(c.name for c in table.primary_key.columns)
        own = [constraint for c in table.columns for constraint in c.constraints]
        for constraint in [*table.constraints, *own]:
            shape.add(constraint)
        return shape

    def copy(self) -> _Shape:
        return _Shape(dict(self.columns), self.key, set(self.rules))

    def add(self, constraint: Constraint) -> None:
        if isinstance(constraint, UniqueConstraint):
            self.unique([c.name for c in constraint.columns])
        elif isinstance(constraint, ForeignKeyConstraint):
            targets = ", ".join(element.target_fullname for element in constraint.elements)
            columns = ", ".join(constraint.column_keys)
            self.rules.add(f"({columns}) has to be in {targets}")
        elif isinstance(constraint, CheckConstraint):
            self.rules.add(f"has to keep {constraint.sqltext}")

    def unique(self, columns: list[str]) -> None:
        self.rules.add(f"({', '.join(columns)}) has to differ from row to row")


class _Watch:
    """Follows what the statements of migrations do to tables."""

    def __init__(self) -> None:
        self.tables: dict[str, _Shape] = {}
        self.odd: list[str] = []

    def __call__(self, connection: Any, element: Any, *args: Any) -> None:
        """Takes a statement before it runs."""
        match element:
            case CreateTable(element=table) if table.name != _OWN:
                self.tables[table.name] = _Shape.of(table)
            case DropTable(element=table):
                self.tables.pop(table.name, None)
            case RenameTable():
                self.tables[element.new_table_name] = self.tables.pop(element.table_name)
            case AddColumn():
                self.tables[element.table_name].columns[element.column.name] = element.column
            case DropColumn():
                self.tables[element.table_name].columns.pop(element.column.name)
            case AlterColumn():
                self._alter(element)
            case AddConstraint(element=constraint):
                self.tables[constraint.table.name].add(constraint)
            case CreateIndex(element=index) if index.unique and index.table is not None:
                self.tables[index.table.name].unique([c.name for c in index.columns])
            case Delete(table=TableClause(name=name)) if name in self.tables:
                self.odd.append(f"deletes rows of {name}")
            case TextClause() | DDL():
                self._text(str(element))

    def _alter(self, element: AlterColumn) -> None:
        self.odd.append(f"alters {element.table_name}.{element.column_name}")

    def driver(
        self, connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool
    ) -> None:
        """Takes a statement that comes to the driver: one that nothing was made into is text. What
        reads is not looked at; the inspector asks so."""
        reads = statement.lstrip().upper().startswith(("SELECT", "PRAGMA"))
        if context.compiled is None and not reads:
            self._text(statement)

    def _text(self, statement: str) -> None:
        told = f"runs SQL text, of which nothing is known: {statement[:60]!r}"
        if told not in self.odd:
            self.odd.append(told)


class _Follow(_Watch):
    """Follows also what no older code can live with."""

    def _alter(self, element: AlterColumn) -> None:
        columns = self.tables[element.table_name].columns
        old = columns.pop(element.column_name)
        name = element.newname if isinstance(element, ColumnName) else old.name
        kind = element.type_ if isinstance(element, ColumnType) else old.type
        columns[name] = Column(name, kind, primary_key=old.primary_key, nullable=old.nullable)


def tables_at(history: History, connection: Connection, revision: str) -> dict[str, Table]:
    """Brings an empty database to a revision; returns the tables that there are then, by
    name: their columns, without what rows have to keep."""
    watch, metadata = _Follow(), MetaData(schema=history.schema)
    event.listen(connection, "before_execute", watch)
    try:
        history.run(connection, to=revision)
    finally:
        event.remove(connection, "before_execute", watch)
    return {
        name: Table(
            name,
            metadata,
            *(Column(c.name, c.type, primary_key=c.primary_key) for c in shape.columns.values()),
        )
        for name, shape in watch.tables.items()
    }


def incompatibilities(history: History) -> Iterator[str]:
    """Every migration that says nothing of its phase, or what is not so; nothing when all is well.

    A migration of the expand phase leaves a database that code without it can serve.
    """
    watch, before = _Watch(), dict[str, _Shape]()
    found: list[str] = []

    def ran(migration: Revision) -> None:
        nonlocal before
        found.extend(f"{migration.revision} {fault}" for fault in _faults(history, migration))
        if migration.phase == "expand":
            changes = [*watch.odd, *_changes(before, watch.tables)]
            found.extend(
                f"{migration.revision} {change}: older code cannot go on; "
                f'say phase = "contract", and what is the oldest that can'
                for change in changes
            )
        before, watch.odd = {name: shape.copy() for name, shape in watch.tables.items()}, []

    engine = create_engine(
        "sqlite://", execution_options={"schema_translate_map": {history.schema: None}}
    )
    event.listen(engine, "before_execute", watch)
    event.listen(engine, "before_cursor_execute", watch.driver)
    with engine.connect() as connection:
        history.run(connection, ran)
    engine.dispose()
    yield from found


def _faults(history: History, migration: Revision) -> Iterator[str]:
    phase, needs = migration.phase, migration.needs
    if phase not in ("expand", "contract"):
        yield 'says no phase: "expand" when older code can go on, else "contract"'
    elif phase == "contract" and needs not in history.applied:
        yield f"needs {needs!r}, which is no migration; say the oldest that code has to know"
    elif phase == "expand" and needs is not None:
        yield "is of the expand phase, which needs nothing"


def _changes(before: dict[str, _Shape], after: dict[str, _Shape]) -> Iterator[str]:
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield f"drops or renames {name}"
            continue
        for column in old.columns.values():
            yield from _change(name, column, new.columns.get(column.name))
        for column_name in new.columns.keys() - old.columns.keys():
            column = new.columns[column_name]
            if not column.nullable and column.server_default is None:
                yield f"adds {name}.{column_name}, which older code gives no value"
        if new.key != old.key:
            yield f"changes the key of {name}"
        for rule in sorted(new.rules - old.rules):
            yield f"has a new rule for {name}: {rule}"


def _change(table: str, old: Column[Any], new: Column[Any] | None) -> Iterator[str]:
    if new is None:
        yield f"drops or renames {table}.{old.name}"
        return
    if repr(new.type) != repr(old.type):
        yield f"makes {table}.{old.name} a {new.type!r}, which was a {old.type!r}"
    if old.nullable and not new.nullable:
        yield f"wants a value in each {table}.{old.name}"
