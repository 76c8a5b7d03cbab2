"""An archive of a folder: unpacked within bounds, and nowhere but into the folder."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path, PurePosixPath

from mosaic_core.errors import InvalidInput

#: Files in an archive, and bytes of all of them when they are unpacked.
MOST_FILES, MOST_BYTES = 5_000, 256 * 1024 * 1024
_CHUNK = 1024 * 1024


def unpack(content: bytes, folder: Path) -> None:
    """Writes the files of a ZIP archive below a folder, which is empty.

    Raises:
        InvalidInput: it is none, is damaged, is too large when unpacked, or has a name that leaves
            the folder.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                raise InvalidInput(f"The archive has more than {MOST_FILES:,} files.")
            left = MOST_BYTES
            for entry in entries:
                left = _extract(archive, entry, folder, left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise InvalidInput(
            f"The archive cannot be read: {error}.", hint="Send a ZIP archive without a password."
        ) from error
    except RuntimeError as error:  # it has a password
        raise InvalidInput(f"The archive cannot be read: {error}.") from error


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, left: int) -> int:
    """Writes one file; what is left of the bytes."""
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or any(":" in part for part in name.parts):
        raise InvalidInput(f"The archive has the name {entry.filename[:200]!r}, which leaves it.")
    if entry.is_dir() or stat.S_ISLNK(entry.external_attr >> 16):
        return left
    target = folder.joinpath(*name.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The archive's own word for a size is not believed: what comes out is counted.
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise InvalidInput(
                    f"The archive is larger than {MOST_BYTES // 1024 // 1024} MiB when unpacked."
                )
            file.write(chunk)
    return left
