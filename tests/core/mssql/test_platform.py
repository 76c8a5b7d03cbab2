"""The platform's tables on SQL Server: what its migrations send there, and what its keys are of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, UniqueConstraint, create_engine
from sqlalchemy.dialects.mssql.aioodbc import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from mosaic_cms.product import platform_schema
from mosaic_core import types
from mosaic_core.database import PlatformBase
from mosaic_core.database.migrations import NAMES
from mosaic_core.database.mssql import fit
from mosaic_core.head import PLATFORM
from mosaic_core.server_databases.backend import Transaction
from mosaic_core.server_databases.mssql.backend import SQLServer

_DIALECT = dialect(paramstyle="qmark")
_SCHEMA = "mosaic_platform"
#: Bytes that the key of an index may have there, and that of the order of a table's rows.
_MOST, _MOST_CLUSTERED = 1700, 900
#: What it does not know, or what loses something.
_NEVER = re.compile(
    r"\b(NTEXT|TEXT|IMAGE|DATETIME|FLOAT|UNIQUEIDENTIFIER|CASCADE|STRICT|BOOLEAN|LIMIT|RETURNING)\b"
)


class _Cursor:
    """Notes what would be sent, and answers that nothing is there."""

    rowcount = 1
    description: list[tuple[Any, ...]] | None = None

    def __init__(self, sent: list[str]) -> None:
        self._sent = sent

    def setinputsizes(self, sizes: Any) -> None: ...

    def execute(self, statement: str, *values: Any) -> None:
        self._sent.append(statement)
        reads = statement.lstrip().startswith("SELECT") or " OUTPUT " in statement
        self.description = [("x", None, None, None, None, None, None)] if reads else None

    executemany = execute

    def fetchall(self) -> list[Any]:
        return []

    def fetchone(self) -> None:
        return None

    def close(self) -> None: ...


class _Connection:
    def __init__(self, sent: list[str]) -> None:
        self._sent = sent

    def cursor(self) -> _Cursor:
        return _Cursor(self._sent)

    def commit(self) -> None: ...

    rollback = close = commit


@pytest.fixture(scope="module")
def sent() -> list[str]:
    """The statements that make a platform's tables there."""
    statements: list[str] = []
    engine = create_engine(
        "mssql+pyodbc://",
        module=pytest.importorskip("pyodbc"),
        creator=lambda: _Connection(statements),
        _initialize=False,
        execution_options={"schema_translate_map": {"platform": _SCHEMA}},
    )
    with engine.connect() as connection:
        platform_schema().run(connection)
    return [one for one in statements if "FROM sys." not in one]


def test_every_table_is_made_in_the_schema_by_what_the_server_knows(sent: list[str]) -> None:
    made = [one for one in sent if one.lstrip().startswith("CREATE TABLE")]
    names = {re.search(rf"{_SCHEMA}\]?\.(\w+)", one)[1] for one in made}  # type: ignore[index]
    declared = {table.name for table in PlatformBase.metadata.sorted_tables}
    assert declared <= names
    assert names - declared <= {"alembic_version"}
    for statement in sent:
        assert not _NEVER.search(statement), statement
        assert _SCHEMA in statement, statement
        assert "platform." not in statement.replace(f"{_SCHEMA}.", ""), statement


def test_migrated_tables_are_those_that_are_declared(sent: list[str]) -> None:
    made = {_parts(one) for one in sent}
    options: Any = {"dialect": _DIALECT, "schema_translate_map": {"platform": _SCHEMA}}
    copies = MetaData(naming_convention=NAMES)
    for table in [one.to_metadata(copies) for one in PlatformBase.metadata.sorted_tables]:
        if table.name in {"outbox", "hints"}:  # they were made otherwise, and changed since
            continue
        fit(table)
        for one in (CreateTable(table), *map(CreateIndex, table.indexes)):
            declared = str(one.compile(**options, render_schema_translate=True))
            assert _parts(declared) in made


def _parts(statement: str) -> frozenset[str]:
    """Its lines; constraints stand in any order."""
    return frozenset(line.strip(" ,\t") for line in statement.splitlines())


def _keys(table: Table) -> Iterator[tuple[int, str, list[Column[Any]]]]:
    """For each key of an index: how many bytes it may have, its name, and its columns."""
    primary = table.primary_key
    clustered = primary.dialect_options["mssql"]["clustered"] is not False
    yield _MOST_CLUSTERED if clustered else _MOST, f"pk {table.name}", list(primary.columns)
    unique = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    for one in (*table.indexes, *unique):
        yield _MOST, f"{one.name} of {table.name}", list(one.columns)


def _bytes(column: Column[Any]) -> int:
    """Of a value; a character outside of the BMP counts twice, and no key is made of those."""
    kind = column.type
    assert not (isinstance(kind, types.Text | types.Bytes) and kind.length is None), column
    assert not isinstance(kind, types.Json), column
    if isinstance(kind, types.Text):
        return 2 * (kind.length or 0)
    return (kind.length or 0) if isinstance(kind, types.Bytes) else 16


def test_every_key_fits_into_its_index() -> None:
    copies = MetaData(naming_convention=NAMES)
    for table in [one.to_metadata(copies) for one in PlatformBase.metadata.sorted_tables]:
        fit(table)
        for most, name, columns in _keys(table):
            assert sum(map(_bytes, columns)) <= most, name


def test_writers_take_turns_at_the_head_of_the_platform() -> None:
    _, turn = SQLServer().beginning(Transaction(alone=_SCHEMA))
    assert turn == f'UPDATE "{_SCHEMA}".head SET status = status'
    moved = str(PLATFORM.move.construct.compile(dialect=_DIALECT))
    assert "OUTPUT inserted.version, inserted.published, inserted.status" in moved
