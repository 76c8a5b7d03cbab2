"""One Markdown file, read: front matter, targets, and what its text says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it.token import Token

from mosaic_cms.content.html import plain
from mosaic_cms.importing.front_matter import (
    MAX_FRONT_MATTER,
    BrokenFrontMatter,
    FrontMatter,
    split,
)
from mosaic_cms.importing.links import LinkReader, Target
from mosaic_cms.importing.report import Report

#: Bytes of UTF-8 in a text, at most.
MAX_BODY = 1_000_000
_SUMMARY = 180
_HTML = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_TEMPLATE = re.compile(r"\{[{%]")
#: Hugo's third way to write front matter: an object at the very beginning.
_JSON = re.compile(r'\{\s*"[^"\n]*"\s*:')
_MORE = re.compile(r"<!--\s*more\s*-->", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…][\"”’)]*(?=\s)")


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was read.

    Attributes:
        heading: the first ``# heading``, where no other comes before it; "" without.
        heading_lines: the lines of the body that it takes, from 0, end excluded.
        opening: the words of the first paragraph.
        removed: lines of the body that are marks for a generator and no text.
    """

    source: str
    front: FrontMatter
    targets: tuple[Target, ...]
    heading: str
    heading_lines: tuple[int, int]
    opening: str
    removed: tuple[tuple[int, int], ...]


def read_document(source: str, path: Path, reader: LinkReader, report: Report) -> Document | None:
    """Reads a file; None, with a problem in the report, when it cannot be a page."""
    try:
        size = path.stat().st_size
        if size > MAX_BODY + MAX_FRONT_MATTER + 16:
            report.problem(source, f"it has {size:,} bytes, and {MAX_BODY:,} fit; left out")
            return None
        data = path.read_bytes()
    except OSError as error:
        report.problem(source, f"it cannot be read ({error.strerror}); left out")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With a byte order mark the decoder counts from behind it.
        offset = error.start + (len(data) - len(error.object))
        report.problem(
            source,
            f"it is not UTF-8 (byte {offset} is 0x{data[offset]:02x}); left out: save it as UTF-8",
            data.count(b"\n", 0, offset) + 1,
        )
        return None
    try:
        front = split(text)
    except BrokenFrontMatter as error:
        report.problem(source, f"{error}; left out", error.line)
        return None
    if "\0" in front.body:
        line = front.body_line + front.body.count("\n", 0, front.body.index("\0"))
        report.problem(source, "its text has a NUL character; left out", line)
        return None
    size = len(front.body.encode())
    if size > MAX_BODY:
        report.problem(source, f"its text has {size:,} bytes, and {MAX_BODY:,} fit; left out")
        return None
    return _analyse(source, front, reader, report)


def _analyse(source: str, front: FrontMatter, reader: LinkReader, report: Report) -> Document:
    if front.kind is None and _JSON.match(front.body):
        report.note(source, "front matter in JSON is not read, and stays as text", front.body_line)
    tokens, targets = reader.parse(front.body)
    heading, heading_lines = _first_heading(tokens)
    removed = []
    for line, remark in _remarks(tokens):
        if remark == "more":
            removed.append((line, line + 1))
            remark = "the mark <!--more--> is taken out"
        report.note(source, remark, front.body_line + line)
    return Document(
        source=source,
        front=front,
        targets=tuple(targets),
        heading=heading,
        heading_lines=heading_lines,
        opening=_first_paragraph(tokens),
        removed=tuple(removed),
    )


def _first_heading(tokens: Sequence[Token]) -> tuple[str, tuple[int, int]]:
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0:
            text = " ".join(plain(tokens[index + 1].children or ()).split())
            if token.tag != "h1" or not token.map or not text:
                break
            return text, (token.map[0], token.map[1])
    return "", (0, 0)


def _first_paragraph(tokens: Sequence[Token]) -> str:
    for index, token in enumerate(tokens):
        if token.type == "paragraph_open" and token.level == 0:
            inline = tokens[index + 1]
            words = [child for child in inline.children or () if child.type != "image"]
            text = " ".join(plain(words).split())
            if text and not _MORE.fullmatch(inline.content.strip()):
                return text
    return ""


def _remarks(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """What of the text will look different from what its author had in mind."""
    for token in tokens:
        if token.type != "inline" or not token.map:
            continue
        if _MORE.fullmatch(token.content.strip()):
            yield token.map[0], "more"
            continue
        line = token.map[0]
        for child in token.children or ():
            if child.type in {"softbreak", "hardbreak"}:
                line += 1
            elif child.type == "text":
                if _TEMPLATE.search(child.content):
                    yield line, "a template tag is not understood and stays as text"
                if _HTML.search(child.content):
                    yield line, "HTML is not taken over; it is shown as text"


def cut_summary(text: str) -> str:
    """At most 180 characters of a text, up to the end of a sentence where there is one."""
    if len(text) <= _SUMMARY:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(text[: _SUMMARY + 1])]
    if ends and ends[-1] > _SUMMARY // 4:
        return text[: ends[-1]]
    return text[: _SUMMARY - 1].rsplit(maxsplit=1)[0].rstrip(",;:–—- ") + "…"


def without_lines(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """The text without these lines, and without the blank ones after each."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    gone: set[int] = set()
    for first, last in ranges:
        end = last
        while end < len(lines) and not lines[end].strip():
            end += 1
        gone |= set(range(first, end))
    return "".join(line for number, line in enumerate(lines) if number not in gone)
