"""A file that an action makes for whoever asked: it has no name on the disk, and goes with them."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mosaic_cms.exporting.destination import reporting

_CHUNK = 256 * 1024
#: The earliest time that a ZIP archive can have: that of a file says when it was exported, and no
#: more than that.
_STAMP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Download:
    """An archive, open at its beginning; whoever gets it reads it or closes it.

    Attributes:
        name: what it is to be called.
        size: bytes.
    """

    name: str
    size: int
    file: IO[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The whole of it; it is closed then."""
        with self.file:
            while chunk := await asyncio.to_thread(self.file.read, _CHUNK):
                yield chunk

    def close(self) -> None:
        """Has it gone."""
        self.file.close()


def pack(folder: Path, name: str) -> Download:
    """A ZIP archive of all that is in a folder.

    Raises:
        DiskFull, InvalidInput: it cannot be written; nothing is left behind.
    """
    with reporting(folder):
        file = tempfile.TemporaryFile(prefix="mosaic-")  # noqa: SIM115 - it is handed over
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        _add(archive, path, path.relative_to(folder).as_posix())
            size = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return Download(name, size, file)


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(entry, "w") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)
