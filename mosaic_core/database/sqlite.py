"""What is known of SQLite: how to open a file, take turns at writing, and read its errors."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from mosaic_core.database.inline import InlineConnection
from mosaic_core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseError,
    DatabaseMissing,
    DatabaseReadOnly,
    DiskFull,
    InvalidInput,
    MosaicError,
)

PAGE_SIZE = 4096
_MOST_PAGES = 2**32 - 2
#: Seconds to wait for a lock that something else than MOSAIC holds.
BUSY_TIMEOUT = 5.0
#: The same in the event loop's thread, where waiting would stop everything else.
INLINE_TIMEOUT = 0.01
#: Seconds to wait for another process's turn at writing.
TURN_TIMEOUT = 30.0

_FREE = "Free some space; what was saved before is safe."
_LOCK_ERRORS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
#: The shared-memory file could not be made or grown (sqlite.org/rescode.html).
_IOERR_SHM = {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN}


class Full(DiskFull):
    """SQLite has one word for a full disk and for a file with as many pages as it may have."""


def pragmas(*, writable: bool, cache_kib: int = 512, timeout: float = BUSY_TIMEOUT) -> list[str]:
    """What every connection to a file of ours is told first.

    Args:
        writable: False makes the connection refuse to change anything.
        cache_kib: memory for its pages.
        timeout: seconds to wait for a lock.
    """
    told = [
        f"PRAGMA busy_timeout = {int(timeout * 1000)}",
        "PRAGMA foreign_keys = ON",
        "PRAGMA synchronous = FULL",
        "PRAGMA trusted_schema = OFF",
        f"PRAGMA cache_size = -{cache_kib}",
        "PRAGMA journal_size_limit = 4194304",
        # Whatever SQLite was built with: what is deleted leaves no bytes in free pages.
        "PRAGMA secure_delete = ON",
    ]
    if not writable:
        told.append("PRAGMA query_only = ON")
    return told


def uri(path: Path, *, mode: str = "rw") -> str:
    """The URI of a file that must exist (``rw``) or may be made (``rwc``)."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def connect(
    path: Path,
    *,
    writable: bool,
    cache_kib: int = 512,
    timeout: float = BUSY_TIMEOUT,
    any_thread: bool = False,
) -> sqlite3.Connection:
    """A synchronous connection in autocommit mode, for the thread that opens it.

    With ``any_thread``, for one thread after the other: the caller sees to that.
    """
    connection = sqlite3.connect(
        uri(path),
        uri=True,
        isolation_level=None,
        timeout=timeout,
        cached_statements=64,
        check_same_thread=not any_thread,
    )
    try:
        for pragma in pragmas(writable=writable, cache_kib=cache_kib, timeout=timeout):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def open_inline(
    path: Path,
    *,
    writable: bool,
    mode: str = "rw",
    cache_kib: int = 512,
    threads: Executor | None = None,
) -> InlineConnection:
    """A connection for an engine, whose commits wait for the disk in ``threads``."""
    connection = sqlite3.connect(
        uri(path, mode=mode),
        uri=True,
        isolation_level=None,
        timeout=INLINE_TIMEOUT,
        check_same_thread=False,  # a durable commit runs in another thread, and nothing beside it
        factory=InlineConnection,
    )
    connection.threads = threads
    try:
        for pragma in pragmas(writable=writable, cache_kib=cache_kib, timeout=INLINE_TIMEOUT):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def open_in_memory() -> InlineConnection:
    """A connection to a database of its own, which ends with it."""
    return sqlite3.connect(":memory:", isolation_level=None, factory=InlineConnection)


def limit(connection: sqlite3.Connection, pages: int | None) -> None:
    """Says how many pages the file of an open connection may have; None for as many as SQLite can
    count."""
    connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES if pages is None else pages}").close()


def explicit_transactions(engine: Engine) -> None:
    """BEGIN when SQLAlchemy says so: a reader gets one snapshot, a writer its lock.

    Python's own transaction handling would begin before the first change only.
    """

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if isinstance(driver, InlineConnection):
            driver.begin()
        else:
            driver.execute("BEGIN")


class Turns:
    """Turns at writing among processes, by ``flock`` on a file beside the database.

    SQLite's own lock is polled and unfair: with it alone, the longest wait of 20 writers in four
    processes was 11 s; the kernel's queue brings it to a fraction of a second.
    """

    @asynccontextmanager
    async def take(self, path: Path, *, timeout: float = TURN_TIMEOUT) -> AsyncIterator[None]:
        """Holds the turn on ``path``, whose holder may remove it.

        Raises:
            DatabaseBusy: it was not to be had within ``timeout`` seconds.
            DatabaseReadOnly: the lock file cannot be made.
        """
        handle = await self._take(path, timeout)
        while not _is_at(handle, path):  # its last holder removed it
            os.close(handle)
            handle = await self._take(path, timeout)
        try:
            yield
        finally:
            os.close(handle)

    async def _take(self, path: Path, timeout: float) -> int:
        with translating(str(path), files=True):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await self._wait(handle, path, timeout)
        except BaseException:
            os.close(handle)
            raise
        return handle

    async def _wait(self, handle: int, path: Path, timeout: float) -> None:
        """Waits in a thread; closes the handle unless the turn is the caller's."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if taken.done():  # nobody waits any more: pass the turn on
                os.close(handle)
            else:
                taken.set_result(None)

        def wait() -> None:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # the loop is closed
                os.close(handle)

        threading.Thread(target=wait, name=f"turn {path.name}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout):
                await taken
        except BaseException as error:
            if taken.done() and not taken.cancelled():
                os.close(handle)  # it came in the moment in which we gave up
            if not isinstance(error, TimeoutError):
                raise
            raise DatabaseBusy(
                f"Another process has been writing to {path.stem} for over {timeout:g} s.",
                hint="Try again; if it stays so, look for a stuck 'mosaic' process.",
            ) from None


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def translating(subject: str, *, files: bool = False) -> Iterator[None]:
    """Raises SQLite's errors as ours; ``subject`` names the database.

    With ``files``, the file system's too: not where somebody else's code runs inside, whose errors
    have nothing to do with the database.
    """
    try:
        yield
    except MosaicError:
        raise
    except DBAPIError as error:
        if isinstance(error.orig, MosaicError):
            raise error.orig from error
        if isinstance(error, IntegrityError):
            raise Conflict(f"{subject}: {error.orig}.") from error
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise translate(error.orig, subject) from error
    except StatementError as error:
        if not isinstance(error.orig, ValueError):
            raise
        raise InvalidInput(f"{subject} does not take a value: {error.orig}.") from error
    except sqlite3.Error as error:
        raise translate(error, subject) from error
    except OSError as error:
        if not files:
            raise
        raise _from_os(error, subject) from error


def translate(error: sqlite3.Error, subject: str) -> MosaicError:
    """Our error for one of SQLite's."""
    extended = getattr(error, "sqlite_errorcode", None) or 0
    primary = extended & 0xFF
    if primary in _LOCK_ERRORS:
        return DatabaseBusy(
            f"{subject} is locked by another program.",
            hint="Close whatever holds it open, then try again.",
        )
    if primary in _DAMAGE:
        return DatabaseDamaged(
            f"{subject} is damaged: {error}.",
            hint="Run 'mosaic doctor', and restore the file from a backup.",
        )
    if primary == sqlite3.SQLITE_FULL:
        return Full(f"{subject} cannot grow: the disk is full.", hint=_FREE)
    if primary == sqlite3.SQLITE_READONLY or extended == sqlite3.SQLITE_IOERR_SHMOPEN:
        return read_only(subject)
    if extended in _IOERR_SHM or extended == sqlite3.SQLITE_IOERR_WRITE:
        return _disk_full(subject)
    if primary == sqlite3.SQLITE_CANTOPEN:
        return DatabaseMissing(
            f"{subject} cannot be opened: {error}.",
            hint="Check that the file is there and that this user may read it; restore a backup.",
        )
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(f"{subject}: {error}.")
    return DatabaseError(f"{subject}: {error}.", hint="Run 'mosaic doctor'.")


def _from_os(error: OSError, subject: str) -> MosaicError:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return read_only(subject)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _disk_full(subject)
    if error.errno == errno.ENOENT:
        return DatabaseMissing(f"{subject} is not there.", hint="Restore it from a backup.")
    return DatabaseError(f"{subject}: {error.strerror}.")


def read_only(subject: str) -> DatabaseReadOnly:
    """The error for a file or folder that this user may not write."""
    return DatabaseReadOnly(
        f"{subject} cannot be written.",
        hint="Give this user the right to write the data folder and the files in it.",
    )


def _disk_full(subject: str) -> DiskFull:
    return DiskFull(f"{subject} cannot grow: the disk is full.", hint=_FREE)
