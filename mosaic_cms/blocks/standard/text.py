"""Blocks of words: texts, headings, quotes, call-outs, code and tables."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mosaic_cms.blocks.base import TEMPLATES, Block, Line, Link, Markdown, RichText, Text, Words
from mosaic_cms.blocks.highlighting import highlighted

#: What would begin a heading, a list, a quotation or a fence in a cell, which has room for none.
_MARKS_A_BLOCK = re.compile(
    r"#{1,6}(?=\s|$)|[-+*](?=\s|$)|>|`{3}|~{3}|(?:[-_*]\s*){3,}$|\[(?=[^\]]*\]:)|\d+(?=[.)](?:\s|$))"
)
_MARKED = re.compile(r"[\\`*_~\[\]<>&!]")


class RichTextBlock(Block):
    """Text as the editor makes it."""

    name = "rich_text"
    title = "Text"
    group = "text"
    template = TEMPLATES / "rich_text.html"

    text: RichText


class MarkdownText(Block):
    """Text in Markdown."""

    name = "markdown"
    title = "Markdown"
    group = "text"
    template = TEMPLATES / "markdown.html"

    text: Markdown


class Heading(Block):
    """A heading between blocks; the page's title is the one above."""

    name = "heading"
    title = "Heading"
    group = "text"
    template = TEMPLATES / "heading.html"

    text: Words
    level: Annotated[int, Field(ge=2, le=6)] = 2
    anchor: Annotated[str, Field(pattern=r"^(?:[a-z][a-z0-9-]{0,62})?$")] = ""


class Quote(Block):
    """Somebody's words."""

    name = "quote"
    title = "Quotation"
    group = "text"
    template = TEMPLATES / "quote.html"

    text: Annotated[Text, Field(min_length=1)]
    author: Line = ""
    source: Line = ""
    link: Link | None = None


class Callout(Block):
    """A note beside the text, louder or quieter."""

    name = "callout"
    title = "Call-out"
    group = "text"
    template = TEMPLATES / "callout.html"

    kind: Literal["note", "tip", "warning", "danger"] = "note"
    heading: Line = ""
    text: Annotated[Markdown, Field(min_length=1)]


class Code(Block):
    """Code as it is written; its colours are made when the page is published."""

    name = "code"
    title = "Code"
    group = "text"
    template = TEMPLATES / "code.html"

    #: Characters, at most: colouring takes time in proportion to them.
    LONGEST: ClassVar[int] = 50_000

    code: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    language: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+#.-]{0,40}$")] = ""
    caption: Line = ""

    def highlighted(self) -> str:
        """The code as HTML, escaped; its parts have the classes of Pygments."""
        return highlighted(self.code, self.language)


def _no_wider_than_a_page(row: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(row) <= 30:
        raise ValueError(f"a row has 1 to 30 cells; this one has {len(row)}")
    return row


Row = Annotated[tuple[Line, ...], AfterValidator(_no_wider_than_a_page)]


class Table(Block):
    """Cells in rows; a cell is a line of Markdown."""

    name = "table"
    title = "Table"
    group = "text"
    template = TEMPLATES / "table.html"

    caption: Line = ""
    header_row: bool = True
    header_column: bool = False
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _all_rows_as_long(self) -> Self:
        wide = len(self.rows[0])
        for number, row in enumerate(self.rows[1:], 2):
            if len(row) != wide:
                raise ValueError(
                    f"row {number} has {len(row)} cells and the first has {wide}; "
                    f"all must have as many"
                )
        return self

    @staticmethod
    def marked(cell: str) -> bool:
        """Whether a cell has to be read as Markdown; most are plain words."""
        return bool(_MARKED.search(cell) or _MARKS_A_BLOCK.match(cell.strip()))

    @staticmethod
    def inline(cell: str) -> str:
        """The Markdown of a cell, so that it is one paragraph whatever it begins with."""
        text = cell.strip()
        found = _MARKS_A_BLOCK.match(text)
        if found is None:
            return text
        at = found.end() if found[0].isdigit() else 0
        return f"{text[:at]}\\{text[at:]}"
