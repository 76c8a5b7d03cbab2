"""What SQL Server's catalogs say of homes, and of the database for them."""

# ruff: noqa: S608 - what is put into SQL are names, quoted
from __future__ import annotations

from collections.abc import Iterable

from mosaic_core.database.mssql import literal, quoted
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Statements

#: The extended property that says whose a schema is, and of which definition an index.
PROPERTY = "MOSAIC"
#: What a database does for readers: they wait for writers without the first, and cannot begin
#: without the second.
SETTINGS = ("READ_COMMITTED_SNAPSHOT", "ALLOW_SNAPSHOT_ISOLATION")
_EXISTS = "SELECT COUNT(*) FROM sys.schemas WHERE name = ?"
_SCHEMAS = f"""
    SELECT s.name, CAST(p.value AS nvarchar(400))
      FROM sys.schemas s LEFT JOIN sys.extended_properties p
        ON p.class = 3 AND p.major_id = s.schema_id AND p.name = N'{PROPERTY}'
     WHERE LEFT(s.name, LEN(?)) = ? ORDER BY s.name
"""
_TABLES = """
    SELECT t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id
     WHERE s.name = ? ORDER BY t.name
"""
_FOREIGN_KEYS = """
    SELECT t.name, k.name FROM sys.foreign_keys k
      JOIN sys.tables t ON t.object_id = k.parent_object_id
      JOIN sys.schemas s ON s.schema_id = t.schema_id
     WHERE s.name = ? ORDER BY t.name, k.name
"""
#: Pages are of 8 KB. A container of rows is known by its partition, in either way.
_SIZE = """
    SELECT COALESCE(SUM(a.used_pages), 0) * 8192
      FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id
      JOIN sys.partitions p ON p.object_id = t.object_id
      JOIN sys.allocation_units a
        ON a.container_id = CASE a.type WHEN 2 THEN p.partition_id ELSE p.hobt_id END
     WHERE s.name = ?
"""
_HAS_PAGES = "SELECT OBJECT_ID(N'sys.allocation_units')"
_COLUMNS = """
    SELECT c.TABLE_NAME, c.COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS c
      JOIN INFORMATION_SCHEMA.TABLES t
        ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
     WHERE c.TABLE_SCHEMA = ? AND t.TABLE_TYPE = 'BASE TABLE'
     ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
_UNTRUSTED = """
    SELECT k.name FROM sys.foreign_keys k JOIN sys.schemas s ON s.schema_id = k.schema_id
     WHERE s.name = ? AND (k.is_disabled = 1 OR k.is_not_trusted = 1)
"""
_DISABLED = """
    SELECT i.name FROM sys.indexes i JOIN sys.tables t ON t.object_id = i.object_id
      JOIN sys.schemas s ON s.schema_id = t.schema_id
     WHERE s.name = ? AND i.is_disabled = 1
"""
_SETTINGS = """
    SELECT name, is_read_committed_snapshot_on, snapshot_isolation_state
      FROM sys.databases WHERE name = DB_NAME()
"""


async def exists(driver: Statements, name: str) -> bool:
    return bool(await driver.fetchval(_EXISTS, name))


async def schemas(driver: Statements, prefix: str) -> list[tuple[str, str | None]]:
    return [(row[0], row[1]) for row in await driver.fetch(_SCHEMAS, prefix, prefix)]


async def tables(driver: Statements, name: str) -> list[str]:
    return [row[0] for row in await driver.fetch(_TABLES, name)]


async def size(driver: Statements, name: str) -> int:
    """The pages in use; where a server that speaks T-SQL has none (Babelfish), the values."""
    if await driver.fetchval(_HAS_PAGES) is not None:
        return int(await driver.fetchval(_SIZE, name))
    columns: dict[str, list[str]] = {}
    for table, column in await driver.fetch(_COLUMNS, name):
        columns.setdefault(table, []).append(
            f"COALESCE(CAST(DATALENGTH({quoted(column)}) AS bigint), 0)"
        )
    counted = [
        int(
            await driver.fetchval(f"SELECT SUM({' + '.join(lengths)}) FROM {_in(name, table)}") or 0
        )
        for table, lengths in columns.items()
    ]
    return sum(counted)


async def faults(driver: Statements, name: str) -> list[Problem]:
    """Foreign keys that were not looked at, indexes that are not used, and what the database does
    not do for readers."""
    found = []
    for (key,) in await driver.fetch(_UNTRUSTED, name):
        mend = f"Run ALTER TABLE … WITH CHECK CHECK CONSTRAINT {quoted(key)} there"
        found.append(Problem(name, f"the foreign key {key} is not kept", mend))
    for (index,) in await driver.fetch(_DISABLED, name):
        mend = f"Run ALTER INDEX {quoted(index)} ON … REBUILD there"
        found.append(Problem(name, f"the index {index} is disabled", mend))
    for database, *states in await driver.fetch(_SETTINGS):
        found += [
            Problem(
                database,
                f"the database does not have {setting}",
                f"Run ALTER DATABASE {quoted(database)} SET {setting} ON, when nobody is connected",
            )
            for setting, is_on in zip(SETTINGS, states, strict=True)
            if not is_on
        ]
    return found


async def compacting(driver: Statements, name: str) -> list[str]:
    """The statements that write each index anew, and move long values together."""
    if await driver.fetchval(_HAS_PAGES) is None:
        return []
    return [
        f"ALTER INDEX ALL ON {_in(name, table)} {what}"
        for table in await tables(driver, name)
        for what in ("REBUILD", "REORGANIZE WITH (LOB_COMPACTION = ON)")
    ]


async def drop(driver: Statements, name: str) -> None:
    """A schema goes only when it is empty, and a table when nothing points to it."""
    if not await exists(driver, name):
        return
    for table, key in await driver.fetch(_FOREIGN_KEYS, name):
        await driver.execute(f"ALTER TABLE {_in(name, table)} DROP CONSTRAINT {quoted(key)}")
    for table in await tables(driver, name):
        await driver.execute(f"DROP TABLE {_in(name, table)}")
    await driver.execute(f"DROP SCHEMA {quoted(name)}")


def stamping(text: str, schema: str, table: str | None = None) -> str:
    """The statement that stamps a schema, or a table in it, that has no stamp."""
    told = f"@name = N'{PROPERTY}', @value = {literal(text)}, "
    told += f"@level0type = N'SCHEMA', @level0name = {literal(schema)}"
    if table is not None:
        told += f", @level1type = N'TABLE', @level1name = {literal(table)}"
    return f"EXEC sys.sp_addextendedproperty {told}"


def foreign_keys(name: str, tables: Iterable[str], what: str) -> list[str]:
    """Says the same of the foreign keys of a home's tables.

    Args:
        what: as it stands before ``CONSTRAINT ALL``.
    """
    return [f"ALTER TABLE {_in(name, table)} {what} CONSTRAINT ALL" for table in tables]


def _in(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"
