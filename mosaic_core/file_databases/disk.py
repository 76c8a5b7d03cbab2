"""One tenant's database as a file: made under another name, given its own, checked and removed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mosaic_core.database import sqlite
from mosaic_core.errors import DatabaseDamaged

#: Where a database file says how it is journalled, and the two ways (sqlite.org/fileformat.html,
#: section 1.3.3).
_JOURNAL_AT = 18
ROLLBACK, WRITE_AHEAD = b"\1\1", b"\2\2"


def revision(connection: sqlite3.Connection, path: Path) -> str:
    try:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise DatabaseDamaged(  # a database, but not one that was made by the migrations
            f"The database {path.name} is empty.", hint="Restore the file from a backup."
        ) from error
    return ",".join(sorted(row[0] for row in rows))


def applied(connection: sqlite3.Connection) -> dict[str, bool]:
    """What the database remembers of its migrations (:attr:`mosaic_core.database.History.applied`);
    nothing before it does."""
    there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'"
    if connection.execute(there).fetchone() is None:
        return {}
    rows = connection.execute("SELECT revision, required FROM migrations")
    return {name: bool(required) for name, required in rows}


def remove(path: Path) -> None:
    """Removes a database, and the log that one may have left that is gone already."""
    for file in (path, f"{path}-wal", f"{path}-shm"):
        with suppress(FileNotFoundError):
            os.unlink(file)


def with_journal(content: bytes, kind: bytes) -> bytes:
    return content[:_JOURNAL_AT] + kind + content[_JOURNAL_AT + len(kind) :]


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A handle of a folder, to be told that what has come into it is to be on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def write(content: bytes, path: Path, journal: bytes, folder: int) -> None:
    """Writes a whole database, which has its name only once it is on the disk.

    It takes few steps: while the event loop works, each waits for its turn with the interpreter.

    Args:
        journal: how it is journalled, whatever ``content`` says.
        folder: an open handle of the folder that it is in.
    """
    draft = path.with_suffix(".new")
    parts = [
        content[:_JOURNAL_AT],
        journal,
        memoryview(content)[_JOURNAL_AT + len(journal) :],
    ]
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            _write(handle, parts)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    os.fsync(folder)


def _write(handle: int, parts: list[Any]) -> None:
    left = sum(map(len, parts)) - os.writev(handle, parts)
    while left:  # the disk took some of it, and says why when it is asked to take the rest
        left -= os.write(handle, b"".join(parts)[-left:])


def integrity(path: Path) -> list[str]:
    connection = sqlite.connect(path, writable=False)
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
        found = [] if found == ["ok"] else found
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            found.append(f"row {row} of {table} points to a missing row of {parent}")
    finally:
        connection.close()
    return found
