"""The rows of an older bundle, brought to this code's revision before they go anywhere.

They are put into a SQLite file of their own, at the revision that they were written at, and that
file is migrated as a tenant's is: the same migrations, and the same entries in the change log. It
is gone when the import is over.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Connection, Table, create_engine, insert, select
from sqlalchemy.pool import StaticPool

from mosaic_core.bundle.checking import NO_ROW, values_of
from mosaic_core.bundle.form import MANIFEST, HeadFacts, Manifest
from mosaic_core.bundle.reading import damaged
from mosaic_core.database import TenantSchema, is_derived, sqlite
from mosaic_core.database.compatibility import tables_at
from mosaic_core.database.ordering import ROWS, ordered, streamed
from mosaic_core.database.schema import is_kernel, logged_tables
from mosaic_core.errors import BundleNewer
from mosaic_core.file_databases import FileDatabases
from mosaic_core.head.tables import TENANT, first_head
from mosaic_core.tenants import TenantContext


class Past:
    """A file at an older revision that takes a bundle's rows.

    Args:
        tables: as the file has them.
    """

    def __init__(self, connection: Connection, tables: Mapping[str, Table]) -> None:
        self._connection = connection
        self._tables = tables

    def put(self, part: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Puts the rows of a part into the table of this name.

        Raises:
            BundleDamaged: naming the part; a row does not fit.
        """
        table = self._tables[name]
        try:
            values = [values_of(table, row) for row in rows]
        except NO_ROW as error:
            raise damaged(part, f"a row does not fit its table ({error!r})") from error
        with sqlite.translating(part):
            self._connection.execute(insert(table), values)

    def end(self, tenant: TenantContext, facts: HeadFacts) -> None:
        """Gives it the head that the rows belong to."""
        values = first_head(tenant.tenant_id, tenant.epoch) | {
            "version": facts.version,
            "published": facts.published,
            "digest": bytes.fromhex(facts.digest),
            "base_version": facts.base_version,
        }
        self._connection.execute(insert(self._tables[TENANT.head.name]), [values])
        self._connection.commit()


class Present:
    """The same file at this code's revision."""

    def __init__(self, files: FileDatabases, tenant: TenantContext, schema: TenantSchema) -> None:
        self._files = files
        self._tenant = tenant
        self._schema = schema

    async def head(self) -> dict[str, Any]:
        """The head row, which is one write further on."""
        async with self._files.session(self._tenant) as session:
            return dict((await session.execute(select(TENANT.head))).mappings().one())

    async def rows(self) -> AsyncIterator[tuple[Table, list[dict[str, Any]]]]:
        """All that a bundle has, some rows of a table at a time, each after those it points to."""
        tables = logged_tables(self._schema.metadata)
        async with self._files.session(self._tenant) as session:
            for table in (*tables.values(), TENANT.changes):
                some: list[dict[str, Any]] = []
                async for row in streamed(session, ordered(table)):
                    some.append(dict(row))
                    if len(some) == ROWS:
                        yield table, some
                        some = []
                if some:
                    yield table, some


@asynccontextmanager
async def past(
    folder: Path, schema: TenantSchema, tenant: TenantContext, manifest: Manifest
) -> AsyncIterator[Past]:
    """Makes the file, in a folder that nobody else uses.

    Raises:
        BundleDamaged: no database has the bundle's revision.
        BundleNewer: the bundle has tables that there were not at its revision.
    """
    try:
        made = await asyncio.to_thread(_made, folder, schema, tenant, manifest.revision)
    except CommandError as error:
        raise damaged(MANIFEST, f"no database has its revision ({error})") from error
    connection, tables = made
    try:
        now = {table.name: table for table in schema.metadata.sorted_tables}
        for name in manifest.tables:
            table = now.get(name)
            if name not in tables or (
                table is not None and (is_kernel(table) or is_derived(table))
            ):
                raise BundleNewer(f"The bundle has a table that is not known here: {name!r}.")
        yield Past(connection, tables)
    finally:
        await asyncio.to_thread(connection.close)
        connection.engine.dispose()


@asynccontextmanager
async def present(
    folder: Path, schema: TenantSchema, tenant: TenantContext
) -> AsyncIterator[Present]:
    """Migrates the file that :func:`past` made, and reads it."""
    files = await FileDatabases.open(folder, _OneFile(), schema, {}, templates=folder)
    try:
        await files.migrate(tenant)
        yield Present(files, tenant, schema)
    finally:
        await files.close()


def clear(folder: Path) -> None:
    """Removes the file, and what a killed process left of one."""
    shutil.rmtree(folder, ignore_errors=True)


class _OneFile:
    """The name of the one file in a folder (:class:`mosaic_core.file_databases.Names`)."""

    def of(self, tenant: TenantContext) -> str:
        return tenant.tenant_id

    def home(self, name: str) -> TenantContext | None:
        return TenantContext(name, name, name, "")


def _made(
    folder: Path, schema: TenantSchema, tenant: TenantContext, revision: str
) -> tuple[Connection, dict[str, Table]]:
    """An empty database at a revision, in a transaction."""
    clear(folder)
    folder.mkdir(parents=True, mode=0o700)  # the bundle may be encrypted, and this is not
    path = folder / f"{tenant.tenant_id}.db"

    def connect() -> sqlite3.Connection:
        # One part after the other, each in some thread. If this is lost, it is made again.
        opened = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        opened.execute("PRAGMA synchronous = OFF")
        return opened

    engine = create_engine(
        "sqlite://",
        poolclass=StaticPool,
        creator=connect,
        hide_parameters=True,
        execution_options={"schema_translate_map": {"tenant": None}},
    )
    sqlite.explicit_transactions(engine)
    connection = engine.connect()
    try:
        return connection, tables_at(schema.history, connection, revision)
    except BaseException:
        connection.close()
        raise
