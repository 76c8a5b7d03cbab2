"""ZIP archives: what is told of one by its directory, without unpacking anything of it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from itertools import pairwise
from typing import BinaryIO

from mosaic_core.errors import InvalidInput

_END = b"PK\x05\x06"
#: What stands before the end record when another one has the real numbers (APPNOTE, 4.3.15).
_LARGE = b"PK\x06\x07"
#: Bytes in which an archive's end is looked for: its record, and the longest comment.
_TAIL = 22 + 65_535
#: Bytes of a directory, and entries of it, that are read.
_MOST_DIRECTORY, _MOST_ENTRIES = 16 * 1024 * 1024, 50_000
#: Bytes that may come out, unless they are no more than so many times what is there.
_MOST_UNPACKED, _MOST_RATIO = 2_000_000_000, 200
#: Documents that are archives: by an entry that each of them has.
_OFFICE = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx", "ppt/presentation.xml": "pptx"}
#: Or by what their first entry says.
_OPEN = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/epub+zip": "epub",
}


def ends_as_archive(file: BinaryIO, size: int) -> bool:
    """Whether a file is an archive by its end, whatever it is by its beginning."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(_END)
    while at >= 0:
        if len(tail) - at >= 22:
            comment = int.from_bytes(tail[at + 20 : at + 22], "little")
            directory = int.from_bytes(tail[at + 12 : at + 16], "little")
            if at + 22 + comment <= len(tail) and directory <= size:
                return True
        at = tail.rfind(_END, 0, at)
    return False


def check_archive(file: BinaryIO, size: int) -> str:
    """The kind of a whole and harmless archive: ``zip``, or that of a document.

    Raises:
        InvalidInput: it is damaged, a bomb, or has entries that lead out of it.
    """
    _require_readable(file, size)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _require_harmless(entries, size)
            return _kind(archive, entries)
    except (zipfile.BadZipFile, ValueError, EOFError, struct.error, NotImplementedError) as error:
        raise InvalidInput(
            "It is a ZIP archive that is cut off or damaged.", hint="Pack it again."
        ) from error


def _require_readable(file: BinaryIO, size: int) -> None:
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise InvalidInput("It is a ZIP archive that is cut off.", hint="Send it again.")
    if tail[max(0, at - 20) : at].startswith(_LARGE):
        raise InvalidInput(
            "It is a ZIP archive in the form for very large ones.",
            hint="Pack less into one archive.",
        )
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > _MOST_DIRECTORY:
        raise InvalidInput("Its directory is longer than that of any proper archive.")


def _require_harmless(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > _MOST_ENTRIES:
        raise InvalidInput(f"It has {len(entries):,} entries; {_MOST_ENTRIES:,} are let in.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _MOST_UNPACKED and unpacked > _MOST_RATIO * size:
        raise InvalidInput(
            f"It is a decompression bomb: {size:,} bytes would become {unpacked:,}.",
            hint="Send what is in it.",
        )
    places = sorted((entry.header_offset, entry.compress_size) for entry in entries)
    for (start, length), (following, _) in pairwise(places):
        if start + length > following:
            raise InvalidInput("It is a decompression bomb: its entries lie over one another.")
    if places and places[0][0] != 0:
        raise InvalidInput("Something else stands before the archive in the file.")
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
            raise InvalidInput(
                f"It has an entry that leads out of it: {entry.filename[:80]!r}.",
                hint="Pack it again, without such names.",
            )


def _kind(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str:
    names = {entry.filename for entry in entries}
    for name, kind in _OFFICE.items():
        if name in names and "[Content_Types].xml" in names:
            return kind
    first = entries[0] if entries else None
    if first is not None and first.filename == "mimetype" and first.file_size < 100:
        if first.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return "zip"
        try:
            return _OPEN.get(archive.read(first).strip(), "zip")
        except (RuntimeError, zlib.error):  # it is encrypted, or is none
            return "zip"
    return "zip"
