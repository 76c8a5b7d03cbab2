"""Files of no tenant: what a process leaves that is killed while it makes one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection
from pathlib import Path

from mosaic_core.persistence import Problem

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def strays(folder: Path, known: Collection[str]) -> list[Problem]:
    """The databases in ``folder`` of tenants that are not ``known``, and drafts that nobody fills.

    A tenant's id is what stands before the first dot of a file's name.
    """
    found = []
    for path in sorted(folder.iterdir()):
        try:
            if path.suffix == ".db" and path.name.partition(".")[0] not in known:
                found.append(_unknown(path))
            elif path.suffix == ".new" and not _taken(path.with_suffix(".lock")):
                found.append(_draft(path))
        except FileNotFoundError:  # it has gone meanwhile: its maker is alive
            continue
    return found


def _unknown(path: Path) -> Problem:
    return Problem(
        path.name,
        f"No tenant of the directory has this database, last written {_age(path)}.",
        "A process was killed before it made the tenant known. The database is never read: if "
        "no tenant is being made right now and platform.db is not from an old backup, remove "
        f"{path.with_suffix('')}.*",
    )


def _draft(path: Path) -> Problem:
    return Problem(
        path.name,
        f"This is half a tenant's database, last written {_age(path)}.",
        f"The process that made it was killed. It is never read: remove {path}",
    )


def _age(path: Path) -> str:
    seconds = max(time.time() - path.stat().st_mtime, 0)
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "less than a minute ago"


def _taken(lock: Path) -> bool:
    """Whether a process holds the turn: then it is at work on what belongs to it."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
