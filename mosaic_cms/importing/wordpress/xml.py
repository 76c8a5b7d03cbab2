"""Reads XML from strangers: no document type, no entities, bounded, and never more than once.

What is broken further down does not take away what was whole before it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from mosaic_core.errors import InvalidInput

_CHUNK = 64 * 1024
#: Bytes of markup that may pass without an event, such as one endless tag.
_LONGEST_TAG = 4_000_000
#: Characters of one element's text; what is longer is cut, and :attr:`Element.cut` says so.
LONGEST_TEXT = 2_000_000
_DEEPEST = 40
_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Encodings that a file may name; everything else is read as UTF-8.
_KNOWN = re.compile(
    r"(utf-?(8|16)|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d)"
)
#: What XML 1.0 does not allow, written as it is or as a reference; and DEL, which nobody means.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]"
    "|&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[eEfF])"
    "|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));"
)


class Element:
    """An element that is whole.

    Attributes:
        name: as it is written, prefix and all.
        text: its own, without that of the elements in it.
        cut: the text was longer than :data:`LONGEST_TEXT`.
        line: of its start, counted from 1.
    """

    __slots__ = ("_parts", "attributes", "children", "cut", "line", "name", "size")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.cut = False
        self.line = line
        self.size = 0
        self._parts: list[str] = []

    def add(self, text: str) -> None:
        if self.size + len(text) > LONGEST_TEXT:
            self.cut = True
            return
        self.size += len(text)
        self._parts.append(text)

    @property
    def text(self) -> str:
        return "".join(self._parts)


class Reading:
    """One reading of a file.

    Attributes:
        damage: where and why the reading ended early; "" when the whole file was read.
        line: the line that damage is on.
        replaced: characters that no XML can have, or that were not in the file's encoding.
    """

    def __init__(
        self,
        on_open: Callable[[Element, int], None],
        on_close: Callable[[Element, int], bool],
    ) -> None:
        """``on_open(element, depth)`` is called before an element's content and
        ``on_close(element, depth)`` after it, depth 0 at the root; what ``on_close`` answers says
        whether the element stays among its parent's children."""
        self.damage = ""
        self.line = 0
        self.replaced = 0
        self._on_open = on_open
        self._on_close = on_close
        self._stack: list[Element] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.EntityDeclHandler = _refuse_doctype
        self._parser.ExternalEntityRefHandler = _refuse_doctype
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def run(self, path: Path) -> None:
        """Reads the file until its end or its first damage.

        Raises:
            InvalidInput: the file cannot be read, or it declares a document type.
        """
        fed = 0
        try:
            with path.open("rb") as file:
                for text in self._texts(file):
                    data = text.encode()
                    fed += len(data)
                    self._parser.Parse(data, False)
                    if fed - self._parser.CurrentByteIndex > _LONGEST_TAG:
                        self._stop("a tag without an end")
                        return
                self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            self._stop(expat.ErrorString(error.code))
        except _Broken as error:
            self._stop(str(error))
        except OSError as error:
            raise InvalidInput(
                f"{path.name!r} cannot be read: {error.strerror}.",
                hint="Name the XML file that WordPress wrote under Tools → Export.",
            ) from error

    def _stop(self, why: str) -> None:
        self.damage, self.line = why, self._parser.CurrentLineNumber

    def _texts(self, file: BinaryIO) -> Iterator[str]:
        """The file's text without what XML does not allow, never cut within a reference."""
        head = file.read(_CHUNK)
        decoder = codecs.getincrementaldecoder(_encoding_of(head))("replace")
        data, kept = head, ""
        while data:
            text = kept + self._decoded(decoder, data, False)
            at = text.rfind("&", -16)
            text, kept = (text[:at], text[at:]) if at >= 0 else (text, "")
            yield self._allowed(text)
            data = file.read(_CHUNK)
        yield self._allowed(kept + self._decoded(decoder, b"", True))

    def _decoded(self, decoder: codecs.IncrementalDecoder, data: bytes, final: bool) -> str:
        text = decoder.decode(data, final)
        # A file may hold the sign for such places already; that is counted too, and is no harm.
        self.replaced += text.count("\ufffd")
        return text

    def _allowed(self, text: str) -> str:
        text, count = _CONTROL.subn(_nothing, text)
        self.replaced += count
        return text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= _DEEPEST:
            raise _Broken(f"elements are more than {_DEEPEST} levels deep in one another")
        element = Element(name, attributes, self._parser.CurrentLineNumber)
        self._on_open(element, len(self._stack))
        self._stack.append(element)

    def _end(self, name: str) -> None:
        element = self._stack.pop()
        if self._on_close(element, len(self._stack)) and self._stack:
            self._stack[-1].children.append(element)

    def _characters(self, text: str) -> None:
        if self._stack:
            self._stack[-1].add(text)


class _Broken(ValueError):
    """What expat takes and this does not."""


def _encoding_of(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    found = _ENCODING.match(head)
    named = found[1].decode("ascii").lower() if found else "utf-8"
    if not _KNOWN.fullmatch(named) or "16" in named:
        return "utf-8"  # UTF-16 without its mark could not have been read so far
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "utf-8"


def _nothing(found: re.Match[str]) -> str:
    """What takes a character's place: nothing, unless that could make the end of a section of text
    (``]]>``) of what is around it."""
    start = found.start()
    return " " if start == 0 or found.string[start - 1] == "]" else ""


def _refuse_doctype(*_: object) -> int:
    raise InvalidInput(
        "The file declares a document type or entities, which no WordPress export does; it was "
        "not read.",
        hint="Name the XML file that WordPress wrote under Tools → Export.",
    )
