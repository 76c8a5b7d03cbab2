"""What SQLite makes of tables that are declared, and of those that migrations made."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.schema import BLANK_SCHEMA

from mosaic_core.database import Tables
from mosaic_core.database.migrations import NAMES


def differences(
    tables: Tables, engine: Engine, *, others: frozenset[str] = frozenset()
) -> list[Any]:
    """What is different between tables as they are declared and as a database has them: names,
    types, keys, constraints, and that they are STRICT.

    Args:
        others: tables of the database that are not looked at.
    """
    plain = MetaData(naming_convention=NAMES)
    for table in tables.sorted_tables:
        bare: Any = None  # the stubs know of no table without a schema
        table.to_metadata(plain, schema=bare, referred_schema_fn=_nowhere)

    def looked_at(one: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or name not in others

    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": looked_at,
    }
    with engine.connect() as connection:
        found = list(compare_metadata(MigrationContext.configure(connection, opts=options), plain))
    declared = create_engine("sqlite://")
    plain.create_all(declared)
    wanted, there = _known(declared), _known(engine)
    declared.dispose()
    for name in sorted(wanted.keys() | there.keys() - others):
        if wanted.get(name) != there.get(name):
            found.append((name, wanted.get(name), there.get(name)))
    return found


def _nowhere(*_: Any) -> Any:
    return BLANK_SCHEMA


def _known(engine: Engine) -> dict[str, Any]:
    """All that SQLite knows of each table, in an order that does not matter."""
    known: dict[str, Any] = {}
    with engine.connect() as connection:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return sorted(tuple(row) for row in connection.exec_driver_sql(sql))

        for _, name, kind, _, _, strict in ask("PRAGMA table_list"):
            if kind != "table" or name.startswith("sqlite_") or name == "alembic_version":
                continue
            uniques = []
            for _, index, unique, origin, partial in ask(f"PRAGMA index_list({name})"):
                columns = [row[2] for row in ask(f"PRAGMA index_info({index})")]
                label = index if origin == "c" else ""
                uniques.append((label, unique, origin, partial, columns))
            known[name] = {
                "strict": strict,
                "columns": sorted(row[1:] for row in ask(f"PRAGMA table_info({name})")),
                "keys": sorted(row[2:] for row in ask(f"PRAGMA foreign_key_list({name})")),
                "indexes": sorted(uniques),
            }
    return known
