"""Whether a sound is one from its beginning to its end, by the parts that its format is made of.

Only what stands before each part is read, none of it is decoded, and each look ends after so many
parts. What a part has in it is for a player to make something of: browsers are told that it is a
sound, and are not to look for anything else in it.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from mosaic_core.errors import InvalidInput

#: Parts that are looked at, more than a day of sound; and those of them that are none.
_MOST, _MOST_TAGS = 5_000_000, 1_000
#: Pages of an Ogg stream whose checksum is computed: it takes milliseconds each.
_CHECKED_PAGES = 4

# ---- WAVE (RIFF) ---------------------------------------------------------------------------------


def require_wave(file: BinaryIO, size: int) -> None:
    """Chunks up to the end that the first one says, which is the file's; a format, and samples.

    Raises:
        InvalidInput: it is another.
    """
    (length,) = struct.unpack("<I", _at(file, 4, 4).ljust(4, b"\0"))
    end, at, names = 8 + length, 12, set()
    if end > size:
        raise InvalidInput("It is a sound that is cut off.", hint="Send it again.")
    while at + 8 <= end:
        name, length = struct.unpack("<4sI", _at(file, at, 8))
        if not all(32 <= byte < 127 for byte in name):
            break
        names.add(name)
        at += 8 + length + length % 2
    # The last chunk may lack what makes it even.
    if not 0 <= at - end <= 1 or size > at or not {b"fmt ", b"data"} <= names:
        raise InvalidInput(
            "It is no proper WAVE sound: its chunks do not lead to its end.", hint="Save it again."
        )


# ---- FLAC (RFC 9639) -----------------------------------------------------------------------------


def require_flac(file: BinaryIO, size: int) -> None:
    """Blocks of metadata, the first of which says what the stream is, and a frame behind them.

    Raises:
        InvalidInput: it is another.
    """
    at, last, first = 4, False, True
    while not last:
        head = _at(file, at, 4)
        if len(head) < 4:
            raise InvalidInput("It is a FLAC sound that is cut off.", hint="Send it again.")
        kind, length = head[0] & 0x7F, int.from_bytes(head[1:], "big")
        if kind == 127 or (first and (kind, length) != (0, 34)):
            raise InvalidInput(
                "It is no proper FLAC sound: its metadata is none.", hint="Save it again."
            )
        at, last, first = at + 4 + length, head[0] >= 0x80, False
    if _at(file, at, 2) not in {b"\xff\xf8", b"\xff\xf9"}:
        raise InvalidInput("It is a FLAC sound without a sound.", hint="Send it again.")


# ---- Ogg (RFC 3533) ------------------------------------------------------------------------------


def require_ogg(file: BinaryIO, size: int) -> None:
    """Pages to the very end, the first of which begins a stream; the sums of some are right.

    Raises:
        InvalidInput: it is another.
    """
    at = 0
    for number in range(_MOST):
        head = _at(file, at, 27)
        if len(head) < 27 or head[:5] != b"OggS\0" or (number == 0 and not head[5] & 2):
            raise InvalidInput(
                "It is no proper Ogg sound: its pages do not lead to its end.",
                hint="Save it again.",
            )
        lengths = _at(file, at + 27, head[26])
        end = at + 27 + head[26] + sum(lengths)
        if end > size:
            raise InvalidInput("It is an Ogg sound that is cut off.", hint="Send it again.")
        if number < _CHECKED_PAGES or end == size:
            page = _at(file, at, end - at)
            if _sum(page[:22] + bytes(4) + page[26:]) != int.from_bytes(page[22:26], "little"):
                raise InvalidInput("It is a damaged Ogg sound.", hint="Send it again.")
        if end == size:
            return
        at = end
    raise _endless()


def _sum(page: bytes) -> int:
    """A page's checksum: CRC-32 without reflection, from zero."""
    found = 0
    for byte in page:
        found = (found << 8 & 0xFFFFFFFF) ^ _SUMS[found >> 24 ^ byte]
    return found


def _sums() -> tuple[int, ...]:
    made = []
    for byte in range(256):
        found = byte << 24
        for _ in range(8):
            found = (found << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if found & 0x80000000 else 0)
        made.append(found)
    return tuple(made)


_SUMS = _sums()

# ---- MP3 (ISO/IEC 11172-3 and 13818-3, layer III) ------------------------------------------------

#: Kilobits per second by the header's number: of MPEG 1, and of what came after it.
_RATES = (
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
#: Samples per second of MPEG 1; half of it in MPEG 2, a quarter in 2.5.
_SAMPLES = (44_100, 48_000, 32_000)


def require_mp3(file: BinaryIO, size: int) -> None:
    """Frames and tags up to the end; nothing but the last frame may be cut off.

    Raises:
        InvalidInput: it is another.
    """
    at = frames = tags = 0
    for _ in range(_MOST):
        if at >= size:
            break
        head = _at(file, at, 16)
        if size - at == 128 and head.startswith(b"TAG"):
            break
        length = _frame(head)
        if length:
            frames += at + length <= size
        else:
            length, tags = _tag(head) or _zeros(file, at), tags + 1
            if at + length > size:
                raise InvalidInput("It is an MP3 sound that is cut off.", hint="Send it again.")
        if not length:
            raise InvalidInput(
                "It is no proper MP3 sound: something else stands in it.", hint="Save it again."
            )
        at += length
        if tags > _MOST_TAGS:
            raise _endless()
    else:
        raise _endless()
    if frames < 2:
        raise InvalidInput("It is an MP3 sound without a sound.", hint="Send it again.")


def _frame(head: bytes) -> int:
    """The bytes of the frame that begins so; 0 of what is no frame of layer III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate, samples = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or not 1 <= rate <= 14 or samples == 3:
        return 0
    first = version == 3
    frequency = _SAMPLES[samples] >> (0 if first else 1 if version == 2 else 2)
    bits = _RATES[0 if first else 1][rate - 1] * 1000
    return (144 if first else 72) * bits // frequency + (head[2] >> 1 & 1)


def _tag(head: bytes) -> int:
    """The bytes of a tag that may stand among the frames (ID3v2, APEv2); 0 of what is none."""
    if head.startswith(b"ID3") and len(head) >= 10 and max(head[6:10]) < 0x80:
        length = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + length + (10 if head[5] & 0x10 else 0)
    if head.startswith(b"APETAGEX") and len(head) == 16:
        return 32 + int.from_bytes(head[12:16], "little")
    return 0


def _zeros(file: BinaryIO, at: int) -> int:
    """How many bytes there are of nothing, as some programs leave behind a tag."""
    found = _at(file, at, 65_536)
    return len(found) - len(found.lstrip(b"\0"))


# ---- What all have in common ---------------------------------------------------------------------


def _at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _endless() -> InvalidInput:
    return InvalidInput("It is no sound that anybody hears to its end.", hint="Send a shorter one.")
