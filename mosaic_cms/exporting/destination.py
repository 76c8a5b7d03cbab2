"""Where an export goes: under another name until it is whole, and then at once."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mosaic_core.errors import Conflict, DiskFull, InvalidInput

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def new_folder(target: Path, *, mark: str, force: bool) -> Iterator[Path]:
    """A folder to write into, which gets the name ``target`` when everything is there.

    Args:
        mark: a file that every such export has: ``force`` replaces only a folder that has it.

    Raises:
        Conflict: something is there already.
        DiskFull, InvalidInput: it cannot be written; nothing is left behind.
    """
    target = target.absolute()
    _check_folder(target, mark, force)
    with reporting(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _beside(target)
        part.mkdir()
        try:
            yield part
            _replace(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Path]:
    """A path to write a file at, which gets the name ``target`` when it is whole.

    Raises:
        Conflict: something is there already.
        DiskFull, InvalidInput: it cannot be written; nothing is left behind.
    """
    target = target.absolute()
    if target.is_dir():
        raise Conflict(f"{target} is a folder.", hint="Name a file, such as site.json.")
    if target.exists() and not force:
        raise Conflict(
            f"{target} exists already.", hint="Name another file, or replace it with --force."
        )
    with reporting(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _beside(target)
        try:
            yield part
            os.replace(part, target)
        finally:
            with suppress(OSError):
                part.unlink()


def _check_folder(target: Path, mark: str, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise Conflict(f"{target} is a file.", hint="Name a folder that does not exist yet.")
    with reporting(target):
        if not any(target.iterdir()):
            return
    if not force:
        raise Conflict(
            f"The folder {target} is not empty.",
            hint="Name one that does not exist yet, or replace an older export with --force.",
        )
    if not (target / mark).is_file() or target.is_symlink():
        raise Conflict(
            f"The folder {target} is no export (it has no {mark}), and is not replaced.",
            hint="Name one that does not exist yet.",
        )


def _replace(part: Path, target: Path) -> None:
    """Puts a folder in the place of another; what was there goes only when it stands."""
    old = _beside(target)
    there = target.exists()
    if there:
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if there:
            old.rename(target)
        raise
    if there:
        shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name[:100]}.{uuid.uuid4().hex[:12]}.part"


@contextmanager
def reporting(target: Path) -> Iterator[None]:
    """Says what goes wrong with the disk in words."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"There is no room for {target}: {error.strerror}. Nothing was left there.",
                hint="Make room, or name a place on another disk; then export again.",
            ) from error
        raise InvalidInput(
            f"{target} cannot be written: {error.strerror or error}. Nothing was left there.",
            hint="Name a place that you may write to.",
        ) from error
