"""Files of no tenant: what a process leaves that is killed while it makes one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from mosaic_core.file_databases.naming import Names
from mosaic_core.persistence import Stray


def strays(folder: Path, names: Names, known: Collection[str]) -> list[Stray]:
    """The databases in ``folder`` of tenants that are not ``known``, and drafts that nobody fills;
    nothing of files that have other names."""
    found = []
    for path in sorted(folder.iterdir()):
        home = names.home(path.stem)
        if home is None:
            continue
        try:
            if path.suffix == ".db" and home.tenant_id not in known:
                what = "No tenant of the directory has this database"
                found.append(
                    Stray.of(
                        path.name, what, _written(path), home, f"remove {path.with_suffix('')}.*"
                    )
                )
            elif path.suffix == ".new" and not _taken(path.with_suffix(".lock")):
                what = "This is half a tenant's database"
                # What a tenant has that is known is never dropped for a draft beside it.
                whose = None if home.tenant_id in known else home
                found.append(Stray.of(path.name, what, _written(path), whose, f"remove {path}"))
        except FileNotFoundError:  # it has gone meanwhile: its maker is alive
            continue
    return found


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


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
