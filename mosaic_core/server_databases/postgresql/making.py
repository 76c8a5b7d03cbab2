"""Making a home: its schema, its tables from the metadata, its revision and its first rows.

The statements are compiled once for each process and sent as one text. Nobody sees anything of them
before the one commit.
"""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import Dialect, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from mosaic_core.database import TenantSchema, postgresql
from mosaic_core.persistence import Rows
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.naming import MARK, stamp
from mosaic_core.server_databases.tables import tables_of
from mosaic_core.tenants import TenantContext

#: Alembic's own table (alembic.runtime.migration), which it would make itself.
_REVISIONS = (
    f'CREATE TABLE "{MARK}".alembic_version (version_num VARCHAR(32) NOT NULL, '
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


class Making:
    """Makes homes of one schema's tables, at the revision that the code needs."""

    def __init__(self, schema: TenantSchema, dialect: Dialect, *, roles: bool) -> None:
        self._schema = schema
        self._dialect = dialect
        self._roles = roles

    @cached_property
    def _script(self) -> str:
        revisions = ", ".join(
            f"({postgresql.literal(one)})" for one in self._schema.history.current.split(",")
        )
        applied = ", ".join(
            f"({postgresql.literal(name)}, {str(required).lower()})"
            for name, required in self._schema.history.applied.items()
        )
        statements = [
            f'CREATE SCHEMA "{MARK}"',
            *postgresql.creation(tables_of(self._schema), MARK, self._dialect),
            _REVISIONS,
            f'INSERT INTO "{MARK}".alembic_version VALUES {revisions}',
            f'INSERT INTO "{MARK}".migrations (revision, required) VALUES {applied}',
        ]
        if self._roles:
            statements += [f'CREATE ROLE "{MARK}" NOLOGIN', *grants(MARK)]
            statements.append(f'GRANT "{MARK}" TO CURRENT_USER')
        return ";\n".join(statements)

    async def make(
        self,
        connection: AsyncConnection,
        driver: Statements,
        name: str,
        tenant: TenantContext,
        rows: Sequence[Rows],
    ) -> None:
        """Makes a home in the connection's transaction, which the caller commits.

        Args:
            connection: whose schemas are translated, and which may change all tables.
            driver: the same one.
        """
        await connection.begin()
        if self._roles:  # roles are the whole server's, and two at a time are an error there
            await _alone(connection)
        comment = postgresql.literal(stamp(tenant))
        script = self._script.replace(MARK, name)
        # Without parameters, the driver takes many statements at once, in the transaction that
        # SQLAlchemy begins with its first own.
        await connection.exec_driver_sql("SELECT 1")
        await driver.execute(f"{script};\nCOMMENT ON SCHEMA {postgresql.quoted(name)} IS {comment}")
        for one in rows:
            if one.values:
                await connection.execute(insert(one.table), [dict(row) for row in one.values])


async def _alone(connection: AsyncConnection) -> None:
    """One process at a time, until the transaction ends."""
    await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('mosaic roles'))")


def grants(name: str) -> list[str]:
    """What lets a home's own role read and write its tables, and do nothing else."""
    quoted = postgresql.quoted(name)
    return [
        f"GRANT USAGE ON SCHEMA {quoted} TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {quoted} TO {quoted}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {quoted} TO {quoted}",
    ]


def foreign_keys(name: str, timing: str) -> str:
    """Says of all foreign keys of a home when they are looked at."""
    return f"""
        DO $$ DECLARE one record; BEGIN
          FOR one IN SELECT conrelid::regclass AS home, conname FROM pg_constraint
                      WHERE connamespace = to_regnamespace({postgresql.literal(name)})
                        AND contype = 'f'
          LOOP
            EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I {timing}', one.home, one.conname);
          END LOOP;
        END $$
    """
