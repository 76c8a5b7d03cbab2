"""Files that somebody sends who means no good, or whose disk was full.

Whoever lets files in refuses each of these, with a message that says what is wrong with it, or
makes it harmless: then what is in ``gone`` is not in it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mosaic_core.testing.hostile.documents import (
    large_zip,
    lying_zip,
    overlapping_zip,
    pdf,
    zipped,
)
from mosaic_core.testing.hostile.drawings import drawing, laughs, uses_of_uses
from mosaic_core.testing.hostile.pictures import (
    AVIF,
    GIF,
    JPEG,
    WEBP,
    bomb,
    claimed,
    gif_with_script,
    many_frames,
    png,
    png_with_words,
)
from mosaic_core.testing.hostile.recordings import box, film, flac, mp3, ogg, wave, webm

_PAGE = b"<html><script>alert(4711)</script>"


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file that is sent.

    Attributes:
        title: what it is, for a test's id.
        name: under which it is sent.
        make: its content; up to some megabytes.
        gone: bytes that are in it, and not in what is made of it.
    """

    title: str
    name: str
    make: Callable[[], bytes]
    gone: bytes = b""

    def __str__(self) -> str:
        return self.title


#: Nothing, or not all of it.
INCOMPLETE = (
    HostileFile("nothing", "a.png", lambda: b""),
    HostileFile("a JPEG cut off", "a.jpg", lambda: JPEG[:-60]),
    HostileFile("a JPEG without its last byte", "a.jpg", lambda: JPEG[:-2]),
    HostileFile("a PNG cut off", "a.png", lambda: png()[:-30]),
    HostileFile("a WebP cut off", "a.webp", lambda: WEBP[:-90]),
    HostileFile("an AVIF cut off", "a.avif", lambda: AVIF[:-40]),
    HostileFile("a GIF cut off", "a.gif", lambda: GIF[:-90]),
    HostileFile("a picture's first bytes alone", "a.jpg", lambda: b"\xff\xd8\xff\xe0"),
    HostileFile("a PDF cut off", "a.pdf", lambda: pdf(b"")),
    HostileFile("a film cut off", "a.mp4", lambda: film()[:-4]),
    HostileFile("a ZIP cut off", "a.zip", lambda: zipped("a", "b")[:-8]),
    HostileFile("a text in the middle of a character", "a.txt", lambda: "é".encode()[:1]),
)
#: Little that becomes much.
BOMBS = (
    HostileFile("a pixel bomb", "a.png", bomb),
    HostileFile("a claim of pixels", "a.png", lambda: claimed(2**31 - 1, 2**31 - 1)),
    HostileFile("frames without end", "a.gif", many_frames),
    HostileFile("a decompression bomb", "a.zip", lying_zip),
    HostileFile("an archive with another directory", "a.zip", large_zip),
    HostileFile("entries over one another", "a.zip", overlapping_zip),
    HostileFile("a billion laughs", "a.svg", laughs),
    HostileFile("uses of uses", "a.svg", uses_of_uses),
    HostileFile("a drawing in a drawing", "a.svg", drawing("<g>" * 200 + "</g>" * 200)),
)
#: What is something else than it looks.
DISGUISED = (
    HostileFile("a web page", "a.jpg", lambda: b"<!DOCTYPE html><script>1</script>"),
    HostileFile("a program", "a.png", lambda: b"MZ\x90\0" + bytes(99)),
    HostileFile("a script", "a.txt", lambda: b"#!/bin/sh\nrm -rf /\n"),
    HostileFile("PHP", "a.txt", lambda: b"<?php phpinfo(); ?>"),
    HostileFile("a packed drawing", "a.svgz", lambda: b"\x1f\x8b\x08" + bytes(20)),
    HostileFile("a style sheet", "a.css", lambda: b"body { color: red }"),
    HostileFile("bytes", "a.bin", lambda: bytes(range(128, 256))),
    HostileFile("text that is no text", "a.txt", lambda: b"one\0two"),
    HostileFile("Latin-1", "a.csv", lambda: "Größe;1\n".encode("latin-1")),
    HostileFile("a HEIC", "a.jpg", lambda: b"\0\0\0\x18ftypheic" + bytes(12)),
    HostileFile("a PNG called JPEG", "a.jpg", lambda: png()),
    HostileFile("a page's ending", "a.html", lambda: JPEG),
    HostileFile("two endings", "a.php.jpg", lambda: JPEG),
)
#: What begins like a sound or a film.
RECORDINGS = (
    HostileFile("a WAVE cut off", "a.wav", lambda: wave()[:-1]),
    HostileFile("a WAVE and a page", "a.wav", lambda: wave() + _PAGE),
    HostileFile("a WAVE of a page", "a.wav", lambda: wave((_PAGE[:4], _PAGE))),
    HostileFile("a FLAC's first bytes", "a.flac", lambda: b"fLaC"),
    HostileFile("a FLAC of a page", "a.flac", lambda: b"fLaC" + _PAGE),
    HostileFile("a FLAC and a page", "a.flac", lambda: flac(_PAGE)),
    HostileFile("an Ogg's first bytes", "a.ogg", lambda: b"OggS"),
    HostileFile("an Ogg cut off", "a.ogg", lambda: ogg()[:-1]),
    HostileFile("an Ogg and a page", "a.ogg", lambda: ogg() + _PAGE),
    HostileFile("an Ogg of a page", "a.ogg", lambda: ogg(1).replace(b"\x01vorbis", _PAGE[:7])),
    HostileFile("an ID3 of a page", "a.mp3", lambda: b"ID3" + _PAGE),
    HostileFile("an MP3 and a page", "a.mp3", lambda: mp3(_PAGE)),
    HostileFile("an MP3's first bytes", "a.mp3", lambda: b"\xff\xfb\x90\0" + _PAGE),
    HostileFile("a tag cut off", "a.mp3", lambda: mp3(b"ID3\x04\0\0\x7f\0\0\0")),
    HostileFile("a WebM's first bytes", "a.webm", lambda: webm()[:20]),
    HostileFile("a WebM cut off", "a.webm", lambda: webm()[:-1]),
    HostileFile("a WebM of a page", "a.webm", lambda: b"\x1a\x45\xdf\xa3webm" + _PAGE),
    HostileFile("a WebM and a page", "a.webm", lambda: webm() + _PAGE),
    HostileFile("a recorded WebM and a page", "a.webm", lambda: webm(_PAGE, known=False)),
    HostileFile("a WebM of nothing", "a.webm", lambda: webm(tracks=b"")),
)
#: Two things at once.
POLYGLOTS = (
    HostileFile("a JPEG and a ZIP", "a.jpg", lambda: JPEG + zipped("4711"), gone=b"4711"),
    HostileFile("a GIF and a script", "a.gif", gif_with_script, gone=b"4711"),
    HostileFile("a PNG with scripts", "a.png", png_with_words, gone=b"4711"),
    HostileFile("a PDF and a ZIP", "a.pdf", lambda: pdf() + zipped("a")),
    HostileFile("a PDF and a page", "a.pdf", lambda: pdf() + _PAGE * 20),
    HostileFile("a PDF of a page", "a.pdf", lambda: b"%PDF-1.7\n" + _PAGE + b"%%EOF"),
    HostileFile("a PDF of nothing", "a.pdf", lambda: pdf().replace(b"\n9\n", b"\n999\n")),
    HostileFile("a film of nothing", "a.mp4", lambda: film(box(b"moov"))),
    HostileFile("a PDF behind a page", "a.pdf", lambda: b"<html>" + pdf()),
    HostileFile("a film and a ZIP", "a.mp4", lambda: film() + zipped("a")),
    HostileFile("a sound and a ZIP", "a.wav", lambda: wave((b"fmt ", b""), (b"data", zipped("a")))),
    HostileFile("a ZIP behind a program", "a.zip", lambda: b"MZ" + zipped("a")),
    HostileFile("a ZIP that leads out", "a.zip", lambda: zipped("../../etc/cron.d/a")),
)
#: Drawings that would do more than draw.
DRAWINGS = (
    HostileFile("a script in it", "a.svg", drawing("<script>alert(4711)</script>"), gone=b"4711"),
    HostileFile("an event in it", "a.svg", drawing('<path onload="f(4711)"/>'), gone=b"4711"),
    HostileFile(
        "a page in it", "a.svg", drawing("<foreignObject>4711</foreignObject>"), gone=b"4711"
    ),
    HostileFile(
        "another file", "a.svg", drawing('<image href="http://4711.test/x"/>'), gone=b"4711"
    ),
    HostileFile(
        "another's use", "a.svg", drawing('<use href="//4711.test/x.svg#a"/>'), gone=b"4711"
    ),
    HostileFile(
        "a link", "a.svg", drawing('<a href="javascript:f(4711)"><path/></a>'), gone=b"4711"
    ),
    HostileFile(
        "a style's file", "a.svg", drawing("<style>@import '//4711.test'</style>"), gone=b"4711"
    ),
    HostileFile(
        "an escaped style",
        "a.svg",
        drawing(r"<style>a{fill:\75rl(//4711.test)}</style>"),
        gone=b"4711",
    ),
    HostileFile(
        "a file behind what only looks like a comment",
        "a.svg",
        drawing("<path style=\"font-family:'/*';fill:url(http://4711.test/x);top:0 /*'*/\"/>"),
        gone=b"4711",
    ),
    HostileFile("comments without end", "a.svg", lambda: b"<!---->" * 500 + b"x"),
    HostileFile("a paint", "a.svg", drawing('<path fill="url(//4711.test/a#b)"/>'), gone=b"4711"),
    HostileFile(
        "an animated link",
        "a.svg",
        drawing('<set attributeName="xlink:href" to="x4711"/>'),
        gone=b"4711",
    ),
    HostileFile(
        "data that run", "a.svg", drawing('<image href="data:text/html,4711"/>'), gone=b"4711"
    ),
    HostileFile("no drawing", "a.svg", lambda: b'<svg xmlns="urn:4711"/>'),
    HostileFile("a broken drawing", "a.svg", drawing("<g>")),
)
#: Pictures whose names would lead elsewhere, or are read as something else.
NAMES = (
    HostileFile("a way out", "../../../etc/passwd.jpg", lambda: JPEG),
    HostileFile("a way out of Windows", "C:\\Windows\\..\\a.jpg", lambda: JPEG),
    HostileFile("a hidden file", ".htaccess", lambda: JPEG),
    HostileFile("a device", "CON.jpg", lambda: JPEG),
    HostileFile("a device without ending", "lpt1", lambda: JPEG),
    HostileFile("text that turns", "invoice\u202egpj.exe", lambda: JPEG),
    HostileFile("letters that are not seen", "a\u200b\u2060\0b.jpg", lambda: JPEG),
    HostileFile("a letter of two", "Cafe\u0301.jpg", lambda: JPEG),
    HostileFile("lines", "a\r\nSet-Cookie: x.jpg", lambda: JPEG),
    HostileFile("characters of a shell", "$(rm -rf)|`x`;*?.jpg", lambda: JPEG),
    HostileFile("nothing but dots", "...", lambda: JPEG),
    HostileFile("no name that is left", "////", lambda: JPEG),
    HostileFile("a long name", "ä" * 400 + ".jpg", lambda: JPEG),
    HostileFile("half a character", "a\ud800b.jpg", lambda: JPEG),
)
#: All of them.
HOSTILE_FILES: tuple[HostileFile, ...] = (
    *INCOMPLETE,
    *BOMBS,
    *DISGUISED,
    *RECORDINGS,
    *POLYGLOTS,
    *DRAWINGS,
    *NAMES,
)
