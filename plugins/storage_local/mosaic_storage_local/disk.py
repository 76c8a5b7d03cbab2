"""What is known of the disk: turns, durability, folders that come and go, and its errors."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import functools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from mosaic_core.ended import ended
from mosaic_core.errors import Conflict, DiskFull, FileMissing, StorageError

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def turn(home: Path) -> Iterator[None]:
    """Holds off whoever else would change the files below ``home``, in any process."""
    lock = home / "lock"
    while True:
        make_folder(home)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the tenant is being dropped
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if names(lock, handle):
                yield
                return
        finally:
            os.close(handle)


def names(path: Path, handle: int) -> bool:
    """Whether ``path`` still is the name of an open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def remove(home: Path) -> None:
    """Removes a tenant's folder with all that is in it, if it is there."""
    if not home.exists():
        return
    with turn(home):
        for folder in ("content", "facts", "drafts", "uploads"):
            with suppress(FileNotFoundError):
                shutil.rmtree(home / folder)
        for file in ("usage", "usage.new", "lock"):
            (home / file).unlink(missing_ok=True)
    with suppress(OSError):  # somebody has begun anew
        home.rmdir()


def make_folder(folder: Path) -> None:
    """Makes a folder, and those that it is in; the names of new ones survive a loss of power."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def prune(folder: Path, home: Path) -> None:
    """Removes empty folders from ``folder`` upwards, so that their names can be files."""
    while folder.parent != home:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # it has something in it
            return
        folder = folder.parent


def sizes(content: Path) -> dict[str, int]:
    """Bytes by key of every file below ``content``; what vanishes meanwhile is left out."""
    found = {}
    for key in keys(content):
        with suppress(FileNotFoundError):
            found[key] = os.stat(f"{content}/{key}").st_size
    return found


def keys(content: Path, prefix: str = "") -> list[str]:
    """The keys of the files below ``content`` that begin with ``prefix``, in their order.

    Only the folder that such keys are in is walked; what vanishes meanwhile may be left out."""

    def unless_gone(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    found = []
    top, _, beginning = prefix.rpartition("/")
    start = str(content / top)
    for folder, folders, names in os.walk(start, onerror=unless_gone):
        if folder == start:
            folders[:] = [name for name in folders if name.startswith(beginning)]
            names = [name for name in names if name.startswith(beginning)]
        within = folder[len(str(content)) + 1 :]
        found += [f"{within}/{name}" for name in names] if within else names
    return sorted(found)


async def finished(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs ``function`` in a thread and is cancelled only once it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    await ended(running)
    return running.result()


def length(handle: int) -> int:
    """The bytes of an open file.

    Raises:
        IsADirectoryError: it is no file.
    """
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return found.st_size


def sync(file: BinaryIO) -> None:
    """What was written to ``file`` survives a loss of power."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """The names in ``folder`` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@functools.cache
def boot() -> str:
    """When this machine was started, as a name; the same name for ever where that is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def instant(stamp: int) -> datetime:
    """A file's time in nanoseconds as an instant, to the microsecond."""
    return datetime.fromtimestamp(stamp // 1000 / 1e6, UTC)


@contextmanager
def reading(key: str) -> Iterator[None]:
    """Raises the file system's errors as ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise FileMissing(f"There is no file {key!r}.") from error
    except OSError as error:
        raise StorageError(f"{key!r} cannot be read: {error.strerror}.") from error


@contextmanager
def storing(key: str) -> Iterator[None]:
    """Raises the file system's errors as ours."""
    try:
        yield
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise Conflict(
            f"{key!r} cannot be a file: a part of it is a file, or it is a folder, already.",
            hint="Use another name.",
        ) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"The disk has no room for {key!r}.", hint="Free some space, then send it again."
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StorageError(
                f"The folder of files cannot be written: {key!r} was not changed.",
                hint="Give this user the right to write the data folder.",
            ) from error
        raise StorageError(f"{key!r} was not changed: {error.strerror}.") from error
