"""A new tenant's file is made in memory, from a template that is kept and never changes."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.errors import (
    Conflict,
    DatabaseError,
    InvalidInput,
    MosaicError,
    QuotaExceeded,
    UnloggedWrite,
)
from mosaic_core.file_databases import disk
from mosaic_core.head import Write, first_rows
from mosaic_core.persistence import Rows
from tests.core.head.toys import Box, Shown, Thing, Toys, a_box, nothing_leaks, opened, toy_tenant

_SECRET = "nobody-else-s"


async def _rows(number: int, *boxes: Box, shown: str = "") -> list[Rows]:
    async def fn(write: Write) -> None:
        write.session.add_all(boxes)
        if shown:
            write.session.add(Shown(path="/", text=shown))

    return await first_rows(toy_tenant(number), fn, actor="tester", action="first")


def test_a_first_write_is_logged_as_any_other_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            made, written = Toys(files, toy_tenant(1)), Toys(files, toy_tenant(2))
            await files.provision(made.tenant, await _rows(1, a_box("b"), a_box("a"), shown="x"))
            await files.provision(written.tenant)

            async def fn(write: Write) -> None:
                write.session.add_all([a_box("b"), a_box("a"), Shown(path="/", text="x")])

            await written.write(fn)
            assert await made.content() == await written.content()
            assert await made.whole() == await written.whole() == 2
            assert await made.head() == await written.head()
            assert sorted(path.suffix for path in made.path.parent.glob(f"{made.path.stem}.*")) == [
                ".db",
                ".db-shm",
                ".db-wal",
                ".lock",
            ]

    with nothing_leaks():
        asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_who_is_cancelled_while_a_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """However often: the thread that makes it has ended before anybody goes on."""
    write = disk.write

    def slowly(*args: Any) -> None:
        time.sleep(0.3)
        write(*args)

    async def main() -> None:
        async with opened(tmp_path) as files:
            monkeypatch.setattr(disk, "write", slowly)
            making = asyncio.create_task(files.provision(toy_tenant()))
            for _ in range(times):
                await asyncio.sleep(0.05)
                making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            assert [path.suffix for path in (tmp_path / "tenants").glob("*.*")] == [".lock"]
            monkeypatch.setattr(disk, "write", write)
            await files.provision(toy_tenant())

    with nothing_leaks():
        asyncio.run(main())


def test_a_folder_that_cannot_be_put_on_the_disk_keeps_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = os.fsync

    def fails_for_a_folder(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        synced(handle)

    async def main() -> None:
        async with opened(tmp_path) as files:
            monkeypatch.setattr(os, "fsync", fails_for_a_folder)
            with pytest.raises(DatabaseError):
                await files.provision(toy_tenant())
            monkeypatch.undo()
            await files.provision(toy_tenant())

    asyncio.run(main())


def test_a_first_write_has_its_columns_defaults_and_keeps_to_foreign_keys(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = Toys(files, toy_tenant())

            async def fn(write: Write) -> None:
                write.session.add(Thing(name="early", box_id="later"))
                write.session.add(Box(id="later"))

            async def astray(write: Write) -> None:
                write.session.add(Thing(name="early", box_id="nowhere"))

            with pytest.raises(Conflict, match="FOREIGN KEY"):
                await files.provision(
                    toys.tenant, await first_rows(toys.tenant, astray, actor="a", action="b")
                )
            rows = await first_rows(toys.tenant, fn, actor="tester", action="first")
            await files.provision(toys.tenant, rows)
            box = await toys.get(Box, "later")
            assert (box.count, box.sealed, box.label) == (0, False, None)
            assert await toys.whole() == 2

    with nothing_leaks():
        asyncio.run(main())


@pytest.mark.parametrize("what", ["get", "flush", "execute"])
def test_a_first_write_that_asks_the_database_is_told_that_there_is_none(what: str) -> None:
    async def fn(write: Write) -> None:
        write.session.add(a_box("a"))
        match what:
            case "get":
                await write.session.get(Box, "a")
            case "flush":
                await write.session.flush()
            case _:
                await write.session.execute(Box.__table__.select())

    with pytest.raises(UnloggedWrite, match="not there yet"):
        asyncio.run(first_rows(toy_tenant(), fn, actor="tester", action="first"))


def test_no_file_has_a_byte_of_the_tenants_made_before(tmp_path: Path) -> None:
    """Also not of those whose making failed: by a row, by a value, by a full database."""

    async def main() -> None:
        async with opened(tmp_path, limit=1_000_000) as files:
            empty = Toys(files, toy_tenant(1))
            await files.provision(empty.tenant)
            first = empty.path.read_bytes()
            large = a_box("large", note=_SECRET * 100_000)
            refused: list[tuple[type[MosaicError], list[Rows]]] = [
                (QuotaExceeded, await _rows(3, a_box(_SECRET), large)),
                (InvalidInput, await _rows(3, a_box(_SECRET), a_box("b", label=_SECRET * 100))),
            ]
            rows = await _rows(3, a_box(_SECRET))
            refused.append((Conflict, [*rows, rows[-1]]))
            for error, rows in refused:
                many = [a_box(f"{_SECRET}-{n}", note=_SECRET * 200) for n in range(20)]
                await files.provision(toy_tenant(2), await _rows(2, *many, shown=_SECRET))
                with pytest.raises(error):
                    await files.provision(toy_tenant(3), rows)
                await files.drop(toy_tenant(2))
                await files.drop(empty.tenant)
                await files.provision(empty.tenant)
                assert empty.path.read_bytes() == first
                assert _SECRET.encode() not in first
            with closing(sqlite3.connect(empty.path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    with nothing_leaks():
        asyncio.run(main())


def test_a_larger_tenant_s_room_is_not_the_next_one_s(tmp_path: Path) -> None:
    """The limit of pages is each tenant's own, though one connection makes all files."""

    async def main() -> None:
        large = [a_box(f"box-{n}", note="x" * 20_000) for n in range(100)]
        async with opened(tmp_path / "a") as roomy, opened(tmp_path / "b", limit=1_000_000) as full:
            rows = await _rows(1, *large)
            with pytest.raises(QuotaExceeded):
                await full.provision(toy_tenant(1), rows)
            await roomy.provision(toy_tenant(1), rows)
            assert await Toys(roomy, toy_tenant(1)).whole() == 100

    with nothing_leaks():
        asyncio.run(main())
