"""Everything that can be asked of the platform database, tried once in a process of its own.

``python -m tests.core.directory.trials KIND FOLDER`` makes a platform database, takes something
away (a right, or room), tries everything, gives it back, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mosaic_core.directory import Directory, PlatformFile, open_directory
from mosaic_core.errors import MosaicError
from mosaic_core.head import PLATFORM
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.platform import platform_history
from tests.core.head.toys import toy_tenant

NOBODY = 65534
#: Read once: who loses rights may lose those to the migrations too.
_HISTORY = platform_history()
READS: dict[str, Callable[[Directory], Awaitable[Any]]] = {
    "refresh": lambda directory: directory.refresh(now=True),
    "records": lambda directory: directory.records(),
    "hinted": lambda directory: directory.hinted(),
    "count": lambda directory: directory.count(),
    "behind": lambda directory: directory.behind(_HISTORY),
}
WRITES: dict[str, Callable[[Directory], Awaitable[Any]]] = {
    "add": lambda directory: directory.add(toy_tenant(99), "r", actor="tester"),
    "change": lambda directory: directory.change(
        toy_tenant(1).tenant_id, actor="tester", action="test", reason="new"
    ),
    "add_domain": lambda directory: directory.add_domain(
        toy_tenant(1).tenant_id, "new.example", actor="tester"
    ),
    "hint": lambda directory: directory.hints.give(toy_tenant(2).tenant_id, ("test.topic",)),
}


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Directory]:
    database = PlatformFile(folder / "platform.db", _HISTORY)
    try:
        async with open_directory(database, "localhost", 0.5) as directory:
            yield directory
    finally:
        await database.close()


async def made(folder: Path) -> None:
    """A platform database with three tenants."""
    database = PlatformFile(folder / "platform.db", _HISTORY)
    await database.migrate()
    await database.close()
    async with opened(folder) as directory:
        for number in (1, 2, 3):
            await directory.add(toy_tenant(number), "r", actor="tester")
        for trial in READS.values():  # everything is imported before a right is gone
            await trial(directory)
        await directory.hints.give(toy_tenant(1).tenant_id, ("test.topic",))


async def outcome(trial: Awaitable[Any]) -> dict[str, Any]:
    """What it came to: nothing said when it worked, else the error."""
    try:
        await trial
    except MosaicError as error:
        return _said(error)
    return {"error": None}


def _said(error: MosaicError) -> dict[str, Any]:
    return {"error": error.code, "message": error.message, "hint": error.hint}


async def migrated(folder: Path) -> None:
    database = PlatformFile(folder / "platform.db", _HISTORY)
    try:
        await database.migrate()
    finally:
        await database.close()


async def whole(directory: Directory) -> None:
    async with directory.database.session() as session:
        await verify(session, PLATFORM)
        content = await content_of(session, PLATFORM.head.metadata)
        assert await rebuild(session, PLATFORM) == content


async def _all(folder: Path) -> dict[str, Any]:
    found = {}
    try:
        async with opened(folder) as directory:
            for name, trial in (READS | WRITES).items():
                found[name] = await outcome(trial(directory))
            found["known"] = sorted(record.tenant.slug for record in await directory.records())
    except MosaicError as error:
        found["open"] = _said(error)
    found["migrate"] = await outcome(migrated(folder))
    return found


def _lose_rights(data: Path) -> None:
    for path in data.iterdir():
        path.chmod(0o444)
    data.chmod(0o555)
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


async def _unprivileged(folder: Path) -> dict[str, Any]:
    """A user who may read the data folder and write nothing in it."""
    data = folder / "data"
    data.mkdir()
    await made(data)
    _lose_rights(data)
    return await _all(data)


async def _losing(folder: Path) -> dict[str, Any]:
    """A process that loses its rights while it has the database open."""
    data = folder / "data"
    data.mkdir()
    await made(data)
    found = {}
    async with opened(data) as directory:
        await WRITES["hint"](directory)
        _lose_rights(data)
        for name, trial in (READS | WRITES).items():
            found[name] = await outcome(trial(directory))
        found["known"] = sorted(record.tenant.slug for record in await directory.records())
    return found


async def _limited(folder: Path) -> dict[str, Any]:
    """A process that may not make a file larger than half a megabyte."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    await made(folder)
    async with opened(folder) as directory:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, most))
        found = await _fill_up(directory)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        found["afterwards"] = await outcome(WRITES["add"](directory))
        await whole(directory)
    return found


async def _cramped(folder: Path) -> dict[str, Any]:
    """A disk of three megabytes."""
    await made(folder)
    async with opened(folder) as directory:
        found = await _fill_up(directory)
        found["migrate"] = await outcome(migrated(folder))
        found["new"] = await outcome(migrated(folder / "new"))
        (folder / "ballast").unlink()
        found["afterwards"] = await outcome(WRITES["add"](directory))
        await whole(directory)
    found["again"] = await outcome(migrated(folder / "new"))
    return found


async def _fill_up(directory: Directory) -> dict[str, Any]:
    """Adds tenants until it fails; then all that were acknowledged are known, and no other."""
    known = [record.tenant.slug for record in await directory.records()]
    found: dict[str, Any] = {}
    for number in range(1_000, 9_000):
        came_to = await outcome(directory.add(toy_tenant(number), "r" * 400, actor="tester"))
        if came_to["error"]:
            found["add"] = came_to
            break
        known.append(toy_tenant(number).slug)
    for name, trial in READS.items():
        found[name] = await outcome(trial(directory))
    found["kept"] = sorted(known) == sorted(r.tenant.slug for r in await directory.records())
    await whole(directory)
    return found


if __name__ == "__main__":
    kind, place = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[f"_{kind}"](Path(place)))))
