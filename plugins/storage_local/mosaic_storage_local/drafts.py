"""Drafts: files that are being written, each locked by who writes it.

A lock goes with its process, however that ends. So whoever can lock a draft knows that nobody
writes it any more, and may remove it.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mosaic_core.storage import Swept
from mosaic_storage_local import disk
from mosaic_storage_local.home import Home

#: Bytes of a file after which it is looked at how much is being written beside it.
_WATCHED = 1024 * 1024


@contextmanager
def draft(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new draft, open for writing; when this ends it is gone, unless it was moved away."""
    path, file = _new(folder)
    try:
        yield path, file
    finally:
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
        finally:
            with suppress(OSError):  # what matters was forced onto the disk before
                file.close()


def _new(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        disk.make_folder(folder)
        path = folder / uuid.uuid4().hex
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if disk.names(path, file.fileno()):
            return path, file
        file.close()  # it was cleared away before it was locked


@contextmanager
def leased(folder: Path, key: str) -> Iterator[bool]:
    """Whether the lease of a key was to be had; it is the caller's then until this ends."""
    name = folder / f"lease-{hashlib.sha256(key.encode()).hexdigest()}"
    with disk.storing(key):
        handle = _lease(name)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # then the next sweep removes it
            if disk.names(name, handle):
                name.unlink(missing_ok=True)
        os.close(handle)


def _lease(name: Path) -> int | None:
    while True:
        disk.make_folder(name.parent)
        try:
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the tenant is being dropped
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if disk.names(name, handle):
            return handle
        os.close(handle)  # whoever had it just removed it


async def watched(home: Home, draft: Path, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, as long as all that is written at one time does not fill the disk."""
    unseen = 0
    async for chunk in chunks:
        yield chunk
        unseen += len(chunk)
        if unseen >= _WATCHED:
            unseen = 0
            await asyncio.to_thread(home.require_disk, draft)


async def receive(
    chunks: AsyncIterable[bytes], file: BinaryIO, key: str, *, most: int | None
) -> tuple[int, str]:
    """Writes what comes onto the disk; how many bytes there were, and their digest.

    It ends at once when there are more than ``most``. An error of ``chunks`` is raised as it is.
    """
    written, found = 0, hashlib.sha256()
    async for chunk in chunks:
        written += len(chunk)
        if most is not None and written > most:
            return written, ""
        with disk.storing(key):
            await asyncio.to_thread(_take, file, found, chunk)
    with disk.storing(key):
        await asyncio.to_thread(disk.sync, file)
    return written, found.hexdigest()


def _take(file: BinaryIO, found: Any, chunk: bytes) -> None:
    found.update(chunk)
    file.write(chunk)


def clear(folder: Path) -> Swept:
    """Removes the drafts of processes that are gone."""
    removed = size = 0
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                found = _cleared(path)
                removed += found is not None
                size += found or 0
    return Swept(removed, size)


def _cleared(path: Path) -> int | None:
    """The bytes of a draft that was left; None of one that is being written."""
    owner = path.with_suffix("")
    if path.suffix and owner.exists():  # its facts go with it
        return None
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        size = path.stat().st_size
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)
        return size
