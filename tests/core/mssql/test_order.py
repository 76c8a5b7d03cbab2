"""In which order SQL Server is told things: how a transaction reads first, and the turn after it.

The clients are the real ones; the connection answers by heart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import select

from mosaic_core.head import TENANT, Write, Writer
from mosaic_core.server_databases import Home, ServerDatabase, backend_of
from mosaic_core.server_databases.tables import tables_of
from mosaic_core.testing.persistence.tools import first
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import put_toy, toy_schema
from tests.core.mssql.scripted import Scripted
from tests.mssql import no_token

_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT;"
Doing = Callable[[ServerDatabase, Home], Awaitable[None]]


def _sent(monkeypatch: pytest.MonkeyPatch, doing: Doing) -> list[str]:
    """What a home's database is sent, but for what a new connection and a proof take."""
    reason = "no SQL Server: its client does not load"
    pytest.importorskip("pyodbc", reason=reason, exc_type=ImportError)
    tenant, schema = make_tenant(), toy_schema()
    script = Scripted(tenant, schema)
    monkeypatch.setattr("pyodbc.connect", script)

    async def main() -> list[str]:
        backend, url = backend_of("mssql://mosaic:x@db.example/site", "url", no_token)
        database = ServerDatabase(backend, url, schema, {}, connections=2, wait=5)
        home = Home(tenant, "tenant_x_1")
        try:
            await database.head(home)
            before = len(script.sent)
            await doing(database, home)
            return script.sent[before:]
        finally:
            await database.close()
            assert script.sent[-1] == "CLOSE"

    return asyncio.run(main())


def test_a_home_is_made_alone_and_committed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def doing(database: ServerDatabase, home: Home) -> None:
        await database.provision(home, await first(home.tenant, "kept"))

    begins, reads, alone, schema, tables, stamp, *rows = _sent(monkeypatch, doing)
    assert begins.startswith(_COMMITTED)
    assert reads.startswith("SELECT"), "what begins the transaction that the lock is of"
    assert "sp_getapplock" in alone
    assert schema == 'CREATE SCHEMA "tenant_x_1"'
    assert tables.count("CREATE TABLE [tenant_x_1].") == len(tables_of(toy_schema()))
    assert "sp_addextendedproperty" in stamp
    assert [row.partition(" (")[0] for row in rows] == [
        *(f"INSERT INTO tenant_x_1.{table}" for table in ("head", "shelves", "toys", "changes")),
        "COMMIT",
        "ROLLBACK",
    ]


def test_a_session_begins_with_its_snapshot_and_ends_with_nothing_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def doing(database: ServerDatabase, home: Home) -> None:
        async with database.session(home) as session:
            await session.scalar(select(TENANT.head.c.version))

    begins, reads, *ends = _sent(monkeypatch, doing)
    assert begins.startswith(_SNAPSHOT)
    assert reads == "SELECT tenant_x_1.head.version FROM tenant_x_1.head"
    assert set(ends) == {"ROLLBACK"}


def test_a_write_takes_its_turn_moves_the_head_and_commits_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def doing(database: ServerDatabase, home: Home) -> None:
        async def fn(write: Write) -> None:
            await put_toy(write, "new")

        writer = Writer(TENANT, home.tenant.tenant_id, partial(database.exclusive, home))
        await writer.write(fn, actor="tester", action="toys.add")

    begins, turn, moves, toy, log, seals, commits, *ends = _sent(monkeypatch, doing)
    assert begins.startswith(_COMMITTED)
    assert turn == 'UPDATE "tenant_x_1".head SET status = status'
    assert "OUTPUT inserted.version" in moves
    assert toy.startswith("INSERT INTO tenant_x_1.toys")
    assert log.startswith("INSERT INTO tenant_x_1.changes")
    assert seals.startswith("UPDATE tenant_x_1.head SET published=?")
    assert commits == "COMMIT"
    assert "COMMIT" not in ends


def test_a_write_that_fails_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def doing(database: ServerDatabase, home: Home) -> None:
        async def fails() -> None:
            async with database.exclusive(home) as session:
                await session.scalar(select(TENANT.head.c.version))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fails()

    sent = _sent(monkeypatch, doing)
    assert "COMMIT" not in sent
    assert sent[-1] == "ROLLBACK"


def test_what_is_in_a_schema_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def doing(database: ServerDatabase, home: Home) -> None:
        await database.drop(home)

    begins, there, _, _, schema, commits, *_ = _sent(monkeypatch, doing)
    assert begins.startswith(_COMMITTED)
    assert "COUNT(*) FROM sys.schemas" in there
    assert schema == 'DROP SCHEMA "tenant_x_1"'
    assert commits == "COMMIT"
