"""A file that nobody has open is not opened to learn that nothing changed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_core.file_databases import reading
from mosaic_core.file_databases.readers import Readers
from tests.core.head.toys import Toys, opened, toy_tenant

#: Longer than the file system's clock stands still; in the product it is seconds.
SETTLED = 0.03


@pytest.fixture(autouse=True)
def _soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SETTLED", int(SETTLED * 1e9))


def counting(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that a reader was asked for."""
    asked: list[Path] = []
    get = Readers.get

    def counted(self: Readers, path: Path, *, verify: bool = False) -> sqlite3.Connection:
        asked.append(path)
        return get(self, path, verify=verify)

    monkeypatch.setattr(Readers, "get", counted)
    return asked


def test_a_file_at_rest_is_opened_once_for_many_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with opened(tmp_path, max_open=1) as files:
            first, second = (Toys(files, toy_tenant(n)) for n in (1, 2))
            for toys in (first, second):
                await files.provision(toys.tenant)
            await asyncio.sleep(2 * SETTLED)
            for toys in (first, second):  # the second takes the place of the first
                await toys.head()
            asked = counting(monkeypatch)
            for _ in range(10):
                assert (await first.head()).version == 0
                assert files.glance(first.tenant) == await first.head()
            assert asked == []
            assert files.glance(second.tenant) is None  # it is open

    asyncio.run(main())


def test_a_file_that_has_just_changed_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_SETTLED", 60_000_000_000)

    async def main() -> None:
        async with opened(tmp_path, max_open=1) as files:
            first, second = (Toys(files, toy_tenant(n)) for n in (1, 2))
            for toys in (first, second):
                await files.provision(toys.tenant)
                await toys.head()
            asked = counting(monkeypatch)
            for _ in range(3):
                await first.head()
                await second.head()
            assert len(asked) == 6

    asyncio.run(main())


def _write(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 2000")
    connection.execute("UPDATE head SET version = version + 1, published = published + 1")
    return connection


def _write_and_close(path: Path, kept: list[sqlite3.Connection]) -> None:
    _write(path).close()


def _write_and_stay(path: Path, kept: list[sqlite3.Connection]) -> None:
    kept.append(_write(path))


def _close_all(path: Path, kept: list[sqlite3.Connection]) -> None:
    while kept:
        kept.pop().close()


def _checkpoint(path: Path, kept: list[sqlite3.Connection]) -> None:
    connection = _write(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _vacuum(path: Path, kept: list[sqlite3.Connection]) -> None:
    _close_all(path, kept)
    connection = _write(path)
    connection.execute("VACUUM")
    connection.close()


def _without_a_log(path: Path, kept: list[sqlite3.Connection]) -> None:
    """Written with a rollback journal, as by somebody who set the file to it and back."""
    _close_all(path, kept)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 2000")
    if connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",):
        connection.execute("UPDATE head SET version = version + 1")
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _restore(path: Path, kept: list[sqlite3.Connection]) -> None:
    """A copy with the times of the original, written over it in place."""
    _close_all(path, kept)
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    times = path.stat()
    _write(path).close()
    path.write_bytes(copy.read_bytes())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.unlink()


def _rest(path: Path, kept: list[sqlite3.Connection]) -> None:
    time.sleep(2 * SETTLED)


Action = Callable[[Path, list[sqlite3.Connection]], None]
ACTIONS: list[Action] = [
    _write_and_close,
    _write_and_stay,
    _close_all,
    _checkpoint,
    _vacuum,
    _without_a_log,
    _restore,
    _rest,
]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=12))
def test_whatever_others_do_with_a_file_its_head_is_told_as_it_is(actions: list[Action]) -> None:
    async def main(folder: Path) -> None:
        async with opened(folder) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            kept: list[sqlite3.Connection] = []
            try:
                for action in actions:
                    await toys.head()
                    files._reading._readers.close_all()  # as others' files take its place
                    action(toys.path, kept)
                    glanced, told = files.glance(toys.tenant), await toys.head()
                    assert glanced in (None, told)
                    files._reading._readers.close_all()
                    truth = sqlite3.connect(toys.path)
                    row = truth.execute("SELECT version, published FROM head").fetchone()
                    truth.close()
                    assert (told.version, told.published) == row
            finally:
                _close_all(toys.path, kept)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
