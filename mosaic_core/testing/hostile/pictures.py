"""Pictures, made byte by byte: whole ones, and those that are made to harm.

Those that only an encoder can make are here as they are: 32 × 24 pixels, of GIF 200 × 200.
"""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache

JPEG = base64.b64decode(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVt
    VkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8
    fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAYACADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAA
    AAECBP/EAB8QAQACAgICAwAAAAAAAAAAAAERIQACEjEyQVGBkf/EABYBAQEBAAAAAAAAAAAAAAAAAAAEBf/EABQR
    AQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AOJBSp2Rb7xskdcNZ/MhJOvFKqPeOMByJPYmaSZNiTxZnqs2
    XrNFxWZ4yDp5fHd5Nd+gsLlcCm13tsr6ZYyEikRPaFHWMYGuS7M6xytlsxqsTtAT9zjGB//Z
    """
)
WEBP = base64.b64decode(
    """
    UklGRgoBAABXRUJQVlA4IP4AAADwBQCdASogABgAPu1qqU8ppiOiMBgIATAdiWU7ggyQ836wKcGWBUw6cy16kwEG
    68qyxO++PjTdYAD+4c0W7VNpHvZk7sAvSLbSdg2OkC3MJFl8HBAyHyAvxWQV4HcUqREqRx6h/FDmzuBjPGE0k332
    bTtYiknKQgpT2tBE4jmiFC7P2qCXcd1VJepoacGbpaigcBIyC98tEz/Po/rfyxf1uOQftwEJrF6UXWmqwMbd2wyJ
    jnG8X3OyuNM7rlo7Ky8pI482oQ7z1rnmyjE4ULebnLthiL20aeH1Rx/26tNzpknWOIGqRlYParJD+9TTE0mLEXGr
    Ie836G+AlUAAAA==
    """
)
AVIF = base64.b64decode(
    """
    AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAA
    AAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAWgAAAChpaW5mAAAA
    AAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAIAAAABgA
    AAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQB
    AoMEAAAAYm1kYXQSAAoJGBE/dogIaDQgMksax4eF4cwwwwKFQADK9BodcBFQ6DIcsm0Qqalp2uGK2O62AbnDnO/N
    5ZevsInDbi2E38pkgKvE5hoeqAjHMz93ADSYV+x3QY/cLIA=
    """
)
GIF = base64.b64decode(
    """
    R0lGODdhyADIAIAAAAAAAAAAACwAAAAAyADIAEAI/wABCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgzatzIsaPH
    jyBDihxJsqTJkyhTqlzJsqXLlzBjypxJs6bNmzhz6tzJs6fPn0CDCh1KtKjRo0iTKl3KtKnTp1CjSp1KtarVq1iz
    at3KtavXr2DDih1LtqzZs2jTql3Ltq3bt3Djyp1Lt67du3jz6t3Lt6/fv4ADCx5MuLDhw4gTK17MuLHjx5AjS55M
    ubLly5gza97MubPnz6BDix5NurTp06hTq17NurXr17Bjy55Nu7bt27hz697Nu7fv38CDCx9OvLjx48iTK1/OvLnz
    59CjS59Ovbr169iza9/Ovbv37+DDi0YfT768+fPo06tfz769+/fw48ufT7++/fv48+vfz7+///8ABijggAQWaOCB
    CCao4IIMNujggxBGKOGEFFZo4YUYZqhhWAEBADs=
    """
)


def png(width: int = 40, height: int = 30, *more: tuple[bytes, bytes]) -> bytes:
    """A red picture, with more chunks behind its header."""
    packed = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _png((b"IHDR", header), *more, (b"IDAT", packed))


def png_with_words() -> bytes:
    """A picture with a script where words may stand, and another behind its end."""
    words = b"Comment\0<script>alert(4711)</script>"
    return png(40, 30, (b"tEXt", words)) + b"<?php system('4711'); ?>"


def gif_with_script() -> bytes:
    """A picture with a script in its comment, which begins and ends like one of JavaScript."""
    comment = b"/*<script>4711*/"
    return GIF[:-1] + b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0\x3b"


def many_frames() -> bytes:
    """Thousands of frames of 200 × 200 pixels, each of a few bytes."""
    start = GIF.index(b"\x2c")
    return GIF[:start] + GIF[start:-1] * 24_000 + b"\x3b"


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
    return _png((b"IHDR", header), (b"IDAT", packed))


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in (*chunks, (b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
