"""The kinds of files that a library may have, told by what is in a file and never by its name.

Whatever is in no row of :data:`KINDS` is refused: there is nothing here that a browser would run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mosaic_cms.pictures.library import kind_of as picture_kind

#: Bytes from a file's beginning that are enough to tell its kind.
HEAD = 4096


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        name: in settings, such as ``jpeg``.
        title: for people.
        media_type: what visitors are told.
        endings: of its names; the first is given to a file that has none of them.
        group: picture, film, sound, document or archive.
    """

    name: str
    title: str
    media_type: str
    endings: tuple[str, ...]
    group: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("jpeg", "JPEG picture", "image/jpeg", (".jpg", ".jpeg", ".jpe"), "picture"),
        Kind("png", "PNG picture", "image/png", (".png",), "picture"),
        Kind("webp", "WebP picture", "image/webp", (".webp",), "picture"),
        Kind("avif", "AVIF picture", "image/avif", (".avif",), "picture"),
        Kind("gif", "GIF picture", "image/gif", (".gif",), "picture"),
        Kind("svg", "SVG drawing", "image/svg+xml", (".svg",), "picture"),
        Kind("mp4", "MP4 film", "video/mp4", (".mp4", ".m4v"), "film"),
        Kind("mov", "QuickTime film", "video/quicktime", (".mov",), "film"),
        Kind("webm", "WebM film", "video/webm", (".webm",), "film"),
        Kind("mp3", "MP3 sound", "audio/mpeg", (".mp3",), "sound"),
        Kind("m4a", "MPEG-4 sound", "audio/mp4", (".m4a",), "sound"),
        Kind("ogg", "Ogg sound", "audio/ogg", (".ogg", ".oga", ".opus"), "sound"),
        Kind("wav", "WAVE sound", "audio/wav", (".wav",), "sound"),
        Kind("flac", "FLAC sound", "audio/flac", (".flac",), "sound"),
        Kind("pdf", "PDF document", "application/pdf", (".pdf",), "document"),
        Kind("txt", "plain text", "text/plain; charset=utf-8", (".txt", ".text"), "document"),
        Kind("csv", "CSV table", "text/csv; charset=utf-8", (".csv",), "document"),
        Kind("vtt", "WebVTT captions", "text/vtt; charset=utf-8", (".vtt",), "document"),
        Kind(
            "docx",
            "Word document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            (".docx",),
            "document",
        ),
        Kind(
            "xlsx",
            "Excel workbook",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            (".xlsx",),
            "document",
        ),
        Kind(
            "pptx",
            "PowerPoint presentation",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            (".pptx",),
            "document",
        ),
        Kind(
            "odt",
            "OpenDocument text",
            "application/vnd.oasis.opendocument.text",
            (".odt",),
            "document",
        ),
        Kind(
            "ods",
            "OpenDocument table",
            "application/vnd.oasis.opendocument.spreadsheet",
            (".ods",),
            "document",
        ),
        Kind(
            "odp",
            "OpenDocument presentation",
            "application/vnd.oasis.opendocument.presentation",
            (".odp",),
            "document",
        ),
        Kind("epub", "EPUB book", "application/epub+zip", (".epub",), "document"),
        Kind("zip", "ZIP archive", "application/zip", (".zip",), "archive"),
    )
}
_BY_TYPE = {kind.media_type: kind for kind in KINDS.values()}
_PICTURES = {"image/jpeg": "jpeg", "image/png": "png", "image/webp": "webp", "image/avif": "avif"}
#: No comment runs past its end: there has to be one way only to read what stands before.
_SVG = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*|<!--(?:(?!-->).){0,1000}-->\s*)*<(?:!DOCTYPE\s+)?svg[\s>/]",
    re.S,
)

_WEB_PAGE = re.compile(
    rb"<!doctype html|<html[\s>]|<script[\s>]|<body[\s>]|<iframe[\s>]", re.IGNORECASE
)
#: The brands of films, as they stand behind "ftyp".
_FILMS = frozenset(
    b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 avc1 dash M4VH M4VP MSNV mmp4 cmfc"
    b"".split()
) | {b"M4V ", b"f4v "}

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")

Test = Callable[[bytes], bool]
#: By the first bytes; the first that fits is it. What is a ZIP archive may be more (see archives).
_SIGNS: tuple[tuple[str, Test], ...] = (
    ("gif", lambda head: head[:6] in {b"GIF87a", b"GIF89a"}),
    ("pdf", lambda head: head.startswith(b"%PDF-")),
    ("zip", lambda head: head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}),
    ("mov", lambda head: head[4:12] == b"ftypqt  "),
    ("m4a", lambda head: head[4:8] == b"ftyp" and head[8:11] in {b"M4A", b"M4B"}),
    ("mp4", lambda head: head[4:8] == b"ftyp" and head[8:12] in _FILMS),
    ("webm", lambda head: head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head[:64]),
    ("mp3", lambda head: head[:3] == b"ID3" or head[:2] in {b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"}),
    ("ogg", lambda head: head[:4] == b"OggS"),
    ("flac", lambda head: head[:4] == b"fLaC"),
    ("wav", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE"),
    ("vtt", lambda head: head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT")),
    ("svg", lambda head: _SVG.match(head.removeprefix(b"\xef\xbb\xbf")) is not None),
)
#: What people try to upload, and what is said of it.
_KNOWN: tuple[tuple[str, Test], ...] = (
    ("a program for Windows", lambda head: head[:2] == b"MZ"),
    ("a program for Linux", lambda head: head[:4] == b"\x7fELF"),
    ("a program for macOS", lambda head: head[:4] in {b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"}),
    ("a script", lambda head: head[:2] == b"#!" or b"<?php" in head[:512].lower()),
    ("a compressed file (gzip)", lambda head: head[:2] == b"\x1f\x8b"),
    ("a 7-Zip archive", lambda head: head[:6] == b"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", lambda head: head[:4] == b"Rar!"),
    (
        "a HEIC picture; save it as JPEG or AVIF",
        lambda head: head[4:11] in {b"ftyphei", b"ftyphev"},
    ),
    ("a TIFF picture; save it as JPEG or PNG", lambda head: head[:4] in {b"II*\0", b"MM\0*"}),
    ("a Windows bitmap; save it as PNG", lambda head: head[:2] == b"BM" and head[6:10] == bytes(4)),
    ("a Photoshop file; save it as JPEG or PNG", lambda head: head[:4] == b"8BPS"),
    ("a web page", lambda head: _WEB_PAGE.search(head[:1024]) is not None),
)
#: Kinds of text, which are told apart by their names: nothing in them says it.
_TEXTS = {ending: name for name in ("txt", "csv", "vtt") for ending in KINDS[name].endings}


def kind_of(head: bytes, name: str) -> Kind | None:
    """The kind of a file by its first :data:`HEAD` bytes; None for one that is none of these.

    Only of plain text, its name says which it is.
    """
    picture = picture_kind(head)
    if picture is not None:
        return KINDS[_PICTURES[picture]]
    for found, fits in _SIGNS:
        if fits(head):
            return KINDS[found]
    if refused_as(head) is None and is_text(head):
        return KINDS[_TEXTS[ending]] if (ending := ending_of(name)) in _TEXTS else None
    return None


def refused_as(head: bytes) -> str | None:
    """What a file is that is of no kind, where that is known."""
    return next((what for what, fits in _KNOWN if fits(head)), None)


def kind_of_type(media_type: str) -> Kind | None:
    """The kind that is told as a media type."""
    return _BY_TYPE.get(media_type)


def is_text(content: bytes) -> bool:
    """Whether bytes are text in UTF-8 that has no characters which no text has; the last character
    may be cut off."""
    if _CONTROL.search(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(content) - 3 and error.reason == "unexpected end of data"
    return True


def ending_of(name: str) -> str:
    """A name's ending, with its dot and in small letters; "" for none."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem and ending else ""
