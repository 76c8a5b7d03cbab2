"""Files for tests: photographs, and what only looks like one."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    """A file as an image."""
    return Image.open(io.BytesIO(content))


@cache
def photograph(kind: str = "JPEG", width: int = 1200, height: int = 800) -> bytes:
    """Red on the left, blue on the right, with grain as a photograph has it."""
    image = Image.new("RGB", (width, height), (20, 40, 220))
    image.paste((220, 40, 20), (0, 0, width // 3, height))
    grain = Image.effect_noise((width, height), 24).convert("RGB")
    return encoded(Image.blend(image, grain, 0.15), kind)


def moving(kind: str) -> bytes:
    """A few frames."""
    frames = [Image.new("RGB", (400, 300), (n * 40, 0, 0)) for n in range(4)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


@cache
def bomb(side: int = 60_000) -> bytes:
    """A PNG of zeros: a few megabytes that would become gigabytes. Zeros pack into the same bytes
    over and over, so they are packed once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    rows = bytes((side + 1) * 100)
    piece = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    end = b"\x03\x00" + bytes(4)  # an empty last block, and a checksum that nobody comes to see
    return claimed(side, side, b"\x78\xda" + piece * (side // 100) + end)


def claimed(width: int, height: int, packed: bytes = b"") -> bytes:
    """A PNG that says that it has this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
