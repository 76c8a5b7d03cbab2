"""A writer that is cancelled, at whatever moment, is out of the others' way at once."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.database.inline import InlineConnection
from mosaic_core.directory import PlatformFile, open_directory
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import enqueue
from mosaic_core.platform import platform_history
from tests.core.head.toys import (
    Box,
    Shown,
    Toys,
    a_box,
    nothing_leaks,
    opened,
    toy,
    toy_tenant,
)
from tests.core.head.worker import sixty

#: Seconds after which the next write must be through; a busy machine is forgiven some slow ones.
FREE_WITHIN = 0.1


async def cancelled_at(step: int, work: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
    """Runs ``work`` in a task and cancels it after so many turns of the event loop.

    Returns whether it was still running then, and its result if it has one.
    """
    task = asyncio.ensure_future(work())
    for _ in range(step):
        await asyncio.sleep(0)
        if task.done():
            return False, task.result()
    task.cancel()
    try:
        return not task.done(), await task
    except asyncio.CancelledError:
        return True, None


async def _everywhere(
    work: Callable[[int], Awaitable[Any]],
    check: Callable[[int, bool, float], Awaitable[None]],
    probe: Callable[[], Awaitable[Any]],
    stride: int = 1,
) -> list[float]:
    """Cancels at step 0, 1, 2, … until the work ends by itself; returns the probes' seconds."""
    waits = []
    step = ended = 0
    while ended < 3:
        running, result = await cancelled_at(step, lambda step=step: work(step))  # type: ignore[misc]
        begun = time.monotonic()
        await probe()
        waits.append(time.monotonic() - begun)
        await check(step, running, result)
        ended += not running
        step += stride
        assert step < 20_000
    return waits


def _assert_free(waits: list[float]) -> None:
    assert len(waits) > 3
    slow = [wait for wait in waits if wait > FREE_WITHIN]
    assert len(slow) <= max(3, len(waits) // 50), f"{len(slow)} of {len(waits)} were slow: {slow}"
    assert max(waits) < 2


@pytest.fixture(autouse=True)
def complaints() -> Any:
    """Fails a test in which asyncio complains of a task or an exception that nobody looked at."""
    heard: list[Any] = []
    original = asyncio.BaseEventLoop.call_exception_handler

    def hear(self: Any, context: Any) -> None:
        heard.append(context)
        original(self, context)

    asyncio.BaseEventLoop.call_exception_handler = hear  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    asyncio.BaseEventLoop.call_exception_handler = original  # type: ignore[method-assign]
    assert heard == []


def test_a_write_cancelled_at_every_step_frees_the_head(tmp_path: Path) -> None:
    async def main() -> list[float]:
        async with toy(tmp_path) as toys:

            async def work(step: int) -> None:
                async def fn(write: Write) -> None:
                    write.session.add(a_box(f"step-{step}"))
                    await write.session.flush()
                    await asyncio.sleep(0)
                    assert await write.session.get(Box, "counter") is not None
                    await write.session.merge(Shown(path="/", text=str(step)))
                    await asyncio.sleep(0)
                    await enqueue(write, TENANT, "mail", step)

                await toys.write(fn)

            async def check(step: int, running: bool, result: Any) -> None:
                kept = await toys.get(Box, f"step-{step}")
                shown = await toys.get(Shown, "/")
                applied = kept is not None
                assert applied == (shown is not None and shown.text == str(step))
                assert running or applied
                await toys.verify()

            await toys.count_up()
            waits = await _everywhere(work, check, toys.count_up)
            assert (await toys.get(Box, "counter")).count == len(waits) + 1
            await toys.whole()
        return waits

    with nothing_leaks():
        waits = asyncio.run(main())
    print("steps:", len(waits))
    print("longest wait after a cancelled write, s:", max(waits))
    _assert_free(waits)


def test_a_write_cancelled_while_it_waits_for_its_turn_leaves_the_queue(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            # An instance of its own stands for another process: its turn is taken by flock.
            async with toy(tmp_path) as other:
                held, let_go = asyncio.Event(), asyncio.Event()

                async def hold(write: Write) -> None:
                    held.set()
                    await let_go.wait()

                for holder in (toys, other):
                    held.clear()
                    let_go.clear()
                    holding = asyncio.create_task(holder.write(hold))
                    await held.wait()
                    waiting = [asyncio.create_task(toys.count_up()) for _ in range(5)]
                    await asyncio.sleep(0.05)
                    for task in waiting[:-1]:
                        task.cancel()
                    gone = await asyncio.gather(*waiting[:-1], return_exceptions=True)
                    assert all(isinstance(error, asyncio.CancelledError) for error in gone)
                    let_go.set()
                    begun = time.monotonic()
                    await waiting[-1]
                    assert time.monotonic() - begun < 1
                    await holding
            assert (await toys.get(Box, "counter")).count == 2
            await toys.whole()

    with nothing_leaks():
        asyncio.run(main())


def test_a_writer_cancelled_twice_returns_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:

            async def stubborn(write: Write) -> None:
                try:
                    await asyncio.sleep(10)
                finally:
                    await asyncio.sleep(0.2)

            task = asyncio.create_task(toys.write(stubborn))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.02)
            assert not task.done()
            task.cancel()
            begun = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - begun < 0.1
            assert await toys.count_up() == 1

    with nothing_leaks():
        asyncio.run(main())


def test_a_read_cancelled_at_every_step_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> list[float]:
        async with toy(tmp_path) as toys:
            await toys.add(a_box())

            async def work(step: int) -> None:
                async with toys.files.session(toys.tenant) as session:
                    await asyncio.sleep(0)
                    assert await session.get(Box, "a") is not None
                    await asyncio.sleep(0)

            async def check(step: int, running: bool, result: Any) -> None:
                assert toys.files._sessions._value == 16

            return await _everywhere(work, check, toys.count_up)

    with nothing_leaks():
        _assert_free(asyncio.run(main()))


def test_a_directory_write_cancelled_at_every_step_frees_the_directory(tmp_path: Path) -> None:
    async def main() -> list[float]:
        database = PlatformFile(tmp_path / "platform.db", platform_history())
        await database.migrate()
        async with open_directory(database, "localhost", 0.0) as directory:
            probes = 0

            async def probe() -> None:
                nonlocal probes
                probes += 1
                await directory.hints.give(f"{probes}", ("test.topic",))

            async def check(step: int, running: bool, result: Any) -> None:
                await directory.refresh(now=True)
                known = directory.tenant_of_slug(f"toy-{step}")
                assert running or known is not None

            waits = await _everywhere(
                lambda step: directory.add(toy_tenant(step), "r", actor="tester"), check, probe
            )
            assert len(directory) == await directory.count()
        await database.close()
        return waits

    with nothing_leaks():
        _assert_free(asyncio.run(main()))


def test_provisioning_cancelled_at_every_step_makes_a_whole_tenant_or_none(tmp_path: Path) -> None:
    async def main() -> int:
        async with opened(tmp_path) as files:
            number = ended = 0
            while ended < 3:
                tenant = toy_tenant(number)
                rows = await sixty(tenant)
                running, _ = await cancelled_at(
                    number, lambda t=tenant, r=rows: files.provision(t, r)
                )
                toys = Toys(files, tenant)
                if toys.path.exists():
                    assert (await toys.head()).version == 1
                    await toys.whole()
                else:
                    assert running
                    await files.provision(tenant, rows)
                    assert (await toys.head()).version == 1
                leftovers = [p.name for p in toys.path.parent.glob("*.new*")]
                assert leftovers == []
                ended += not running
                number += 1 + number // 8  # a thread writes the file: that is many turns
        return number

    with nothing_leaks():
        assert asyncio.run(main()) > 5


def test_the_end_of_the_program_in_the_middle_of_a_write_leaves_the_chain_whole(
    tmp_path: Path,
) -> None:
    async def main(step: int) -> None:
        async with toy(tmp_path) as toys:
            task = asyncio.ensure_future(toys.add(a_box(f"step-{step}")))
            for _ in range(step):
                await asyncio.sleep(0)
            assert task is not None  # and the loop ends, which cancels whatever runs

    async def look() -> None:
        async with toy(tmp_path) as toys:
            await toys.whole()

    with nothing_leaks():
        for step in range(12):
            asyncio.run(main(step))
            asyncio.run(look())


def test_a_migration_that_is_cancelled_in_its_commit_keeps_its_turn_until_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committing = threading.Event()
    commit = InlineConnection._commit

    def slowly(self: InlineConnection) -> None:
        committing.set()
        time.sleep(0.3)
        commit(self)

    async def main() -> None:
        database = PlatformFile(tmp_path / "platform.db", platform_history())
        with monkeypatch.context() as patch:
            patch.setattr(InlineConnection, "_commit", slowly)
            migrating = asyncio.create_task(database.migrate())
            while not committing.is_set():
                await asyncio.sleep(0.005)
            migrating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await migrating
        assert await database.migrate() == platform_history().current
        await database.close()

    with nothing_leaks():
        asyncio.run(main())
