"""What is sent to SQL Server, compiled here and looked at: there is none to send it to."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Select, Table, UniqueConstraint
from sqlalchemy.dialects.mssql.aioodbc import dialect

import mosaic_cms
from mosaic_cms.product import tenant_schema
from mosaic_core import types
from mosaic_core.database import TenantSchema
from mosaic_core.database.migrations import NAMES
from mosaic_core.database.mssql import creation
from mosaic_core.database.prepared import Prepared
from mosaic_core.head import TENANT
from mosaic_core.moves.rows import _among
from mosaic_core.server_databases.backend import Transaction
from mosaic_core.server_databases.mssql import catalog
from mosaic_core.server_databases.mssql.backend import SQLServer
from mosaic_core.server_databases.mssql.making import Making
from mosaic_core.server_databases.mssql.search_index import DROP, Index
from mosaic_core.server_databases.naming import MARK
from mosaic_core.server_databases.tables import tables_of
from mosaic_core.testing.tables import SHELF_AT, toy_schema
from mosaic_core.types import new_id

_DIALECT = dialect(paramstyle="qmark")
_COLLATED = f"COLLATE {types.MSSQL_BINARY}"
#: What other servers that speak T-SQL do not have, and types that lose something.
_NEVER = re.compile(
    r"\b(MERGE|SYNONYM|TRANSFER|NTEXT|TEXT|IMAGE|DATETIME|FLOAT|UNIQUEIDENTIFIER|CASCADE)\b"
)


def _statements(schema: TenantSchema) -> list[str]:
    return Making(schema, _DIALECT).script.split(";\n")


@pytest.mark.parametrize("schema", [toy_schema(), tenant_schema()], ids=["toys", "product"])
def test_a_home_is_made_of_every_table_in_its_schema_and_stamped_with_the_revision(
    schema: TenantSchema,
) -> None:
    statements = _statements(schema)
    made = [one for one in statements if one.lstrip().startswith("CREATE TABLE")]
    assert len(made) == len(tables_of(schema)) + 1
    for statement in statements:
        assert not _NEVER.search(statement), statement
        assert "NOCOUNT" not in statement, "the connection would remember it, and count nothing"
        assert re.search(rf'[\["]{MARK}["\]]\.', statement), statement
    for statement in made:
        for line in statement.splitlines():
            assert ("VARCHAR" not in line) or _COLLATED in line, line
    assert f"N'{schema.history.current.split(',')[0]}'" in statements[-1]


def test_columns_keep_what_they_take() -> None:
    """In halves of surrogate pairs, in bytes that sort as elsewhere, and to the microsecond."""
    toys = next(one for one in _statements(toy_schema()) if ".toys" in one)
    for column in (
        f"name NVARCHAR(400) {_COLLATED} NOT NULL",
        "id VARBINARY(16) NOT NULL",
        "price NUMERIC(12, 2) NOT NULL",
        "count BIGINT NOT NULL",
        "sold BIT NOT NULL",
        "made_at DATETIME2(6) NOT NULL",
        f"facts NVARCHAR(max) {_COLLATED} NOT NULL",
        "picture VARBINARY(max) NOT NULL",
    ):
        assert column in toys


def test_an_id_is_kept_in_bytes_that_sort_by_time() -> None:
    one, other = new_id(), new_id()
    kept = [types.Uuid().process_bind_param(each, _DIALECT) for each in (one, other)]
    assert kept == sorted(kept)
    assert types.Uuid().process_result_value(kept[0], _DIALECT) == one
    assert types.Exact(6, 2).process_bind_param(Decimal("1.5"), _DIALECT) == Decimal("1.50")


def test_two_rows_without_a_value_are_no_conflict() -> None:
    pages = [one for one in _statements(tenant_schema()) if re.search(r"\]\.pages\b", one)]
    index = next(one for one in pages if "uq_pages_site_id_source" in one)
    assert index.startswith("CREATE UNIQUE INDEX uq_pages_site_id_source")
    assert index.endswith('WHERE "source" IS NOT NULL')
    assert "CONSTRAINT uq_pages_site_id_path UNIQUE" in pages[0]


def test_every_key_has_the_name_by_which_a_migration_finds_it() -> None:
    for statement in _statements(tenant_schema()):
        if statement.lstrip().startswith("CREATE TABLE"):
            for line in statement.splitlines():
                assert not line.strip().startswith(("UNIQUE", "PRIMARY", "FOREIGN")), line


def test_a_long_key_is_not_the_order_of_the_rows() -> None:
    metadata = MetaData(schema="tenant", naming_convention=NAMES)
    for name, length in (("short", 200), ("long", 300)):
        Table(name, metadata, Column("key", types.Text(length), primary_key=True))
    short, long = creation([metadata.tables["tenant.short"], metadata.tables["tenant.long"]], "t",
                           _DIALECT)  # fmt: skip
    assert "PRIMARY KEY ([key])" in short
    assert "PRIMARY KEY NONCLUSTERED ([key])" in long
    assert metadata.tables["tenant.long"].primary_key.dialect_options["mssql"]["clustered"] is None


def test_no_index_of_a_tenant_s_is_on_a_column_that_none_can_be_on() -> None:
    for table in tables_of(tenant_schema()):
        keys = [table.primary_key, *table.indexes]
        keys += [one for one in table.constraints if isinstance(one, UniqueConstraint)]
        for key in keys:
            for column in key.columns:
                kept = column.type.dialect_impl(_DIALECT).compile(dialect=_DIALECT)
                assert "max" not in kept, f"{table.name}.{column.name}"


def test_the_head_is_moved_and_read_in_one_statement() -> None:
    moved = str(TENANT.move.construct.compile(dialect=_DIALECT))
    assert moved.startswith("UPDATE tenant.head SET version=")
    assert "OUTPUT inserted.version, inserted.published, inserted.status" in moved


def _queries() -> Iterator[tuple[str, Select[Any]]]:
    """The constant queries of the product, which visitors’ reads are made of."""
    for module in pkgutil.walk_packages(mosaic_cms.__path__, "mosaic_cms."):
        if module.name.startswith(("mosaic_cms.web.", "mosaic_cms.operations.", "mosaic_cms.api.")):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, Select):
                    yield f"{module.name}.{name}", value


def test_visitors_reads_are_compiled_with_their_parameters_in_order() -> None:
    found = dict(_queries())
    assert len(found) > 5
    for name, query in found.items():
        prepared = Prepared.compile(query, _DIALECT, MARK)
        assert prepared.sql.count("?") == len(prepared.names), name
        assert f"[{MARK}]." in prepared.sql, name
        assert "POSTCOMPILE" not in prepared.sql, name
    shelf = Prepared.compile(SHELF_AT, _DIALECT, MARK)
    assert shelf.values({"path": "a"}) == ["a"]


def test_a_reader_sees_a_snapshot_and_a_writer_takes_its_turn_at_the_head() -> None:
    server = SQLServer()
    (reads,) = server.beginning(Transaction(reads=True))
    assert reads.startswith("SET TRANSACTION ISOLATION LEVEL SNAPSHOT;")
    writes, turn = server.beginning(Transaction(alone="tenant_x_1"))
    assert writes.startswith("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;")
    assert turn == 'UPDATE "tenant_x_1".head SET status = status'
    assert server.ending(Transaction(alone="tenant_x_1")) == []


def test_foreign_keys_that_wait_are_looked_at_at_the_end() -> None:
    name, tables = "tenant_x_1", ("pages", "sites")
    waiting = Transaction(alone=name, deferred=name, tables=tables)
    assert SQLServer().beginning(waiting)[-2:] == [
        f'ALTER TABLE "tenant_x_1"."{table}" NOCHECK CONSTRAINT ALL' for table in tables
    ]
    assert SQLServer().ending(waiting) == [
        f'ALTER TABLE "tenant_x_1"."{table}" WITH CHECK CHECK CONSTRAINT ALL' for table in tables
    ]


def test_a_stamp_is_a_value_and_no_statement() -> None:
    assert catalog.stamping("it's; DROP", "tenant_x_1").endswith(
        "@value = N'it''s; DROP', @level0type = N'SCHEMA', @level0name = N'tenant_x_1'"
    )


def test_an_index_is_made_in_place_of_another_whose_definition_it_says() -> None:
    index = Index.of(toy_schema().metadata, _DIALECT)
    other = Index.of(tenant_schema().metadata, _DIALECT)
    assert index is not None
    assert other is not None
    assert index.definition != other.definition
    fresh = index.fresh("tenant_x_1")
    assert fresh[: len(DROP)] == [one.replace(MARK, "tenant_x_1") for one in DROP]
    assert not any(MARK in statement for statement in fresh)
    assert f"N'{index.definition}'" in fresh[-1]
    (trigger,) = [one for one in fresh if one.startswith("CREATE TRIGGER")]
    for name in ("id", "language", "room", "title", "summary", "text"):
        assert f'UPDATE("{name}")' in trigger
    assert 'SELECT "id", "language" FROM inserted UNION' in trigger


def test_rows_of_a_move_are_named_column_by_column() -> None:
    table = toy_schema().metadata.tables["tenant.leaflets"]
    keys = [(new_id(), "en"), (new_id(), "de")]
    named = str(_among(table, keys).compile(dialect=_DIALECT))
    one = "tenant.leaflets.id = ? AND tenant.leaflets.language = ?"
    assert named == f"{one} OR {one}"
