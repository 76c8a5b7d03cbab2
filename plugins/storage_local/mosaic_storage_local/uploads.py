"""Files that come in parts: ``uploads/<id>/`` with ``about.json`` and one file for each part."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from mosaic_core.errors import FileMismatch, FileMissing
from mosaic_core.storage import FileInfo, Swept, Upload
from mosaic_storage_local import disk
from mosaic_storage_local.drafts import draft, receive, watched
from mosaic_storage_local.home import Home

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PART = re.compile(r"part-(\d{1,9})", re.ASCII)
_PART_SIZE = 8 * 1024 * 1024
_CHUNK = 1024 * 1024


def begin(home: Home, key: str, size: int, digest: str | None) -> Upload:
    """A new upload, whose bytes count from now on."""
    upload = Upload.begun(uuid.uuid4().hex, key, size, digest, _PART_SIZE)
    with disk.turn(home.path):
        home.require_room(size)
        used = home.used()
        home.count(used + size)
        folder = home.uploads / upload.id
        folder.mkdir(parents=True)
        about = {"key": key, "size": size, "digest": digest, "part_size": _PART_SIZE}
        try:
            (folder / "about.new").write_text(json.dumps(about))
            os.replace(folder / "about.new", folder / "about.json")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # the next sweep counts anew
                home.count(used)
            raise
    return upload


def find(home: Home, upload_id: str) -> Upload:
    """An upload with the parts that are there."""
    folder = _folder(home, upload_id)
    try:
        about = json.loads((folder / "about.json").read_text())
        present = sorted(int(found[1]) for name in os.listdir(folder) if (found := _part_of(name)))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing() from error
    return Upload(upload_id, **about, present=tuple(present))


async def write_part(home: Home, upload_id: str, number: int, chunks: AsyncIterable[bytes]) -> None:
    """Stores a part under its number when all of it is there."""
    upload = await asyncio.to_thread(find, home, upload_id)
    length = upload.length(number)
    with ExitStack() as stack:
        with disk.storing(upload.key):
            path, file = stack.enter_context(draft(home.drafts))
        watching = watched(home, path, chunks)
        written, _ = await receive(watching, file, upload.key, most=length)
        if written != length:
            raise FileMismatch(
                f"Part {number} of {upload.key!r} has {length} bytes; "
                f"{'more' if written > length else written} came.",
                hint="Send it again.",
            )
        with disk.storing(upload.key):
            await disk.finished(_keep, home, upload_id, path, number)


def _keep(home: Home, upload_id: str, path: Path, number: int) -> None:
    with disk.turn(home.path):
        if not (home.uploads / upload_id / "about.json").exists():  # ended meanwhile
            raise _missing()
        os.replace(path, home.uploads / upload_id / f"part-{number}")


def finish(home: Home, upload_id: str) -> FileInfo:
    """Puts the parts together, looks whether they are what was announced, and makes the file."""
    upload = find(home, upload_id)
    if upload.missing:
        raise FileMismatch(
            f"{upload.key!r} is not complete: {len(upload.missing)} of {upload.parts} parts are "
            f"missing, the first of them is number {upload.missing[0]}.",
            hint="Send them, then finish it again.",
        )
    folder, found = home.uploads / upload_id, hashlib.sha256()
    with draft(home.drafts) as (path, file):
        for number in range(1, upload.parts + 1):
            _append(folder / f"part-{number}", file, found)
        digest = found.hexdigest()
        if upload.digest not in (None, digest):
            raise FileMismatch(
                f"{upload.key!r} is not the file that was announced: its digest is {digest} "
                f"(announced: {upload.digest}).",
                hint="Send the parts that differ again, or end the upload.",
            )
        disk.sync(file)
        with disk.turn(home.path):
            claim = folder / "about.json"
            if not claim.exists():  # ended or finished meanwhile
                raise _missing()
            info = home.place(upload.key, path, digest, claimed=upload.size, claim=claim)
            _remove(folder)
    return info


def abort(home: Home, upload_id: str) -> None:
    """Ends an upload; nothing where there is none."""
    with suppress(FileMissing):
        folder = _folder(home, upload_id)
        if not folder.exists():
            return
        with disk.turn(home.path):
            upload = find(home, upload_id)
            used = home.used()
            _remove(folder)
            home.count(used - upload.size)


def sweep(home: Home, older_than: timedelta) -> Swept:
    """Removes uploads of which nothing came for so long; for whoever has the turn."""
    removed = size = 0
    before = time.time() - older_than.total_seconds()
    with suppress(FileNotFoundError):
        for folder in home.uploads.iterdir():
            with suppress(FileNotFoundError):
                # A part that comes changes the folder's time.
                if folder.stat().st_mtime <= before:
                    size += sum(path.stat().st_size for path in folder.glob("part-*"))
                    removed += 1
                    _remove(folder)
    return Swept(removed, size)


def _append(part: Path, file: BinaryIO, found: Any) -> None:
    try:
        with part.open("rb") as source:
            while chunk := source.read(_CHUNK):
                found.update(chunk)
                file.write(chunk)
    except FileNotFoundError as error:  # ended meanwhile
        raise _missing() from error


def _remove(folder: Path) -> None:
    # First what makes it an upload: one whose parts are half gone is none any more.
    (folder / "about.json").unlink(missing_ok=True)
    shutil.rmtree(folder)


def _folder(home: Home, upload_id: str) -> Path:
    if not _ID.fullmatch(upload_id):
        raise _missing()
    return home.uploads / upload_id


def _part_of(name: str) -> re.Match[str] | None:
    return _PART.fullmatch(name)


def _missing() -> FileMissing:
    return FileMissing("There is no such upload.", hint="Begin it anew.")
