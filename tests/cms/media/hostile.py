"""Files that somebody sends who means no good, or whose disk was full: made here, byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from tests.cms.media.sounding import flac, mp3, ogg, pdf, wave, webm
from tests.cms.pictures.files import bomb, claimed, encoded, moving, photograph

PAGE = b"<html><script>alert(4711)</script>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30">{}</svg>'


@dataclass(frozen=True)
class Case:
    """A file, and what is to become of it.

    Attributes:
        refused: words of the error; "" where it is made harmless.
        name: that it gets then.
        gone: bytes that are not in it any more.
        note: words of what its sender is told.
    """

    title: str
    sent: str
    content: Callable[[], bytes]
    refused: str = ""
    name: str = ""
    gone: bytes = b""
    note: str = ""


def photo() -> bytes:
    return photograph("JPEG", 400, 300)


def zipped(*names: str, content: bytes = b"x") -> bytes:
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


def located(kind: str) -> bytes:
    """A photograph that says who took it, where, with which camera, and how it is turned."""
    image = Image.open(io.BytesIO(photo()))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Ada Lens"
    exif[0xA431] = "SERIAL-4711"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 28.0, 40.0), 3: "E", 4: (0.0, 0.0, 5.0)})
    exif.get_ifd(0x8825)[27] = b"GPS-METHOD-4711"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>exif:GPSLatitude=51,28.4711N</x:xmpmeta>"
    return encoded(image, kind, exif=exif, xmp=xmp)


def png_with_words() -> bytes:
    """A PNG with a script where words may stand, and another behind its end."""
    content = encoded(Image.new("RGB", (40, 30), "red"), "PNG")
    words = b"Comment\0<script>alert(4711)</script>"
    chunk = struct.pack(">I", len(words)) + b"tEXt" + words
    chunk += struct.pack(">I", zlib.crc32(b"tEXt" + words))
    return content[:33] + chunk + content[33:] + b"<?php system('4711'); ?>"


def gif_with_script() -> bytes:
    content = encoded(Image.new("P", (4, 4)), "GIF")
    comment = b"/*<script>4711*/"
    return content[:-1] + b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0\x3b"


def film(*boxes: bytes) -> bytes:
    """A film of a track and of no picture."""
    body = b"".join(boxes) or box(b"moov", box(b"trak")) + box(b"mdat", bytes(8))
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + body


def box(name: bytes, *inside: bytes) -> bytes:
    content = b"".join(inside)
    return struct.pack(">I4s", len(content) + 8, name) + content


def located_film() -> bytes:
    """A film that says in each way where it was taken and with what, before what it shows."""
    place = b"+41.0082+028.4711/"
    track = box(
        b"trak", box(b"tkhd", bytes(8)), box(b"meta", place), box(b"mdia", box(b"udta", place))
    )
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<4711/>")
    wide = struct.pack(">I4sQ", 1, b"meta", 16 + len(place)) + place
    noted = box(b"udta", box(b"\xa9xyz", place), box(b"loci", place), bytes(4))
    moov = box(b"moov", box(b"mvhd", bytes(16)), track, noted, wide)
    head = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0)
    return head + moov + xmp + box(b"uuid", bytes(16), b"DRM") + box(b"mdat", b"4712" * 50_000)


def uses_of_uses() -> bytes:
    levels = "".join(f'<g id="l{n + 1}">' + f'<use href="#l{n}"/>' * 10 + "</g>" for n in range(9))
    return SVG.format(f'<path id="l0" d="M0 0"/>{levels}').encode()


def laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    return f'<!DOCTYPE svg [<!ENTITY l0 "ha">{entities}]>{SVG.format("<text>&l9;</text>")}'.encode()


def drawing(inside: str) -> Callable[[], bytes]:
    return lambda: SVG.format(inside).encode()


CASES = (
    # Nothing, or not all of it
    Case("nothing", "a.png", lambda: b"", "empty"),
    Case("a JPEG cut off", "a.jpg", lambda: photo()[:-2000], "cut off"),
    Case("a JPEG without its last byte", "a.jpg", lambda: photo()[:-2], "cut off"),
    Case("a PNG cut off", "a.png", lambda: photograph("PNG", 400, 300)[:9000], "cut off"),
    Case("a WebP cut off", "a.webp", lambda: photograph("WEBP", 400, 300)[:-900], "cut off"),
    Case("an AVIF cut off", "a.avif", lambda: photograph("AVIF", 400, 300)[:-900], "cut off"),
    Case("a GIF cut off", "a.gif", lambda: photograph("GIF", 400, 300)[:-900], "cut off"),
    Case("a picture's first bytes alone", "a.jpg", lambda: b"\xff\xd8\xff\xe0", "cut off"),
    Case("a PDF cut off", "a.pdf", lambda: pdf(b""), "PDF that is cut off"),
    Case("a film cut off", "a.mp4", lambda: film()[:-4], "film that is cut off"),
    Case("a ZIP cut off", "a.zip", lambda: zipped("a", "b")[:-8], "ZIP archive that is cut off"),
    Case(
        "a text in the middle of a character",
        "a.txt",
        lambda: "é".encode()[:1],
        "middle of a character",
    ),
    # Bombs
    Case("a pixel bomb", "a.png", bomb, "too large to be decoded: 60,000 × 60,000"),
    Case("a claim of pixels", "a.png", lambda: claimed(2**31 - 1, 2**31 - 1), "damaged|too large"),
    Case("frames without end", "a.gif", lambda: many_frames(), "too large to be decoded: "),
    Case("a decompression bomb", "a.zip", lying_zip, "decompression bomb: [0-9,]+ bytes would"),
    Case("an archive with another directory", "a.zip", large_zip, "for very large ones"),
    Case("entries over one another", "a.zip", overlapping_zip, "lie over one another"),
    Case("a billion laughs", "a.svg", laughs, "declares entities"),
    Case("uses of uses", "a.svg", uses_of_uses, "more than 200,000 elements"),
    Case("a drawing in a drawing", "a.svg", drawing("<g>" * 200 + "</g>" * 200), "too deep"),
    # What only looks like something
    Case("a web page", "a.jpg", lambda: b"<!DOCTYPE html><script>1</script>", "a web page"),
    Case("a program", "a.png", lambda: b"MZ\x90\0" + bytes(99), "a program for Windows"),
    Case("a script", "a.txt", lambda: b"#!/bin/sh\nrm -rf /\n", "a script"),
    Case("PHP", "a.txt", lambda: b"<?php phpinfo(); ?>", "a script"),
    Case("a packed drawing", "a.svgz", lambda: b"\x1f\x8b\x08" + bytes(20), "compressed file"),
    Case("a style sheet", "a.css", lambda: b"body { color: red }", "files with .css are not"),
    Case("bytes", "a.bin", lambda: bytes(range(128, 256)), "no kind that is let in"),
    Case("text that is no text", "a.txt", lambda: b"one\0two", "no kind that is let in"),
    Case("Latin-1", "a.csv", lambda: "Größe;1\n".encode("latin-1"), "no kind that is let in"),
    Case("a HEIC", "a.jpg", lambda: b"\0\0\0\x18ftypheic" + bytes(12), "HEIC picture"),
    Case("a PNG called JPEG", "a.jpg", lambda: photograph("PNG", 40, 30), name="a.png", note="PNG"),
    Case("a page's ending", "a.html", photo, name="a.jpg", note="It is a JPEG picture"),
    Case("two endings", "a.php.jpg", photo, name="a.php.jpg"),
    # What begins like a sound or a film
    Case("a WAVE cut off", "a.wav", lambda: wave()[:-1], "a sound that is cut off"),
    Case("a WAVE and a page", "a.wav", lambda: wave() + PAGE, "chunks do not lead"),
    Case("a WAVE of a page", "a.wav", lambda: wave((PAGE[:4], PAGE)), "chunks do not lead"),
    Case("a FLAC's first bytes", "a.flac", lambda: b"fLaC", "FLAC sound that is cut off"),
    Case("a FLAC of a page", "a.flac", lambda: b"fLaC" + PAGE, "its metadata is none"),
    Case("a FLAC and a page", "a.flac", lambda: flac(PAGE), "a FLAC sound without a sound"),
    Case("an Ogg's first bytes", "a.ogg", lambda: b"OggS", "its pages do not lead"),
    Case("an Ogg cut off", "a.ogg", lambda: ogg()[:-1], "Ogg sound that is cut off"),
    Case("an Ogg and a page", "a.ogg", lambda: ogg() + PAGE, "its pages do not lead"),
    Case(
        "an Ogg of a page",
        "a.ogg",
        lambda: ogg(1).replace(b"\x01vorbis", PAGE[:7]),
        "a damaged Ogg",
    ),
    Case("an ID3 of a page", "a.mp3", lambda: b"ID3" + PAGE, "an MP3 sound that is cut"),
    Case("an MP3 and a page", "a.mp3", lambda: mp3(PAGE), "something else stands in it"),
    Case("an MP3's first bytes", "a.mp3", lambda: b"\xff\xfb\x90\0" + PAGE, "MP3 sound without"),
    Case(
        "a tag cut off", "a.mp3", lambda: mp3(b"ID3\x04\0\0\x7f\0\0\0"), "an MP3 sound that is cut"
    ),
    Case("a WebM's first bytes", "a.webm", lambda: webm()[:20], "WebM film that is cut off"),
    Case("a WebM cut off", "a.webm", lambda: webm()[:-1], "WebM film that is cut off"),
    Case("a WebM of a page", "a.webm", lambda: b"\x1a\x45\xdf\xa3webm" + PAGE, "no film's"),
    Case("a WebM and a page", "a.webm", lambda: webm() + PAGE, "stands behind the WebM"),
    Case("a recorded WebM and a page", "a.webm", lambda: webm(PAGE, known=False), "no film's"),
    Case("a WebM of nothing", "a.webm", lambda: webm(tracks=b""), "a WebM film without a film"),
    # Two things at once
    Case("a JPEG and a ZIP", "a.jpg", lambda: photo() + zipped("4711"), gone=b"4711", note="cut"),
    Case("a GIF and a script", "a.gif", gif_with_script, gone=b"4711", note="taken out"),
    Case("a PNG with scripts", "a.png", png_with_words, gone=b"4711", note="cut off"),
    Case("a PDF and a ZIP", "a.pdf", lambda: pdf() + zipped("a"), "stands where it ends"),
    Case("a PDF and a page", "a.pdf", lambda: pdf() + PAGE * 20, "stands where it ends"),
    Case(
        "a PDF of a page", "a.pdf", lambda: b"%PDF-1.7\n" + PAGE + b"%%EOF", "stands where it ends"
    ),
    Case("a PDF of nothing", "a.pdf", lambda: pdf().replace(b"\n9\n", b"\n999\n"), "no table of"),
    Case("a film of nothing", "a.mp4", lambda: film(box(b"moov")), "without a track"),
    Case("a PDF behind a page", "a.pdf", lambda: b"<html>" + pdf(), "a web page"),
    Case("a film and a ZIP", "a.mp4", lambda: film() + zipped("a"), "behind the film"),
    Case(
        "a sound and a ZIP", "a.wav", lambda: wave((b"fmt ", b""), (b"data", zipped("a"))), "once"
    ),
    Case("a ZIP behind a program", "a.zip", lambda: b"MZ" + zipped("a"), "a program for Windows"),
    Case("a ZIP that leads out", "a.zip", lambda: zipped("../../etc/cron.d/a"), "leads out of it"),
    # Drawings
    Case("a script in it", "a.svg", drawing("<script>alert(4711)</script>"), gone=b"4711"),
    Case("an event in it", "a.svg", drawing('<path onload="f(4711)"/>'), gone=b"4711"),
    Case("a page in it", "a.svg", drawing("<foreignObject>4711</foreignObject>"), gone=b"4711"),
    Case("another file", "a.svg", drawing('<image href="http://4711.test/x"/>'), gone=b"4711"),
    Case("another's use", "a.svg", drawing('<use href="//4711.test/x.svg#a"/>'), gone=b"4711"),
    Case("a link", "a.svg", drawing('<a href="javascript:f(4711)"><path/></a>'), gone=b"4711"),
    Case("a style's file", "a.svg", drawing("<style>@import '//4711.test'</style>"), gone=b"4711"),
    Case(
        "an escaped style",
        "a.svg",
        drawing(r"<style>a{fill:\75rl(//4711.test)}</style>"),
        gone=b"4711",
    ),
    Case(
        "a file behind what only looks like a comment",
        "a.svg",
        drawing("<path style=\"font-family:'/*';fill:url(http://4711.test/x);top:0 /*'*/\"/>"),
        gone=b"4711",
    ),
    Case(
        "comments without end", "a.svg", lambda: b"<!---->" * 500 + b"x", "files with .svg are not"
    ),
    Case("a paint", "a.svg", drawing('<path fill="url(//4711.test/a#b)"/>'), gone=b"4711"),
    Case(
        "an animated link",
        "a.svg",
        drawing('<set attributeName="xlink:href" to="x4711"/>'),
        gone=b"4711",
    ),
    Case("data that run", "a.svg", drawing('<image href="data:text/html,4711"/>'), gone=b"4711"),
    Case("no drawing", "a.svg", lambda: b'<svg xmlns="urn:4711"/>', "first element is another"),
    Case("a broken drawing", "a.svg", drawing("<g>"), "no proper SVG"),
    # Names
    Case("a way out", "../../../etc/passwd.jpg", photo, name="passwd.jpg"),
    Case("a way out of Windows", "C:\\Windows\\..\\a.jpg", photo, name="a.jpg"),
    Case("a hidden file", ".htaccess", photo, name="htaccess.jpg"),
    Case("a device", "CON.jpg", photo, name="file-CON.jpg"),
    Case("a device without ending", "lpt1", photo, name="file-lpt1.jpg"),
    Case("text that turns", "invoice\u202egpj.exe", photo, name="invoicegpj.jpg"),
    Case("letters that are not seen", "a\u200b\u2060\0b.jpg", photo, name="ab.jpg"),
    Case("a letter of two", "Cafe\u0301.jpg", photo, name="Café.jpg"),
    Case("lines", "a\r\nSet-Cookie: x.jpg", photo, name="aSet-Cookie- x.jpg"),
    Case("characters of a shell", "$(rm -rf)|`x`;*?.jpg", photo, name="(rm -rf)-x-;.jpg"),
    Case("nothing but dots", "...", photo, name="picture.jpg"),
    Case("no name that is left", "////", photo, name="picture.jpg"),
    Case("a long name", "ä" * 400 + ".jpg", photo, name="ä" * 58 + ".jpg"),
    Case("half a character", "a\ud800b.jpg", photo, name="ab.jpg"),
    Case("all its meaning", "Çini panosu, 16. yy.jpg", photo, name="Çini panosu, 16. yy.jpg"),
)


def many_frames() -> bytes:
    """A GIF of thousands of frames of 200 × 200 pixels, each of a few bytes."""
    frames = moving_gif()
    start = frames.index(b"\x2c")
    return frames[:start] + frames[start:-1] * 6_000 + b"\x3b"


def moving_gif() -> bytes:
    frames = [Image.new("P", (200, 200), n) for n in range(4)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


__all__ = ["CASES", "Case", "box", "film", "located", "located_film", "moving", "zipped"]
