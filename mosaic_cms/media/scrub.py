"""Takes out of pictures what they do not show: where they were taken and with which camera, and
whatever else was put into or behind them. Their pixels stay as they are, to the bit.

How they are turned and their colours' profile stay; who made them is told.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mosaic_cms.media.exif import Exif, orientation_only
from mosaic_core.errors import InvalidInput

#: What stands in a scan of a JPEG and is a marker: neither filling nor a restart.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_PNG = b"\x89PNG\r\n\x1a\n"
#: What a PNG shows; whatever else is in it is left out.
_SHOWN = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD pHYs acTL fcTL "
    b"fdAT".split()
)
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04
#: Pieces that one item of an AVIF file is in; the real ones have one.
_MOST_EXTENTS = 64


@dataclass(slots=True)
class Scrubbed:
    """A picture without what it does not show.

    Attributes:
        content: the file.
        exif: what its EXIF said.
        trailing: bytes that stood behind the picture.
    """

    content: bytes
    exif: Exif = field(default_factory=lambda: Exif(b""))
    trailing: int = 0


def scrub(kind: str, content: bytes, *, keep: bool = False) -> Scrubbed:
    """A picture of a kind as it may be shown to everybody.

    Args:
        kind: jpeg, png, webp, avif or gif.
        keep: what was noted in it stays; only what stands behind the picture goes.

    Raises:
        InvalidInput: it is cut off, or not made as its kind is.
    """
    try:
        return _SCRUBS[kind](content, keep)
    except (struct.error, IndexError) as error:
        raise InvalidInput("It is cut off.", hint="Send it again.") from error


def _jpeg(content: bytes, keep: bool) -> Scrubbed:
    """Its segments: ITU-T T.81, annex B."""
    parts, exif, at = [content[:2]], Exif(b""), 2
    while True:
        while content[at] == 0xFF and content[at + 1] == 0xFF:  # filling
            at += 1
        if content[at] != 0xFF:
            raise InvalidInput("It is no proper JPEG.", hint="Save it again.")
        marker = content[at + 1]
        if marker == 0xD9:
            parts.append(b"\xff\xd9")
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        end = at + 2 + length
        segment = content[at:end]
        if len(segment) < 2 + length or length < 2:
            raise InvalidInput("It is cut off.", hint="Send it again.")
        data = segment[4:]
        if marker == 0xE1 and data.startswith(b"Exif\0\0"):
            exif = Exif(data)
        if marker == 0xDA:  # a scan follows
            found = _MARKER.search(content, end)
            if found is None:
                raise InvalidInput("It is cut off.", hint="Send it again.")
            end = found.start()
            segment = content[at:end]
        if keep or _is_shown(marker, data):
            parts.append(segment)
        at = end
    if not keep and exif.orientation != 1:
        block = b"Exif\0\0" + orientation_only(exif.orientation)
        parts.insert(1, b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block)
    return Scrubbed(b"".join(parts), exif, len(content) - at - 2)


def _is_shown(marker: int, data: bytes) -> bool:
    if marker == 0xE2:
        return data.startswith(b"ICC_PROFILE\0")
    return marker in {0xE0, 0xEE} or not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _png(content: bytes, keep: bool) -> Scrubbed:
    """Its chunks: PNG, third edition, section 5."""
    parts, exif, at, name = [_PNG], Exif(b""), len(_PNG), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise InvalidInput("It is cut off.", hint="Send it again.")
        if name == b"eXIf":
            exif = Exif(content[at + 8 : end - 4])
        if keep or name in _SHOWN:
            parts.append(content[at:end])
        at = end
    if not keep and exif.orientation != 1:
        parts.insert(2, _chunk(b"eXIf", orientation_only(exif.orientation)))
    return Scrubbed(b"".join(parts), exif, len(content) - at)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _webp(content: bytes, keep: bool) -> Scrubbed:
    """Its chunks: RFC 9649, section 2."""
    (length,) = struct.unpack_from("<I", content, 4)
    whole = min(8 + length + (length & 1), len(content))
    if 8 + length > len(content):
        raise InvalidInput("It is cut off.", hint="Send it again.")
    chunks, exif, at = [], Exif(b""), 12
    while at + 8 <= whole:
        name, size = struct.unpack_from("<4sI", content, at)
        end = at + 8 + size + (size & 1)
        data = content[at + 8 : at + 8 + size]
        if len(data) < size:
            raise InvalidInput("It is cut off.", hint="Send it again.")
        if name == b"EXIF":
            exif = Exif(data)
        if keep or name in {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}:
            chunks.append([name, data])
        at = end
    if not keep:
        turned = exif.orientation != 1
        if turned and chunks and chunks[0][0] == b"VP8X":
            chunks.append([b"EXIF", orientation_only(exif.orientation)])
        if chunks and chunks[0][0] == b"VP8X":
            flags = chunks[0][1][0] & ~(_EXIF_FLAG | _XMP_FLAG) | (_EXIF_FLAG if turned else 0)
            chunks[0][1] = bytes([flags]) + chunks[0][1][1:]
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
        for name, data in chunks
    )
    made = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    return Scrubbed(made, exif, len(content) - whole)


def _gif(content: bytes, keep: bool) -> Scrubbed:
    """Its blocks: GIF89a, section 17 and after. Only its trailing bytes and its words go."""

    def after_table(at: int, packed: int) -> int:
        return at + (3 << ((packed & 7) + 1) if packed & 0x80 else 0)

    def after_blocks(at: int) -> int:
        while content[at]:
            at += content[at] + 1
        return at + 1

    at = after_table(13, content[10])
    parts = [content[:at]]
    while content[at] != 0x3B:
        start = at
        if content[at] == 0x2C:
            at = after_blocks(after_table(at + 10, content[at + 9]) + 1)
            shown = True
        elif content[at] == 0x21:
            words = content[at + 1] in {0xFE, 0x01}  # a comment, or plain text
            of_program = content[at + 1] == 0xFF and content[at + 3 : at + 14] not in _LOOPS
            at, shown = after_blocks(at + 2), not (words or of_program)
        else:
            raise InvalidInput("It is no proper GIF.", hint="Save it again.")
        if shown or keep:
            parts.append(content[start:at])
    return Scrubbed(b"".join([*parts, b"\x3b"]), trailing=len(content) - at - 1)


_LOOPS = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})


def _avif(content: bytes, keep: bool) -> Scrubbed:
    """Its boxes: ISO/IEC 14496-12. What is noted is overwritten where it stands, so that nothing
    that points into the file has to change."""
    boxes = {name: (start, stop) for name, start, stop in _boxes(content, 0, len(content))}
    if b"meta" not in boxes:
        raise InvalidInput("It is no proper AVIF.", hint="Save it again.")
    end = max(stop for _, stop in boxes.values())
    made, exif = bytearray(content[:end]), Exif(b"")
    for kind, start, stop in _noted(content, boxes[b"meta"][0] + 4, boxes[b"meta"][1]):
        if stop > end:
            raise InvalidInput("It is cut off.", hint="Send it again.")
        if kind == b"Exif":  # behind four bytes that say where it begins
            exif = Exif(content[start + 4 : stop])
        if not keep:
            empty = b"\0\0\0\0II*\0\x08\0\0\0" if kind == b"Exif" else b""
            filler = (b"\0" if kind == b"Exif" else b" ") * (stop - start)
            made[start:stop] = (empty + filler)[: stop - start]
    return Scrubbed(bytes(made), exif, len(content) - end)


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the inside of each box; ends where no box follows."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, at + 8)
            head = 16
        size = end - at if size == 0 else size
        if size < head or not name.isalnum():
            return
        if at + size > end:
            raise InvalidInput("It is cut off.", hint="Send it again.")
        yield name, at + head, at + size
        at += size


def _noted(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each item that is EXIF or XMP."""
    inside = {name: (start, stop) for name, start, stop in _boxes(content, at, end)}
    if b"iinf" not in inside or b"iloc" not in inside:
        return
    kinds: dict[int, bytes] = {}
    start, stop = inside[b"iinf"]
    count = 4 if content[start] else 2
    for name, entry, _ in _boxes(content, start + 4 + count, stop):
        if name == b"infe" and content[entry] in {2, 3}:
            wide = content[entry] == 3
            item = int.from_bytes(content[entry + 4 : entry + (8 if wide else 6)], "big")
            kinds[item] = content[entry + (10 if wide else 8) :][:4]
    base = inside.get(b"idat", (0, 0))[0]
    for item, method, start, length in _places(content, inside[b"iloc"][0]):
        if kinds.get(item) in {b"Exif", b"mime"}:
            start += base if method == 1 else 0
            yield kinds[item], start, start + length


def _places(content: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """Item, construction method, offset and length of each extent: section 8.11.3."""
    version, at = content[at], at + 4
    sizes = content[at] >> 4, content[at] & 15, content[at + 1] >> 4
    index = content[at + 1] & 15 if version else 0
    at += 2

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(content):
            raise IndexError
        return int.from_bytes(content[at - size : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(sizes[2])
        extents = number(2)
        if extents > _MOST_EXTENTS:  # they may take no bytes, and so be any number
            raise IndexError
        for _ in range(extents):
            number(index)
            offset = number(sizes[0])
            yield item, method, base + offset, number(sizes[1])


_SCRUBS: dict[str, Callable[[bytes, bool], Scrubbed]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "avif": _avif,
}
