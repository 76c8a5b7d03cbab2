"""What was acknowledged is on the disk, also where the power goes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mosaic_core.directory import PlatformFile
from mosaic_core.head import Write
from mosaic_core.platform import platform_history
from tests.core.head.toys import Toys, opened, toy_tenant

#: A commit is on the disk before it returns; nothing is written into the database but by its log.
FULL, WRITE_AHEAD = 2, "wal"


async def told(session: AsyncSession) -> dict[str, Any]:
    """What the connection of a session says of itself, whoever made it."""

    def ask(inner: Session) -> dict[str, Any]:
        driver: Any = inner.connection().connection.dbapi_connection
        names = ("synchronous", "journal_mode", "foreign_keys")
        return {name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    return await session.run_sync(ask)


def test_a_write_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)

            async def fn(write: Write) -> dict[str, Any]:
                return await told(write.session)

            for _ in range(2):  # the connection is kept for the second
                assert await toys.write(fn) == {
                    "synchronous": FULL,
                    "journal_mode": WRITE_AHEAD,
                    "foreign_keys": 1,
                }

    asyncio.run(main())


def test_so_is_one_to_the_platform_database(tmp_path: Path) -> None:
    async def main() -> None:
        database = PlatformFile(tmp_path / "platform.db", platform_history())
        try:
            await database.migrate()
            async with database.exclusive() as session:
                assert await told(session) == {
                    "synchronous": FULL,
                    "journal_mode": WRITE_AHEAD,
                    "foreign_keys": 1,
                }
        finally:
            await database.close()

    asyncio.run(main())


def test_a_new_tenant_s_file_has_its_name_once_it_is_on_the_disk_and_then_so_is_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        sync(descriptor)
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        done.append(f"{name.removeprefix(toy_tenant().tenant_id)} is on the disk")

    def renamed(old: Path, new: Path) -> None:
        rename(old, new)
        done.append(f"{old.suffix} is {new.suffix}")

    async def main() -> None:
        async with opened(tmp_path) as files:
            monkeypatch.setattr(os, "fsync", synced)
            monkeypatch.setattr(os, "rename", renamed)
            await files.provision(toy_tenant())
        assert done == [".new is on the disk", ".new is .db", "tenants is on the disk"]

    asyncio.run(main())
