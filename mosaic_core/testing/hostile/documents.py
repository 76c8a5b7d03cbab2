"""Documents and archives, made byte by byte: whole ones, and those that are made to harm."""

from __future__ import annotations

import io
import struct
import zipfile


def pdf(end: bytes = b"%%EOF\n") -> bytes:
    """A document of no page."""
    return b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n" + end


def zipped(*names: str, content: bytes = b"x") -> bytes:
    """An archive of files that all have this content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def large_zip() -> bytes:
    """An archive that says of itself that another record has the real numbers."""
    content = zipped("a")
    at = content.rfind(b"PK\x05\x06")
    return content[:at] + b"PK\x06\x07" + bytes(16) + content[at:]


def lying_zip() -> bytes:
    """An archive whose directory tells of 16 entries of four gigabytes each."""
    content = bytearray(zipped(*(f"{n}.bin" for n in range(16))))
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 24 : at + 28] = struct.pack("<I", 4_000_000_000)
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(content)


def overlapping_zip() -> bytes:
    """An archive all of whose entries are the same bytes (D. Fifield, "A better zip bomb")."""
    content = bytearray(zipped("a.bin", "b.bin", content=bytes(200_000)))
    at = content.rfind(b"PK\x01\x02")
    content[at + 42 : at + 46] = struct.pack("<I", 10)
    return bytes(content)
