"""Stored blocks, their data as MOSAIC's own block types want them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from mosaic_cms.blocks.base import Link
from mosaic_cms.blocks.providers import embedded
from mosaic_cms.blocks.sanitise import RICH
from mosaic_cms.blocks.stored import Stored, blocks_in
from mosaic_cms.importing.wordpress.dom import parse, tagged

#: A piece of a body on its way to blocks: HTML for rich text, or a block already.
Piece = str | Stored
Pieces = list[Piece]

#: Characters of HTML in one block, as far as its elements allow.
_RICH_TEXT = 60_000
_RICH_TEXT_MOST = 190_000
#: Characters of a paragraph that is made of the words of an element that does not fit.
_PARAGRAPH = 10_000
_LINE = 300
_TEXT = 20_000
_CODE = 45_000
_PICTURES = 60
_ROWS, _CELLS = 500, 30
_LAYOUTS = {"12": (12,), "8-4": (8, 4), "6-6": (6, 6), "4-4-4": (4, 4, 4), "3-6-3": (3, 6, 3)}
_LINK: TypeAdapter[str] = TypeAdapter(Link)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def block(kind: str, **data: Any) -> Stored:
    """A block whose id is given by :func:`numbered`."""
    return {"id": "", "type": kind, "version": 1, "data": data}


def line(text: str) -> str:
    """A text as one line that fits where a line is wanted."""
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= _LINE else f"{text[: _LINE - 1].rstrip()}…"


def rich_text(html: str) -> Stored:
    return block("rich_text", text=html)


def image(target: str, alt: str, caption: str, link: str) -> Iterator[Piece]:
    """A picture: ``target`` is a placeholder, or the address of one that is not there."""
    alt, caption = line(alt), line(caption)
    if not target.startswith("media:"):
        yield from as_text({"media": target, "alt": alt, "caption": caption})
        return
    link = link if fits_a_link(link) else ""
    if link and not alt:
        alt = caption or line(unquote(target.rsplit("/", 1)[-1].rpartition(".")[0])) or "link"
    data: dict[str, Any] = {"media": target, "alt": alt, "caption": caption}
    if not alt:
        data["decorative"] = True
    if link:
        data["link"] = link
    yield block("image", **data)


def as_text(picture: Mapping[str, Any]) -> Iterator[str]:
    """A picture as rich text, with whatever address it has."""

    yield tagged("p", tagged("img", src=picture["media"], alt=picture["alt"]))
    if picture["caption"]:
        yield tagged("p", tagged("em", escape(picture["caption"], quote=False)))


def gallery(pictures: Sequence[Mapping[str, str]]) -> Pieces:
    """Pictures (media, alt, caption) beside one another; those that are not there, as text."""
    there: list[dict[str, Any]] = []
    made: Pieces = []
    for picture in pictures:
        if picture["media"].startswith("media:"):
            data: dict[str, Any] = {name: line(text) for name, text in picture.items()}
            data["media"] = picture["media"]
            there.append(data if data["alt"] else data | {"decorative": True})
        else:
            made += as_text(picture)
    starts = range(0, len(there), _PICTURES)
    return [*(block("gallery", pictures=there[s : s + _PICTURES]) for s in starts), *made]


def code(text: str, language: str) -> Pieces:
    """Code; what is longer than a block may be is parted between lines."""
    parts: list[str] = []
    for row in text.splitlines(keepends=True):
        for start in range(0, len(row), _CODE):
            piece = row[start : start + _CODE]
            if parts and len(parts[-1]) + len(piece) <= _CODE:
                parts[-1] += piece
            else:
                parts.append(piece)
    return [block("code", code=part, language=language) for part in parts if part.strip()]


def table(rows: Sequence[Sequence[str]], *, header: bool, caption: str) -> Stored | None:
    """A table of lines of Markdown; None where one does not fit."""
    wide = max((len(row) for row in rows), default=0)
    if not rows or len(rows) > _ROWS or not 1 <= wide <= _CELLS:
        return None
    if any(len(cell) > _LINE or "\n" in cell for row in rows for cell in row):
        return None
    even = [[*row, *[""] * (wide - len(row))] for row in rows]
    return block("table", caption=line(caption), header_row=header, rows=even)


def quote(text: str, author: str) -> Stored | None:
    text = text.strip()
    return block("quote", text=text, author=line(author)) if 0 < len(text) <= _TEXT else None


def embed(address: str, caption: str = "") -> Stored | None:
    """None when no provider that is known here has the address."""
    found = embedded(address) if len(address) <= 2_000 else None
    if found is None:
        return None
    return block("embed", address=address, label=line(caption) or found.provider)


def video(target: str, caption: str) -> Stored | None:
    """None when it is no file of the site."""
    if not target.startswith("media:"):
        return None
    name = line(unquote(target.rsplit("/", 1)[-1])) or "video"
    return block("video", label=line(caption) or name, media=target, caption=line(caption))


def button(label: str, link: str) -> Stored | None:
    label = line(label)
    return block("button", label=label, link=link) if label and fits_a_link(link) else None


def fits_a_link(address: str) -> bool:
    """Whether a block's link may be this placeholder or address."""
    if address.startswith(("page:wp:", "media:upload:")):
        return True
    try:
        _LINK.validate_python(address)
    except ValidationError:
        return False
    return True


def columns(parts: Sequence[list[Stored]], widths: Sequence[float]) -> tuple[Stored, bool]:
    """One to three columns in the layout whose widths are nearest; whether they are the same."""
    whole = sum(widths) or 1.0
    twelfths = [12 * width / whole for width in widths]
    fitting = [(name, own) for name, own in _LAYOUTS.items() if len(own) == len(parts)]
    name, own = min(
        fitting,
        key=lambda layout: sum(abs(a - b) for a, b in zip(layout[1], twelfths, strict=True)),
    )
    exact = all(abs(a - b) < 0.5 for a, b in zip(own, twelfths, strict=True))
    return block("columns", layout=name, columns=list(parts)), exact


def joined(pieces: Iterable[Piece]) -> list[Stored]:
    """Blocks, rich text that is side by side in one; all of it sanitised."""
    blocks: list[Stored] = []
    html: list[str] = []
    size = 0

    def flush() -> None:
        nonlocal size
        text = RICH.stored("\n".join(html)).strip()
        html.clear()
        size = 0
        if text:
            blocks.append(rich_text(text))

    for piece in pieces:
        if isinstance(piece, str):
            for part in _parted(piece):
                if html and size + len(part) > _RICH_TEXT:
                    flush()
                html.append(part)
                size += len(part)
        else:
            flush()
            blocks.append(piece)
    flush()
    return blocks


def numbered(blocks: list[Stored], source: str) -> list[Stored]:
    """The same blocks with ids that are the same whenever the same body is read."""
    for number, found in enumerate(blocks_in(blocks), 1):
        found["id"] = f"{source}-{number}"
    return blocks


def _parted(html: str) -> Iterator[str]:
    """One element that is longer than a block may be, as the words of it in several paragraphs."""
    if len(html) <= _RICH_TEXT_MOST:
        yield html
        return
    text = parse(html).text()
    while text:
        end = len(text) if len(text) <= _PARAGRAPH else text.rfind(" ", 1, _PARAGRAPH)
        end = end if end > 0 else _PARAGRAPH
        yield tagged("p", escape(text[:end], quote=False))
        text = text[end:]
