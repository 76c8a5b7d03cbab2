"""A real process on a toy tenant: ``python -m tests.core.head.worker MODE FOLDER NUMBER COUNT``.

It prints ``ready``, waits for a line, does what MODE says and prints a line for each thing done.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from mosaic_core.directory import open_directory
from mosaic_core.head import Write, first_rows
from mosaic_core.persistence import Rows
from mosaic_core.tenants import TenantContext
from tests import platforms
from tests.core.head.toys import Pair, Shown, Toys, a_box, opened, toy, toy_tenant

TASKS = 5


def say(*words: object) -> None:
    # In one piece, buffered or not: a nursery and its child share this pipe.
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def started() -> None:
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)


async def _at_once(count: int, write: Callable[[int], Awaitable[object]]) -> None:
    """``TASKS`` tasks with ``count`` writes each; prints the longest wait in seconds."""

    async def task(number: int) -> float:
        longest = 0.0
        for i in range(count):
            begun = time.monotonic()
            await write(number * count + i)
            longest = max(longest, time.monotonic() - begun)
        return longest

    say("longest", max(await asyncio.gather(*(task(n) for n in range(TASKS)))))


async def contend(folder: Path, number: int, count: int) -> None:
    async with toy(folder) as toys:
        await started()

        async def write(i: int) -> None:
            say("done", await toys.count_up())

        await _at_once(count, write)


async def enrol(folder: Path, number: int, count: int) -> None:
    database = platforms.found(folder).database()
    async with open_directory(database, "localhost", 0.5) as directory:
        await started()

        async def write(i: int) -> None:
            tenant = toy_tenant(number * 1000 + i)
            await directory.add(tenant, "r", actor="tester")
            assert directory.named(tenant.slug) == tenant

        await _at_once(count, write)
    await database.close()


async def found(folder: Path, number: int, count: int) -> None:
    """Makes platform databases, each in a place of its own, until it is killed."""
    await started()
    for i in range(count):
        name = f"{number}x{i}"
        say("start", name)
        database = platforms.found(folder).beside(name).database()
        await database.migrate()
        await database.close()
        say("done", name)


async def register(folder: Path, number: int, count: int) -> None:
    """Makes tenants known, each with a domain and a hint, until it is killed."""
    database = platforms.found(folder).database()
    async with open_directory(database, "localhost", 0.5) as directory:
        await started()
        for i in range(count):
            tenant = toy_tenant(number * 100_000 + i)
            await directory.add(tenant, "r", actor="tester")
            say("added", tenant.slug)
            await directory.add_domain(tenant.tenant_id, f"{tenant.slug}.example", actor="tester")
            await directory.hints.give(tenant.tenant_id, ("test.topic",))
            say("done", tenant.slug)


async def endless(folder: Path, number: int, count: int) -> None:
    """Writes until it is killed: each write is two rows of the truth and one that visitors see."""
    async with toy(folder) as toys:
        await started()
        for i in range(count):

            async def fn(write: Write, i: int = i) -> None:
                write.session.add(a_box(f"{number}-{i}", note="x" * 3000))
                await write.session.flush()
                await asyncio.sleep(0)
                write.session.add(Pair(left=str(number), right=i, value="v" * 500))
                await write.session.merge(Shown(path="/", text=f"{number}-{i}"))

            await toys.write(fn)
            say("done", i)


async def provision(folder: Path, number: int, count: int) -> None:
    """Makes tenants, each with content of some hundred kilobytes, until it is killed."""
    async with opened(folder) as files:
        await started()
        for i in range(count):
            tenant = toy_tenant(number * 1000 + i)
            say("start", tenant.tenant_id)
            await files.provision(tenant, await sixty(tenant))
            say("done", tenant.tenant_id)


async def sixty(tenant: TenantContext) -> list[Rows]:
    """The rows of a new database with sixty boxes."""

    async def fn(write: Write) -> None:
        write.session.add_all(a_box(f"box-{n}", note="x" * 2000) for n in range(60))

    return await first_rows(tenant, fn, actor="tester", action="first")


async def churn(folder: Path, number: int, count: int) -> None:
    """Makes, fills and drops one tenant until it is killed."""
    async with opened(folder) as files:
        toys = Toys(files, toy_tenant(number))
        await started()
        for i in range(count):
            await files.drop(toys.tenant)
            await files.provision(toys.tenant, await sixty(toys.tenant))
            await toys.count_up()
            say("done", i)


async def hold(folder: Path, number: int, count: int) -> None:
    """Stops in the middle of a write, holding the turn, until it is killed."""
    async with toy(folder) as toys:
        await started()
        await toys.write(_stop)


async def _stop(write: Write) -> None:
    write.session.add(a_box("held"))
    await write.session.flush()
    say("done", "holding")
    await asyncio.sleep(600)


async def look(folder: Path, number: int, count: int) -> None:
    """Prints the head's version each time it gets a line."""
    async with opened(folder) as files:
        toys = Toys(files, toy_tenant(number))
        while True:
            await started()
            say("done", (await toys.head()).version)


def nursery(folder: Path, first: int, count: int, mode: str) -> None:
    """Forks a process for MODE for each line it gets, so that each need not import everything."""
    for number in range(first, first + 10_000):
        say("ready")
        if not sys.stdin.readline():
            return
        child = os.fork()
        if child == 0:
            sys.stdin = io.StringIO("go\n")
            asyncio.run(globals()[mode](folder, number, count))
            os._exit(0)
        say("child", child)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    mode, folder, number, count = sys.argv[1:]
    if mode.startswith("nursery-"):
        nursery(Path(folder), int(number), int(count), mode.removeprefix("nursery-"))
    else:
        asyncio.run(globals()[mode](Path(folder), int(number), int(count)))
