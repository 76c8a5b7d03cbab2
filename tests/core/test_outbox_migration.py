"""What waited in an outbox, and what was hinted at, is still there after the migration."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, NullPool, Table, create_engine, select
from sqlalchemy.exc import DBAPIError

from mosaic_core import types
from mosaic_core.database import History
from mosaic_core.directory import HintRow, open_directory
from mosaic_core.head import TENANT
from mosaic_core.head.guard import migrating
from mosaic_core.platform import TENANT_MIGRATIONS, platform_history
from tests.platforms import Place

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
PLATFORM_MIGRATIONS = TENANT_MIGRATIONS.with_name("platform")


def older(folder: Path, migrations: Path, *names: str) -> list[Path]:
    """A folder with the first of some migrations."""
    folder.mkdir()
    for name in names:
        shutil.copy(migrations / f"{name}.py", folder)
    return [folder]


def test_a_tenant_s_message_is_due_since_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tenant.db"
    engine = create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(path),
        execution_options={"schema_translate_map": {"tenant": None}},
    )
    old = History("tenant", older(tmp_path / "old", TENANT_MIGRATIONS, "k0001_kernel"))
    with engine.connect() as connection:
        assert old.upgrade(connection, "it") == "k0001"
        connection.execute(
            TENANT.outbox.insert().values(
                id=uuid.UUID(int=7), at=AT, topic="mail.send", payload={}, attempts=0, error=""
            )
        )
        connection.commit()
    with engine.connect() as connection:
        assert History("tenant", [TENANT_MIGRATIONS]).upgrade(connection, "it") >= "k0002"
        connection.commit()
    with engine.connect() as connection:
        outbox = TENANT.outbox.c
        assert connection.execute(select(outbox.id, outbox.at, outbox.due)).all() == [
            (uuid.UUID(int=7), AT, AT)
        ]
    engine.dispose()


def test_the_platform_s_hints_are_about_all_that_they_can_have_meant(
    place: Place, tmp_path: Path
) -> None:
    names = ("p0001_first", "p0002_due")
    old = History("platform", older(tmp_path / "old", PLATFORM_MIGRATIONS, *names))

    async def main() -> list[tuple[str, str, datetime]]:
        before = place.database(old)
        assert await before.migrate() == "p0002"
        hint = Table(
            "hints",
            MetaData(schema="platform"),
            Column("tenant_id", types.Text(64)),
            Column("due", types.UTCDateTime()),
        )
        async with before._connected() as connection:
            await connection.execution_options(**migrating())
            with pytest.raises(DBAPIError):  # there is no such column yet
                await connection.execute(select(HintRow.topic))
            await connection.rollback()
            await connection.execute(hint.insert().values(tenant_id="one", due=AT))
            await connection.commit()
        await before.close()
        database = place.database()
        assert await database.migrate() == platform_history().current
        async with open_directory(database, "localhost", 0.5), database.session() as session:
            hints = select(HintRow.tenant_id, HintRow.topic, HintRow.due).order_by(HintRow.topic)
            found = [(one, topic, due) for one, topic, due in await session.execute(hints)]
        await database.close()
        return found

    assert asyncio.run(main()) == [
        ("one", "mail.send", AT),
        ("one", "projection.render", AT),
    ]
