"""Many writers at once, in one process and in several: each write counts once, none starves."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from mosaic_core.directory import PlatformFile, open_directory
from mosaic_core.errors import DatabaseBusy
from mosaic_core.head import WriteLimits
from mosaic_core.platform import platform_history
from tests.core.head.processes import Worker
from tests.core.head.toys import Box, Toys, nothing_leaks, opened, toy, toy_tenant
from tests.core.head.worker import TASKS

PROCESSES = 4
#: Seconds that no writer may wait; the machine that runs the tests may be slow and busy.
PATIENCE = 10.0


def _in_processes(mode: str, folder: Path, count: int) -> list[Worker]:
    workers = [Worker(mode, folder, n + 1, count) for n in range(PROCESSES)]
    try:
        for worker in workers:
            worker.ready()
        for worker in workers:
            worker.go()
        for worker in workers:
            assert worker.finish() == 0
    finally:
        for worker in workers:
            worker.process.kill()
    return workers


def test_twenty_writers_in_one_process_lose_nothing(tmp_path: Path) -> None:
    async def main() -> float:
        async with toy(tmp_path) as toys:

            async def one() -> float:
                begun = time.monotonic()
                for _ in range(5):
                    await toys.count_up()
                return time.monotonic() - begun

            longest = max(await asyncio.gather(*(one() for _ in range(20))))
            assert (await toys.get(Box, "counter")).count == 100
            assert await toys.whole() == 100
        return longest

    with nothing_leaks():
        longest = asyncio.run(main())
    print("longest wait for five writes among twenty writers, s:", longest)
    assert longest < PATIENCE


def test_writers_of_one_process_with_several_instances_lose_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as one, toy(tmp_path) as two, toy(tmp_path) as three:
            every = (one, two, three)
            await asyncio.gather(*(t.count_up() for _ in range(10) for t in every))
            assert (await one.get(Box, "counter")).count == 30
            assert await one.whole() == 30

    with nothing_leaks():
        asyncio.run(main())


def _processes_lose_nothing(folder: Path, count: int) -> float:
    async def prepare() -> None:
        async with toy(folder):
            pass

    async def look() -> None:
        async with toy(folder) as toys:
            assert (await toys.get(Box, "counter")).count == PROCESSES * TASKS * count
            assert await toys.whole() == PROCESSES * TASKS * count

    asyncio.run(prepare())
    workers = _in_processes("contend", folder, count)
    results = [int(n) for worker in workers for n in worker.words("done")]
    assert sorted(results) == list(range(1, PROCESSES * TASKS * count + 1))
    asyncio.run(look())
    return max(float(worker.words("longest")[0]) for worker in workers)


def test_writers_in_four_processes_lose_nothing(tmp_path: Path) -> None:
    longest = _processes_lose_nothing(tmp_path, 10)
    print("longest wait of 20 writers in four processes, s:", longest)
    assert longest < PATIENCE


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_writers_in_four_processes_lose_nothing_for_long(tmp_path: Path) -> None:
    longest = _processes_lose_nothing(tmp_path, 300)
    print("longest wait of 20 writers in four processes, s:", longest)
    assert longest < PATIENCE


def test_the_directory_takes_writes_from_four_processes(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"

    async def prepare() -> None:
        database = PlatformFile(path, platform_history())
        await database.migrate()
        await database.close()

    async def look() -> None:
        database = PlatformFile(path, platform_history())
        async with open_directory(database, "localhost", 0.5) as directory:
            assert len(directory) == await directory.count() == PROCESSES * TASKS * 5
        await database.close()

    asyncio.run(prepare())
    workers = _in_processes("enrol", tmp_path, 5)
    asyncio.run(look())
    connection = sqlite3.connect(path)
    changed = [row[0] for row in connection.execute("SELECT changed FROM tenants ORDER BY 1")]
    versions = [row[0] for row in connection.execute("SELECT version FROM changes ORDER BY 1")]
    connection.close()
    assert changed == versions == list(range(1, PROCESSES * TASKS * 5 + 1))
    longest = max(float(worker.words("longest")[0]) for worker in workers)
    print("longest wait of 20 directory writers in four processes, s:", longest)
    assert longest < PATIENCE


def test_the_directory_takes_twenty_writes_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        database = PlatformFile(tmp_path / "platform.db", platform_history())
        await database.migrate()
        async with open_directory(database, "localhost", 0.5) as directory:
            tenants = [toy_tenant(n) for n in range(20)]
            await asyncio.gather(*(directory.add(t, "r", actor="tester") for t in tenants))
            assert [directory.named(t.slug) for t in tenants] == tenants
        await database.close()

    with nothing_leaks():
        asyncio.run(main())


def test_a_killed_process_passes_its_turn_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            with Worker("hold", tmp_path) as holder:
                holder.ready().go()
                while not holder.words("done"):
                    await asyncio.to_thread(holder.line)
                waiting = asyncio.create_task(toys.count_up())
                await asyncio.sleep(0.2)
                assert not waiting.done()
                # Who gives up is free at once, although the lock is not.
                impatient = Toys(toys.files, toys.tenant)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await impatient.count_up()
                holder.process.kill()
                async with asyncio.timeout(1):
                    assert await waiting == 1
            assert await toys.get(Box, "held") is None
            await toys.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_a_turn_that_does_not_come_is_an_error_that_names_the_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mosaic_core.database import sqlite

    async def main() -> None:
        async with toy(tmp_path) as toys:
            lock = toys.path.with_suffix(".lock")
            turns = sqlite.Turns()
            async with turns.take(lock):
                begun = time.monotonic()
                with pytest.raises(DatabaseBusy, match=toys.tenant.tenant_id) as caught:
                    async with sqlite.Turns().take(lock, timeout=0.1):
                        pass
                assert time.monotonic() - begun < 2
                assert caught.value.hint
            async with turns.take(lock, timeout=0.1):
                pass

    with nothing_leaks():
        asyncio.run(main())


def test_a_turn_on_a_file_that_its_holder_removed_is_taken_on_the_next_one(tmp_path: Path) -> None:
    from mosaic_core.database import sqlite

    async def main() -> None:
        lock = tmp_path / "x.lock"
        holders: list[int] = []

        async def take(number: int) -> None:
            async with sqlite.Turns().take(lock):
                holders.append(number)
                assert len(holders) == 1
                await asyncio.sleep(0.01)
                holders.remove(number)
                if number % 2:
                    lock.unlink()

        await asyncio.gather(*(take(n) for n in range(20)))

    with nothing_leaks():
        asyncio.run(main())


def test_writers_on_three_hundred_tenants_keep_threads_and_files_bounded(tmp_path: Path) -> None:
    import os
    import threading

    async def main() -> None:
        async with opened(tmp_path, max_open=16, max_sessions=8) as files:
            every = [Toys(files, toy_tenant(n)) for n in range(300)]
            for toys in every:
                await files.provision(toys.tenant)
            most_files = most_threads = 0
            done = False

            async def watch() -> None:
                nonlocal most_files, most_threads
                while not done:
                    most_files = max(most_files, len(os.listdir("/proc/self/fd")))
                    most_threads = max(most_threads, threading.active_count())
                    await asyncio.sleep(0.005)

            before = len(os.listdir("/proc/self/fd")), threading.active_count()
            watching = asyncio.create_task(watch())
            for _ in range(2):
                await asyncio.gather(*(toys.count_up() for toys in every))
                for toys in every:
                    await toys.head()
            done = True
            await watching
            assert len(files._reading._readers) <= 16
            # A reader has up to three files open, a session as many, one that is kept for the next
            # as many, and each waiting write a lock.
            assert most_files - before[0] <= 3 * (16 + 8 + 16) + 300 + 8
            assert most_threads - before[1] <= 40
            for toys in every[::50]:
                assert (await toys.get(Box, "counter")).count == 2

    with nothing_leaks():
        asyncio.run(main())


def test_a_lock_that_another_program_holds_for_long_is_reported_as_busy(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            toys = Toys(plain.files, plain.tenant, limits=WriteLimits(again=0.2))
            other = sqlite3.connect(toys.path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            try:
                assert (await toys.head()).version == 0
                with pytest.raises(DatabaseBusy, match="toy-1"):
                    await toys.count_up()
                waiting = asyncio.create_task(plain.count_up())
                await asyncio.sleep(0.3)
            finally:
                other.execute("ROLLBACK")
                other.close()
            assert await waiting == 1

    with nothing_leaks():
        asyncio.run(main())
