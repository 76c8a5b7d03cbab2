"""What cameras note in pictures, as EXIF 2.32 has it: read for its author, written for its turn."""

from __future__ import annotations

import contextlib
import struct

_ORIENTATION, _ARTIST, _COPYRIGHT = 0x0112, 0x013B, 0x8298
#: Entries of a directory that are looked at.
_MOST = 200


class Exif:
    """The first directory of a block of EXIF; empty where it cannot be read.

    Attributes:
        orientation: 1 to 8; 1 is upright.
        credit: who made the picture, or whose it is.
    """

    def __init__(self, block: bytes) -> None:
        self.orientation = 1
        self.credit = ""
        block = block.removeprefix(b"Exif\0\0")
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is not None:
            found: dict[int, str] = {}
            with contextlib.suppress(struct.error):  # it is cut off: what was read counts
                self._read(block, order, found)
            self.credit = found.get(_ARTIST) or found.get(_COPYRIGHT) or ""

    def _read(self, block: bytes, order: str, found: dict[int, str]) -> None:
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for number in range(min(count, _MOST)):
            entry = at + 2 + 12 * number
            tag, kind, length = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == _ORIENTATION and kind == 3:
                (turn,) = struct.unpack_from(f"{order}H", block, entry + 8)
                self.orientation = turn if 1 <= turn <= 8 else 1
            elif tag in {_ARTIST, _COPYRIGHT} and kind == 2:
                (place,) = struct.unpack_from(f"{order}I", block, entry + 8)
                start = entry + 8 if length <= 4 else place
                text = block[start : start + min(length, 1000)].split(b"\0")[0]
                found[tag] = text.decode("utf-8", "replace").strip()


def orientation_only(orientation: int) -> bytes:
    """A block of EXIF that says nothing but how a picture is turned."""
    entry = struct.pack("<HHIHH", _ORIENTATION, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
