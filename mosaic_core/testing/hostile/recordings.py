"""Small sounds and films that are whole, made byte by byte."""

from __future__ import annotations

import struct


def wave(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b""
    for name, content in chunks or ((b"fmt ", bytes(16)), (b"data", bytes(8))):
        body += name + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def flac(frame: bytes = b"\xff\xf8") -> bytes:
    return b"fLaC\0\0\0\x22" + bytes(34) + b"\x81\0\0\x04" + bytes(4) + frame + bytes(100)


def ogg_page(content: bytes, *, number: int = 0) -> bytes:
    head = b"OggS\0" + bytes([2 if number == 0 else 0]) + bytes(12) + struct.pack("<I", number)
    lacing = bytes([255] * (len(content) // 255) + [len(content) % 255])
    body = bytes([len(lacing)]) + lacing + content
    return head + struct.pack("<I", _crc(head + bytes(4) + body)) + body


def _crc(content: bytes) -> int:
    """The remainder of a division by the polynomial, bit by bit (RFC 3533, 6)."""
    rest = int.from_bytes(content + bytes(4), "big")
    for at in range(8 * len(content) + 31, 31, -1):
        if rest >> at & 1:
            rest ^= 0x104C11DB7 << at - 32
    return rest


def ogg(pages: int = 6) -> bytes:
    return b"".join(ogg_page(b"\x01vorbis" * 60, number=number) for number in range(pages))


def mp3_frame() -> bytes:
    """One of 128 kbit/s at 44.1 kHz."""
    return b"\xff\xfb\x90\x00" + bytes(413)


def mp3(*between: bytes) -> bytes:
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    last = mp3_frame()[:200]  # as it is where a recording was stopped
    return tag + mp3_frame() * 3 + b"".join(between) + mp3_frame() + last


def element(name: str, content: bytes, *, known: bool = True) -> bytes:
    """An element of EBML, by its id as hex; its length may be left open."""
    length = (1 << 56 | len(content)).to_bytes(8, "big") if known else b"\xff"
    return bytes.fromhex(name) + length + content


def webm(*more: bytes, known: bool = True, tracks: bytes | None = None) -> bytes:
    block = element("a3", b"\x81\0\0\x80" + bytes(50))
    clusters = element("1f43b675", element("e7", b"\0") + block, known=known) * 2
    tracks = element("1654ae6b", bytes(20)) if tracks is None else tracks
    inside = element("1549a966", bytes(9)) + tracks + clusters + b"".join(more)
    header = element("1a45dfa3", bytes.fromhex("4282") + b"\x84webm")
    return header + element("18538067", inside, known=known)


def film(*boxes: bytes) -> bytes:
    """A film of a track and of no picture."""
    body = b"".join(boxes) or box(b"moov", box(b"trak")) + box(b"mdat", bytes(8))
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + body


def box(name: bytes, *inside: bytes) -> bytes:
    """A box of ISO media (MP4, MOV)."""
    content = b"".join(inside)
    return struct.pack(">I4s", len(content) + 8, name) + content
