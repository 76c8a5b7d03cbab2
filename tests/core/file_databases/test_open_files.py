"""How many files a process keeps open, and that it notices when they are others."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from mosaic_core.errors import DatabaseMissing
from mosaic_core.head import Write
from tests.core.file_databases.trials import filled, shown
from tests.core.head.processes import Worker
from tests.core.head.toys import Box, Shown, Toys, a_box, nothing_leaks, opened, toy_tenant


def _held() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def test_three_hundred_tenants_are_read_through_a_bounded_number_of_files(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, max_open=20) as files:
            every = [Toys(files, toy_tenant(n)) for n in range(300)]
            for toys in every:
                await files.provision(toys.tenant)
            before = _held()
            for _ in range(2):
                for toys in every:
                    assert (await toys.head()).version == 0
                    assert len(files._reading._readers) <= 20
                    now = _held()
                    assert now[0] - before[0] <= 3 * 20
                    assert now[1] == before[1]
            # The most recently used are the ones that are kept.
            assert set(files._reading._readers._open) == {toys.path for toys in every[-20:]}
            await files.size(every[-20].tenant)  # for which a file is opened in any case
            await files.size(every[0].tenant)
            assert every[-20].path in files._reading._readers._open
            assert every[-19].path not in files._reading._readers._open

    with nothing_leaks():
        asyncio.run(main())


def test_a_hundred_sessions_at_once_wait_for_one_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, max_sessions=5) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            await toys.add(a_box())
            most = 0

            async def read() -> None:
                nonlocal most
                async with files.session(toys.tenant) as session:
                    await asyncio.sleep(0.001)
                    most = max(most, len(os.listdir("/proc/self/fd")))
                    assert await session.connection()

            before = _held()[0]
            await asyncio.gather(*(read() for _ in range(100)))
            assert most - before <= 5 * 3 + 3

    with nothing_leaks():
        asyncio.run(main())


def test_as_many_writes_as_there_are_sessions_can_each_read_besides(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, max_sessions=2) as files:
            every = [Toys(files, toy_tenant(n)) for n in range(4)]
            for toys in every:
                await files.provision(toys.tenant)
            inside, all_inside = 0, asyncio.Event()

            async def write(toys: Toys) -> None:
                async def fn(write: Write) -> None:
                    nonlocal inside
                    inside += 1
                    if inside == 2:
                        all_inside.set()
                    await all_inside.wait()
                    write.session.add(a_box())
                    async with files.session(toys.tenant) as reading:
                        assert await reading.get(Box, "a") is None

                await toys.write(fn)

            async with asyncio.timeout(5):
                await asyncio.gather(*(write(toys) for toys in every))
            for toys in every:
                assert await toys.whole() == 1

    with nothing_leaks():
        asyncio.run(main())


def test_a_tenant_made_anew_is_noticed_by_an_instance_that_had_the_old_one_open(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with opened(tmp_path) as mine, opened(tmp_path) as others:
            old = await filled(mine)
            theirs = Toys(others, old.tenant)
            assert await shown(theirs) == "shown of 1"
            assert (await theirs.head()).version == 1
            await theirs.count_up()  # it keeps open what it wrote to
            await mine.drop(old.tenant)
            with pytest.raises(DatabaseMissing):
                await theirs.head()
            await mine.provision(old.tenant)
            assert (await theirs.head()).version == 0
            await mine.drop(old.tenant)
            await mine.provision(old.tenant)
            await old.add(Shown(path="/", text="anew"))
            await old.add(a_box())
            assert (await theirs.head()).version == 2
            assert await shown(theirs) == "anew"
            assert await theirs.count_up() == 1
            assert (await old.head()).version == 3
            await old.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_closing_what_was_open_of_a_dropped_tenant_does_no_harm_to_the_new_one(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with opened(tmp_path) as mine:
            async with opened(tmp_path) as others:
                old = await filled(mine)
                assert await shown(Toys(others, old.tenant)) == "shown of 1"
                await Toys(others, old.tenant).count_up()
                await mine.drop(old.tenant)
                await mine.provision(old.tenant)
                assert (await old.head()).version == 0
                await old.count_up()
                # What was written is in the log beside the new file, and not in the file yet.
                assert old.path.with_name(f"{old.path.name}-wal").stat().st_size > 0
            # The other instance closed the old file as the last one that had it open.
            assert old.path.with_name(f"{old.path.name}-wal").stat().st_size > 0
            await old.count_up()
            assert await old.whole() == 2
            assert await mine.check(old.tenant) == []
        async with opened(tmp_path) as files:
            assert await Toys(files, toy_tenant()).whole() == 2

    with nothing_leaks():
        asyncio.run(main())


def test_a_tenant_made_anew_is_noticed_by_another_process(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = await filled(files)
            await toys.count_up()
            with Worker("look", tmp_path, 1) as other:
                other.ready().go()
                assert other.line() == ["done", "2"]
                await files.drop(toys.tenant)
                await files.provision(toys.tenant)
                other.ready().go()
                assert other.line() == ["done", "0"]
                await toys.count_up()
                other.ready().go()
                assert other.line() == ["done", "1"]
            await toys.count_up()
            assert await toys.whole() == 2

    with nothing_leaks():
        asyncio.run(main())


def test_dropping_leaves_no_file_of_the_tenant(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = await filled(files)
            await toys.head()
            await files.drop(toys.tenant)
            assert list((tmp_path / "tenants").iterdir()) == []
            await files.drop(toys.tenant)
            assert list((tmp_path / "tenants").iterdir()) == []

    with nothing_leaks():
        asyncio.run(main())


def test_who_waits_for_the_turn_on_a_tenant_that_is_dropped_finds_it_gone(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as mine, opened(tmp_path) as others:
            old = await filled(mine)
            writing = [asyncio.create_task(Toys(others, old.tenant).count_up()) for _ in range(3)]
            await mine.drop(old.tenant)
            results = await asyncio.gather(*writing, return_exceptions=True)
            assert all(isinstance(r, DatabaseMissing | int) for r in results)
            again = [files.provision(old.tenant) for files in (mine, others, mine, others)]
            made = await asyncio.gather(*again, return_exceptions=True)
            assert made.count(None) == 1
            assert (await old.head()).version == 0
            await old.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_a_second_epoch_is_a_second_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            first, second = (Toys(files, toy_tenant(epoch=n)) for n in (1, 2))
            await files.provision(first.tenant)
            await first.count_up()
            await files.provision(second.tenant)
            assert (await second.head()).epoch == 2
            assert (await second.head()).version == 0
            assert await second.count_up() == 1
            await files.drop(first.tenant)
            assert (await second.head()).version == 1

    with nothing_leaks():
        asyncio.run(main())


def test_the_template_is_made_once_and_made_again_when_it_is_spoiled(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            await files.provision(toy_tenant(1))
        (template,) = (tmp_path / "templates").iterdir()
        stamp = template.stat().st_mtime_ns
        async with opened(tmp_path), opened(tmp_path):
            assert template.stat().st_mtime_ns == stamp
        template.write_bytes(b"")
        async with opened(tmp_path) as files:
            await files.provision(toy_tenant(2))
            assert (await files.head(toy_tenant(2))).version == 0
        assert [p.name for p in (tmp_path / "templates").iterdir()] == [template.name]

    asyncio.run(main())


def test_what_was_left_of_a_template_by_a_killed_process_goes_with_the_next_one(
    tmp_path: Path,
) -> None:
    async def start() -> None:
        async with opened(tmp_path):
            pass

    asyncio.run(start())
    (template,) = (tmp_path / "templates").iterdir()
    template.unlink()
    old, new = (template.with_name(f"{template.name}.{name}") for name in ("0ld-wal", "new"))
    for path in (old, new):
        path.write_bytes(b"half of it")
    os.utime(old, (time.time() - 7200,) * 2)
    asyncio.run(start())
    assert {path.name for path in template.parent.iterdir()} == {template.name, new.name}


def test_instances_that_start_at_once_make_one_template(tmp_path: Path) -> None:
    async def start() -> None:
        async with opened(tmp_path):
            pass

    async def main() -> None:
        await asyncio.gather(*(start() for _ in range(4)))
        assert len(list((tmp_path / "templates").iterdir())) == 1

    asyncio.run(main())
