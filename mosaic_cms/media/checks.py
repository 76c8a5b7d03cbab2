"""What is checked of a file before it is anything but bytes: what it is, whether it is whole and
harmless, and what of it is shown.

A file is read where it lies, a little at a time; only of a picture is all of it in memory, and of
one that is too large nothing is decoded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from mosaic_cms.media import svg
from mosaic_cms.media.archives import check_archive, ends_as_archive
from mosaic_cms.media.films import Box, noted_in, require_film
from mosaic_cms.media.kinds import HEAD, KINDS, Kind, ending_of, is_text, kind_of, refused_as
from mosaic_cms.media.names import safe_name
from mosaic_cms.media.scrub import scrub
from mosaic_cms.media.sounds import require_flac, require_mp3, require_ogg, require_wave
from mosaic_cms.media.webm import require_webm
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_core.errors import InvalidInput

#: Bytes of a picture; more are not rendered either. And of a drawing, which is text.
_MOST_OF_PICTURE, _MOST_OF_DRAWING = 64 * 1024 * 1024, 5_000_000
_CHUNK = 256 * 1024
_TAIL = 1024
#: The end of a PDF, with the place of its table: of one in plain words, or of one in an object.
_PDF_END = re.compile(rb"startxref\s+(\d{1,18})\s+%%EOF[\s\0]*\Z")
_PDF_TABLE = re.compile(rb"[\s\0]*(?:xref\s|\d+\s+\d+\s+obj\b)")
#: Films of boxes, in which something may be noted.
_BOXED = frozenset({"mp4", "mov"})
_TAKEN_OUT = "What was noted in it, such as where it was taken, was taken out."


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tenant lets in.

    Attributes:
        kinds: names of kinds; None is all there are.
        keep_metadata: what cameras noted stays in pictures: where they were taken, and with what.
    """

    kinds: frozenset[str] | None = None
    keep_metadata: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be shown.

    Attributes:
        content: what is to be stored in its place; None where it is as it came, but for what was
            ``noted`` in a film, which is to be blanked (see :func:`films.without`).
        size: in bytes, with ``digest``: of what is to be stored. The digest is that of the film as
            it came, while something is to be blanked.
        width: of a picture as it is looked at, in pixels; ``height`` likewise.
        credit: who made it, as far as it says.
        notes: what was changed, for whoever sent it.
    """

    kind: Kind
    name: str
    size: int
    digest: str
    content: bytes | None = None
    width: int | None = None
    height: int | None = None
    credit: str = ""
    notes: tuple[str, ...] = ()
    noted: tuple[Box, ...] = ()


def check(
    file: BinaryIO, size: int, digest: str, name: str, rules: Rules, library: ImageLibrary
) -> Checked:
    """Looks at a file, which takes up to seconds.

    Args:
        size: of the file in bytes; ``digest`` is its SHA-256 as hex.
        name: as it was sent, which may be anything.

    Raises:
        InvalidInput: it is not let in; it says why, and the name.
    """
    try:
        return _check(file, size, digest, name, rules, library)
    except InvalidInput as error:
        shown = ascii(name[-60:])[1:-1] if not name.isprintable() else name[-60:]
        raise InvalidInput(f"{shown!r} was refused: {error.message}", hint=error.hint) from error


def _check(
    file: BinaryIO, size: int, digest: str, name: str, rules: Rules, library: ImageLibrary
) -> Checked:
    if size == 0:
        raise InvalidInput("It is empty.", hint="Send a file that has something in it.")
    file.seek(0)
    head = file.read(HEAD)
    kind = kind_of(head, name)
    if kind is None:
        raise _unknown(head, name)
    if kind.name == "zip":
        kind = KINDS[check_archive(file, size)]
    _require_allowed(kind, rules)
    if kind.group == "picture":
        found = _picture(file, size, kind, rules, library)
    else:
        _require_whole(file, size, kind)
        found = _Found()
        if kind.name in _BOXED and not rules.keep_metadata:
            noted = noted_in(file, size)
            found = _Found(notes=(_TAKEN_OUT,) if noted else (), noted=noted)
    content = found.content
    if content is not None:
        size, digest = len(content), hashlib.sha256(content).hexdigest()
    notes = list(found.notes)
    safe = safe_name(name, kind)
    if ending_of(name) not in kind.endings:
        notes.insert(0, f"It is a {kind.title}, and is called {safe!r} for that.")
    elif safe != name:
        notes.insert(0, f"It is called {safe!r} here.")
    width, height = found.size or (None, None)
    said = found.credit, tuple(notes), found.noted
    return Checked(kind, safe, size, digest, content, width, height, *said)


def _unknown(head: bytes, name: str) -> InvalidInput:
    what = refused_as(head)
    known = "Send a picture, a film, a sound, a PDF or office document, or plain text in UTF-8."
    if what is not None:
        return InvalidInput(f"By its content it is {what}.", hint=known)
    if is_text(head):
        ending = ending_of(name) or "no ending"
        return InvalidInput(
            f"It is text, and files with {ending} are not let in.", hint="Call it .txt or .csv."
        )
    return InvalidInput("By its content it is of no kind that is let in.", hint=known)


def _require_allowed(kind: Kind, rules: Rules) -> None:
    if rules.kinds is not None and kind.name not in rules.kinds:
        raise InvalidInput(
            f"It is a {kind.title}, and no such files are let in here.",
            hint=f"Let in are: {', '.join(sorted(rules.kinds)) or 'none'}.",
        )


# ---- pictures ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    content: bytes | None = None
    size: tuple[int, int] | None = None
    credit: str = ""
    notes: tuple[str, ...] = ()
    noted: tuple[Box, ...] = ()


def _picture(file: BinaryIO, size: int, kind: Kind, rules: Rules, library: ImageLibrary) -> _Found:
    most = _MOST_OF_DRAWING if kind.name == "svg" else _MOST_OF_PICTURE
    if size > most:
        raise InvalidInput(
            f"It has {size:,} bytes; a {kind.title} may have {most:,}.", hint="Send a smaller one."
        )
    file.seek(0)
    content = file.read(size)
    if kind.name == "svg":
        drawing = svg.cleaned(content)
        taken = ", ".join(drawing.removed[:10])
        notes = (f"Taken out, as it is no part of a drawing: {taken}.",) if taken else ()
        whole = (drawing.width, drawing.height) if drawing.width and drawing.height else None
        made = None if drawing.content == content else drawing.content
        return _Found(made, whole, notes=notes)
    pixels = library.measure(content)
    scrubbed = scrub(kind.name, content, keep=rules.keep_metadata)
    if scrubbed.content == content:
        return _Found(None, pixels, scrubbed.exif.credit)
    if library.measure(scrubbed.content) != pixels:
        raise InvalidInput("It is not made as other pictures are.", hint="Save it again.")
    notes = ()
    if scrubbed.trailing:
        notes = (f"{scrubbed.trailing:,} bytes that stood behind the picture were cut off.",)
    elif not rules.keep_metadata:
        notes = (_TAKEN_OUT,)
    return _Found(scrubbed.content, pixels, scrubbed.exif.credit, notes)


# ---- others --------------------------------------------------------------------------------------


def _require_whole(file: BinaryIO, size: int, kind: Kind) -> None:
    look = _LOOKS.get(kind.name)
    if look is not None:
        look(file, size)
    if kind.name not in _ARCHIVES and ends_as_archive(file, size):
        raise InvalidInput(
            f"It is a {kind.title} and a ZIP archive at once.", hint="Send one or the other."
        )


def _text(file: BinaryIO, size: int) -> None:
    file.seek(0)
    left = b""
    while chunk := file.read(_CHUNK):
        chunk = left + chunk
        if not is_text(chunk):
            raise InvalidInput("It is no text in UTF-8.", hint="Save it as UTF-8.")
        left = _cut_off(chunk)
    if left:
        raise InvalidInput("It is cut off in the middle of a character.", hint="Send it again.")


def _cut_off(chunk: bytes) -> bytes:
    """The beginning of a character at the end of a text; nothing where it is whole."""
    try:
        chunk.decode()
    except UnicodeDecodeError as error:
        return chunk[error.start :]
    return b""


def _pdf(file: BinaryIO, size: int) -> None:
    """ISO 32000-2, 7.5: a header at the very beginning, and an end that says where it is told what
    is in it; nothing follows."""
    file.seek(0)
    if re.match(rb"%PDF-[12]\.\d", file.read(8)) is None:
        raise InvalidInput("It is no proper PDF: its version is not known.")
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    if b"%%EOF" not in tail:
        raise InvalidInput("It is a PDF that is cut off: it has no end.", hint="Send it again.")
    end = _PDF_END.search(tail)
    if end is None:
        raise InvalidInput(
            "It is no proper PDF: something else stands where it ends.", hint="Save it again."
        )
    file.seek(min(int(end[1]), size))
    if _PDF_TABLE.match(file.read(_TAIL)) is None:
        raise InvalidInput(
            "It is no proper PDF: there is no table of what is in it.", hint="Save it again."
        )


_LOOKS: dict[str, Callable[[BinaryIO, int], None]] = {
    "txt": _text,
    "csv": _text,
    "vtt": _text,
    "pdf": _pdf,
    "mp4": require_film,
    "mov": require_film,
    "m4a": require_film,
    "webm": require_webm,
    "wav": require_wave,
    "mp3": require_mp3,
    "ogg": require_ogg,
    "flac": require_flac,
}
_ARCHIVES = frozenset({"zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"})
