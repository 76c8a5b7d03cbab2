"""Making a home: its schema, its tables from the metadata, its revision and its first rows.

The statements are compiled once for each process. Nobody sees anything of them before the one
commit.
"""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import Dialect, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from mosaic_core.database import TenantSchema, mssql
from mosaic_core.errors import DatabaseBusy
from mosaic_core.persistence import Rows
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.mssql.catalog import stamping
from mosaic_core.server_databases.naming import MARK, stamp
from mosaic_core.server_databases.tables import tables_of
from mosaic_core.tenants import TenantContext
from mosaic_core.types import MSSQL_BINARY

#: Alembic's own table (alembic.runtime.migration), which it would make itself.
_REVISIONS = (
    f'CREATE TABLE "{MARK}".alembic_version (version_num varchar(32) COLLATE {MSSQL_BINARY} '
    "NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
#: A lock of the transaction's. A procedure begins none, but reading a catalog does.
_BEGIN = "SELECT COUNT(*) FROM sys.schemas"
_LOCK = f"""
    DECLARE @got int;
    EXEC @got = sp_getapplock @Resource = N'mosaic making', @LockMode = N'Exclusive',
        @LockOwner = N'Transaction', @LockTimeout = {mssql.LOCK_TIMEOUT * 1000};
    SELECT @got
"""


class Making:
    """Implements :class:`mosaic_core.server_databases.backend.Making`."""

    def __init__(self, schema: TenantSchema, dialect: Dialect) -> None:
        self._schema = schema
        self._dialect = dialect

    @cached_property
    def script(self) -> str:
        """What makes all tables and writes down the revision, as one text."""
        revisions = ", ".join(
            f"({mssql.literal(one)})" for one in self._schema.history.current.split(",")
        )
        applied = ", ".join(
            f"({mssql.literal(name)}, {int(required)})"
            for name, required in self._schema.history.applied.items()
        )
        statements = [
            *mssql.creation(tables_of(self._schema), MARK, self._dialect),
            _REVISIONS,
            f'INSERT INTO "{MARK}".alembic_version VALUES {revisions}',
            f'INSERT INTO "{MARK}".migrations (revision, required) VALUES {applied}',
        ]
        return ";\n".join(statements)

    async def make(
        self,
        connection: AsyncConnection,
        driver: Statements,
        name: str,
        tenant: TenantContext,
        rows: Sequence[Rows],
    ) -> None:
        await connection.begin()
        await alone(driver)
        # A statement that has to be the only one of its text.
        await driver.execute(f"CREATE SCHEMA {mssql.quoted(name)}")
        await driver.execute(self.script.replace(MARK, name))
        await driver.execute(stamping(stamp(tenant), name))
        for one in rows:
            if one.values:
                await connection.execute(insert(one.table), [dict(row) for row in one.values])


async def alone(driver: Statements) -> None:
    """One process at a time makes a schema, until the transaction ends: two may deadlock in the
    catalogs.

    Raises:
        DatabaseBusy: another one does, for long.
    """
    await driver.execute(_BEGIN)
    if await driver.fetchval(_LOCK) < 0:
        raise DatabaseBusy("Another schema is being made there.", hint="Try again.")
