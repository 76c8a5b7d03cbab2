"""The boxes of a film (ISO/IEC 14496-12), and what was noted in them beside what it shows.

Cameras write where they were, and which they are, into the user data and the metadata of a film and
of its tracks. Such a box becomes free space of the same length: so nothing that points into the
file has to change, and its pictures and sounds stay as they are, to the bit.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import BinaryIO, NamedTuple

from mosaic_core.errors import InvalidInput

#: Boxes that are looked at, and those of them that note something.
_MOST, _MOST_NOTED = 100_000, 1_000
#: Boxes that are made of boxes, as far as something may be noted in them.
_AROUND = frozenset({b"moov", b"trak", b"mdia", b"moof", b"traf"})
_NOTED = frozenset({b"udta", b"meta"})
#: The type of a ``uuid`` box that is XMP (ISO 16684-3).
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


class Box(NamedTuple):
    """Where a box begins, its content, and where it ends."""

    name: bytes
    at: int
    inside: int
    end: int


def require_film(file: BinaryIO, size: int) -> None:
    """Raises InvalidInput unless there are boxes up to the very end, and one that says what is in
    the others: at least one track."""
    names, end, tracks, left = set(), 0, False, iter(range(_MOST))
    for box in _boxes(file, 0, size, left):
        names.add(box.name)
        end = box.end
        if box.name == b"moov" and end <= size:
            inside = _boxes(file, box.inside, end, left)
            tracks = tracks or any(one.name == b"trak" for one in inside)
    if end < size:
        raise InvalidInput("Something else stands behind the film in the file.")
    if end > size or not names & {b"moov", b"moof"}:
        raise InvalidInput("It is a film that is cut off.", hint="Send it again.")
    if not tracks:
        raise InvalidInput("It is a film without a track.", hint="Send it again.")


def noted_in(file: BinaryIO, size: int) -> tuple[Box, ...]:
    """The boxes in which something was noted."""
    found: list[Box] = []
    around, left = [(0, size)], iter(range(_MOST))
    while around:
        for box in _boxes(file, *around.pop(), left):
            if box.name in _NOTED or (box.name == b"uuid" and _begins(file, box) == _XMP):
                found.append(box)
            elif box.name in _AROUND and box.end <= size:
                around.append((box.inside, box.end))
        if len(found) > _MOST_NOTED:
            raise _unusual()
    return tuple(found)


async def without(chunks: AsyncIterable[bytes], noted: tuple[Box, ...]) -> AsyncIterator[bytes]:
    """A film whose noted boxes are free space."""
    at = 0
    async for chunk in chunks:
        made, end = bytearray(chunk), at + len(chunk)
        for box in noted:
            for start, stop, content in (
                (box.at + 4, box.at + 8, b"free"),
                (box.inside, box.end, None),
            ):
                low, high = max(start, at), min(stop, end)
                if low < high:
                    filler = bytes(high - low) if content is None else content[low - start :]
                    made[low - at : high - at] = filler[: high - low]
        yield bytes(made)
        at = end


def _boxes(file: BinaryIO, at: int, end: int, left: Iterator[int]) -> Iterator[Box]:
    """The boxes in a part of a file, as many as are left; ends where no box follows."""
    while at < end:
        if next(left, None) is None:
            raise _unusual()
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, name = struct.unpack_from(">I4s", head)
        inside = at + 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
            inside = at + 16
        length = end - at if length == 0 else length
        if length < inside - at or not all(32 <= byte < 127 or byte == 0xA9 for byte in name):
            return
        yield Box(name, at, inside, at + length)
        at += length


def _begins(file: BinaryIO, box: Box) -> bytes:
    file.seek(box.inside)
    return file.read(16)


def _unusual() -> InvalidInput:
    return InvalidInput(f"It is no film that anybody makes: it has over {_MOST:,} parts.")
