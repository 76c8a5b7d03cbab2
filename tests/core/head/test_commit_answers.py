"""A commit whose answer is lost, late or an error: the write is applied exactly once, or not at
all and says so."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.directory import PlatformFile, open_directory
from mosaic_core.errors import DatabaseError, DiskFull, QuotaExceeded, WriteTimeout
from mosaic_core.file_databases import databases
from mosaic_core.head import Write, WriteLimits
from mosaic_core.platform import platform_history
from tests.core.head.toys import Box, Shown, Toys, a_box, nothing_leaks, toy, toy_tenant

Fault = Callable[[sqlite3.Connection], None]
_connect = sqlite3.connect


class Faults:
    """What goes wrong at the next commits, in order; after them, nothing does."""

    def __init__(self) -> None:
        self.commits: list[Fault] = []
        self.closes: list[Fault] = []
        self.armed = False

    def connect(self, *args: Any, **kw: Any) -> sqlite3.Connection:
        faults = self

        class Faulty(sqlite3.Connection):
            def commit(self) -> None:
                if faults.armed and faults.commits:
                    faults.commits.pop(0)(self)
                super().commit()

            def close(self) -> None:
                super().close()
                if faults.armed and faults.closes:
                    faults.closes.pop(0)(self)

        kinds = [kw["factory"], Faulty] if "factory" in kw else [Faulty]
        return _connect(*args, **{**kw, "factory": type("Faulty", tuple(kinds), {})})


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()
    monkeypatch.setattr(sqlite3, "connect", made.connect)
    return made


def _io_error(code: int = sqlite3.SQLITE_IOERR) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


def before(error: BaseException) -> Fault:
    def fault(connection: sqlite3.Connection) -> None:
        raise error

    return fault


def after(error: BaseException) -> Fault:
    def fault(connection: sqlite3.Connection) -> None:
        sqlite3.Connection.commit(connection)
        raise error

    return fault


def slow(then: Fault | None = None, seconds: float = 0.5) -> Fault:
    def fault(connection: sqlite3.Connection) -> None:
        time.sleep(seconds)
        if then is not None:
            then(connection)

    return fault


LIMITS = WriteLimits(commit=0.1, tries=3)
ERRORS = [
    _io_error(),
    sqlite3.DatabaseError("something else"),
    ConnectionResetError("lost"),
    RuntimeError("unexpected"),
    TimeoutError(),
]


def _applied_once(folder: Path, faults: Faults, runs: int) -> None:
    """One write meets the faults; it returns, is there once, and was told of once."""

    async def main() -> None:
        async with toy(folder) as plain:
            told: list[Any] = []
            toys = Toys(plain.files, plain.tenant, limits=LIMITS, committed=told.append)
            await plain.count_up()
            ran = 0

            async def fn(write: Write) -> str:
                nonlocal ran
                ran += 1
                row = await write.session.get_one(Box, "counter")
                row.count += 1
                await write.session.merge(Shown(path="/", text="t"))
                return f"result {ran}"

            faults.armed = True
            assert await toys.write(fn) == f"result {runs}"
            faults.armed = False
            assert ran == runs
            assert faults.commits == faults.closes == []
            assert [(state.version, state.published) for state in told] == [(2, 1)]
            head = await toys.head()
            assert (head.version, head.published) == (2, 1)
            assert await toys.count_up() == 3
            assert await toys.whole() == 3

    with nothing_leaks():
        asyncio.run(main())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_after_the_commit_happened_changes_nothing(
    tmp_path: Path, faults: Faults, error: Exception
) -> None:
    faults.commits = [after(error)]
    _applied_once(tmp_path, faults, runs=1)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_before_the_commit_happened_runs_the_write_again(
    tmp_path: Path, faults: Faults, error: Exception
) -> None:
    faults.commits = [before(error), before(error)]
    _applied_once(tmp_path, faults, runs=3)


def test_an_error_while_closing_after_the_commit_changes_nothing(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_KEPT_WRITING", 0)
    faults.closes = [before(_io_error())]
    _applied_once(tmp_path, faults, runs=1)


def test_a_commit_that_hangs_past_its_limit_is_waited_for(tmp_path: Path, faults: Faults) -> None:
    faults.commits = [slow()]
    _applied_once(tmp_path, faults, runs=1)


def test_a_commit_that_hangs_and_fails_runs_the_write_again(tmp_path: Path, faults: Faults) -> None:
    faults.commits = [slow(before(_io_error()))]
    _applied_once(tmp_path, faults, runs=2)


def test_a_commit_that_hangs_happens_and_loses_its_answer(tmp_path: Path, faults: Faults) -> None:
    faults.commits = [slow(after(_io_error()))]
    _applied_once(tmp_path, faults, runs=1)


def test_mixed_faults_of_many_writers_lose_nothing(tmp_path: Path, faults: Faults) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            toys = Toys(plain.files, plain.tenant, limits=WriteLimits(commit=0.1))
            kinds = [before(_io_error()), after(_io_error()), slow(seconds=0.15)]
            faults.commits = [kinds[n % 3] for n in range(12)]
            faults.armed = True
            results = await asyncio.gather(*(toys.count_up() for _ in range(15)))
            faults.armed = False
            assert sorted(results) == list(range(1, 16))
            assert await toys.whole() == 15

    with nothing_leaks():
        asyncio.run(main())


def test_a_write_that_is_never_committed_says_so(tmp_path: Path, faults: Faults) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            toys = Toys(plain.files, plain.tenant, limits=LIMITS)
            faults.commits = [before(_io_error())] * 10
            faults.armed = True
            with pytest.raises(DatabaseError, match="not committed") as caught:
                await toys.add(a_box())
            faults.armed = False
            assert "nothing was changed" in caught.value.hint
            assert len(faults.commits) == 7
            assert (await toys.head()).version == 0
            assert await toys.add(a_box()) == 1

    with nothing_leaks():
        asyncio.run(main())


def test_a_disk_that_is_full_at_the_commit_is_reported_at_once(
    tmp_path: Path, faults: Faults
) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
                faults.commits = [before(_io_error(code))] * 5
                faults.armed = True
                with pytest.raises((DiskFull, QuotaExceeded)):
                    await plain.add(a_box())
                faults.armed = False
                assert len(faults.commits) == 4
            assert await plain.add(a_box()) == 1

    with nothing_leaks():
        asyncio.run(main())


def test_a_database_that_does_not_say_whether_it_committed_is_not_asked_for_ever(
    tmp_path: Path, faults: Faults
) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            other = _connect(plain.path, isolation_level=None, check_same_thread=False)

            def lose(connection: sqlite3.Connection) -> None:
                sqlite3.Connection.commit(connection)
                other.execute("BEGIN EXCLUSIVE")
                raise _io_error()

            faults.commits = [lose]
            faults.armed = True
            with pytest.raises(WriteTimeout) as caught:
                await plain.add(a_box())
            other.execute("ROLLBACK")
            (row,) = await plain.log()
            assert str(row.write_id) in caught.value.message
            assert str(row.write_id) in caught.value.hint

            faults.commits = [lose]
            waiting = asyncio.create_task(plain.add(a_box("b")))
            await asyncio.sleep(0.4)
            other.execute("ROLLBACK")
            assert await waiting == 2
            other.close()
            await plain.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_a_caller_cancelled_while_the_commit_hangs_leaves_it_to_finish(
    tmp_path: Path, faults: Faults
) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            for fault, applied in (
                (slow(seconds=0.3), True),
                (slow(after(_io_error()), seconds=0.3), True),
                (slow(before(_io_error()), seconds=0.3), False),
            ):
                name = f"{fault}"[-30:]
                faults.commits = [fault]
                faults.armed = True
                task = asyncio.create_task(plain.add(a_box(name)))
                await asyncio.sleep(0.15)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                faults.armed = False
                assert (await plain.get(Box, name) is not None) == applied
                await plain.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_the_directory_survives_lost_answers_too(tmp_path: Path, faults: Faults) -> None:
    async def main() -> None:
        database = PlatformFile(tmp_path / "platform.db", platform_history())
        await database.migrate()
        async with open_directory(database, "localhost", 0.5) as directory:
            for number, fault in enumerate([after(_io_error()), before(_io_error())]):
                faults.commits = [fault]
                faults.armed = True
                await directory.add(toy_tenant(number), "r", actor="tester")
                faults.armed = False
                assert directory.named(f"toy-{number}")
            assert await directory.count() == 2
        await database.close()

    with nothing_leaks():
        asyncio.run(main())
