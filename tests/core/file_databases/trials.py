"""Everything that can be asked of a tenant's database, tried once; and a process that tries it.

``python -m tests.core.file_databases.trials KIND FOLDER`` makes a tenant, takes something away
(a right, or room), tries everything, gives it back, and prints what each trial came to as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, select

from mosaic_core.errors import MosaicError
from mosaic_core.file_databases import FileDatabases
from mosaic_core.head import Write
from tests.core.head.toys import Box, Shown, Toys, a_box, opened, toy_schema, toy_tenant

SHOWN_AT = select(Shown.text).where(Shown.path == bindparam("path"))


async def contents(toys: Toys) -> int:
    async with toys.files.session(toys.tenant) as session:
        return int(await session.scalar(select(func.sum(func.length(Box.note)))) or 0)


async def shown(toys: Toys) -> str:
    rows = await toys.files.published(toys.tenant, SHOWN_AT, {"path": "/"})
    return str(rows[0][0])


async def change(toys: Toys) -> None:
    async def fn(write: Write) -> None:
        for row in await write.session.scalars(select(Box)):
            row.label = "changed"

    await toys.write(fn)


READS: dict[str, Callable[[Toys], Awaitable[Any]]] = {
    "head": lambda toys: toys.head(),
    "published": shown,
    "session": contents,
    "size": lambda toys: toys.files.size(toys.tenant),
    "revision": lambda toys: toys.files.revision(toys.tenant),
}
WRITES: dict[str, Callable[[Toys], Awaitable[Any]]] = {
    "write": change,
    "migrate": lambda toys: toys.files.migrate(toys.tenant),
    "compact": lambda toys: toys.files.compact(toys.tenant),
}


async def filled(files: FileDatabases, number: int = 1, *, boxes: int = 40) -> Toys:
    """A tenant with some two hundred kilobytes and something to see."""
    toys = Toys(files, toy_tenant(number))
    await files.provision(toys.tenant)
    rows = [a_box(f"box-{n}", note="x" * 2000) for n in range(boxes)]
    await toys.add(*rows, Shown(path="/", text=f"shown of {number}"))
    return toys


async def outcome(trial: Awaitable[Any]) -> dict[str, Any]:
    """What it came to: nothing said when it worked, else the error."""
    try:
        await trial
    except MosaicError as error:
        return {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "transient": error.transient,
        }
    return {"error": None}


async def _unprivileged(folder: Path) -> dict[str, Any]:
    """A user who may read everything and write nothing."""
    nobody = 65534
    schema = toy_schema()  # its migrations are read while this user may read the project
    data = folder / "data"
    async with opened(data, schema=schema) as files:
        await filled(files)
        await filled(files, 2)
        # Everything is imported and used once before the rights are gone.
        for trial in (*READS.values(), *WRITES.values()):
            await trial(Toys(files, toy_tenant(2)))
    for path in sorted(data.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    data.chmod(0o555)
    if os.geteuid() == 0:
        os.setgid(nobody)
        os.setuid(nobody)
    found: dict[str, Any] = {}
    async with opened(data, schema=schema) as files:
        toys = Toys(files, toy_tenant())
        for name, trial in (READS | WRITES).items():
            found[name] = await outcome(trial(toys))
        found["provision"] = await outcome(files.provision(toy_tenant(3)))
        found["drop"] = await outcome(files.drop(toy_tenant(1)))
    return found


async def _others_lock(folder: Path) -> dict[str, Any]:
    """A user to whom everything belongs but the lock beside one tenant's file."""
    nobody = 65534
    schema = toy_schema()  # its migrations are read while this user may read the project
    data = folder / "data"
    async with opened(data, schema=schema) as files:
        one, two = await filled(files), await filled(files, 2)
        for trial in (*READS.values(), *WRITES.values()):
            await trial(one)
    lock = one.path.with_suffix(".lock")
    lock.chmod(0o400)
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            if path != lock:
                os.chown(path, nobody, nobody)
        os.setgid(nobody)
        os.setuid(nobody)
    found: dict[str, Any] = {}
    async with opened(data, schema=schema) as files:
        one, two = (Toys(files, toys.tenant) for toys in (one, two))
        for name, trial in (READS | {"write": change}).items():
            found[name] = await outcome(trial(one))
        found["another's"] = await outcome(change(two))
        for name, toys in {"check": one, "another's check": two}.items():
            problems = await files.check(toys.tenant)
            found[name] = [f"{p.subject}: {p.what}. {p.mend}" for p in problems]
    return found


async def _readable_file(folder: Path) -> dict[str, Any]:
    """A user who may write the folder, but not the file."""
    nobody = 65534
    schema = toy_schema()  # its migrations are read while this user may read the project
    data = folder / "data"
    async with opened(data, schema=schema) as files:
        toys = await filled(files)
        for trial in (*READS.values(), *WRITES.values()):
            await trial(toys)
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            os.chown(path, nobody, nobody)
        os.setgid(nobody)
        os.setuid(nobody)
    toys.path.chmod(0o444)
    found: dict[str, Any] = {}
    async with opened(data, schema=schema) as files:
        toys = Toys(files, toy_tenant())
        for name, trial in (READS | {"write": change}).items():
            found[name] = await outcome(trial(toys))
    for path in toys.path.parent.iterdir():  # the log beside the file has its mode
        path.chmod(0o644)
    async with opened(data, schema=schema) as files:
        found["afterwards"] = await outcome(change(Toys(files, toy_tenant())))
    return found


async def _limited(folder: Path) -> dict[str, Any]:
    """A process that may not make a file larger than a megabyte."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with opened(folder) as files:
        toys = await filled(files)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, most))
        found = await _fill_up(toys)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        found["afterwards"] = await outcome(toys.add(a_box("after")))
        await toys.whole()
        found["check"] = [problem.what for problem in await files.check(toys.tenant)]
    return found


async def _template(folder: Path) -> dict[str, Any]:
    """A process that may not make a file of the size that a template has."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def start() -> None:
        async with opened(folder) as files:
            await files.provision(toy_tenant())

    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most))
    found: dict[str, Any] = {"start": await outcome(start()), "again": await outcome(start())}
    found["left"] = [path.name for path in folder.rglob("*") if path.is_file()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    found["afterwards"] = await outcome(start())
    return found


async def _cramped(folder: Path) -> dict[str, Any]:
    """A disk of six megabytes."""
    async with opened(folder) as files:
        toys = await filled(files)
        found = await _fill_up(toys)
        found["provision"] = await outcome(_provision_many(files))
        found["half made"] = [p.name for p in toys.path.parent.glob("*.new*")]
        (folder / "ballast").unlink()
        found["afterwards"] = await outcome(toys.add(a_box("after")))
        await toys.whole()
        found["check"] = [problem.what for problem in await files.check(toys.tenant)]
    return found


async def _provision_many(files: FileDatabases) -> None:
    for number in range(100, 200):
        await files.provision(toy_tenant(number))


async def _fill_up(toys: Toys) -> dict[str, Any]:
    """Writes until it fails; then everything that was acknowledged is there, and nothing else."""
    kept = await contents(toys)
    found: dict[str, Any] = {}
    for n in range(200):
        came_to = await outcome(toys.add(a_box(f"more-{n}", note="y" * 50_000)))
        if came_to["error"]:
            found["write"] = came_to
            break
        kept += 50_002
    found["kept"] = await contents(toys) == kept
    for name, trial in READS.items():
        found[name] = await outcome(trial(toys))
    await toys.verify()
    found["verified"] = True
    return found


if __name__ == "__main__":
    kind, place = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[f"_{kind}"](Path(place)))))
