"""From the block editor's blocks to MOSAIC's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any

from mosaic_cms.blocks.stored import Stored
from mosaic_cms.importing.wordpress import made, shortcodes
from mosaic_cms.importing.wordpress.dom import EMBED, GALLERY, Element, parse, refused, tagged
from mosaic_cms.importing.wordpress.flow import Flow
from mosaic_cms.importing.wordpress.gutenberg import Marked, is_marked
from mosaic_cms.importing.wordpress.gutenberg import parse as parse_marks
from mosaic_cms.importing.wordpress.made import Pieces
from mosaic_cms.importing.wordpress.post import Post
from mosaic_cms.importing.wordpress.records import number

#: Blocks that are text, or that only hold others.
_TEXT = frozenset(
    "paragraph heading list list-item freeform classic verse details".split()  # noqa: SIM905
)
_HOLDERS = frozenset("group column buttons row stack query post-content section".split())  # noqa: SIM905
_NOTHING = frozenset({"more", "nextpage", "spacer"})
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,20})?)(%|px|rem|em|fr)?")
#: How deep reusable blocks may be in one another.
_DEEPEST = 4


class Body:
    """Reads the body of one post into pieces."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._flow = Flow(post)
        self._first_line = post.item.body_line
        self._in_columns = False
        self._patterns: list[int] = []

    def read(self, body: str) -> Pieces:
        if not is_marked(body):
            return self._classic(body, 0)
        return self._all(parse_marks(body))

    def text(self, body: str) -> Pieces:
        """The body as rich text alone, for one that has more blocks than a page may."""
        return self._flow.text(shortcodes.expand(body, lambda shortcode, position: None))

    # ---- HTML --------------------------------------------------------------------------------

    def _classic(self, text: str, line: int, *, paragraphs: bool = True) -> Pieces:
        self._look_at(text, line)

        def left(shortcode: str, position: int) -> None:
            self._move(line + text.count("\n", 0, position))
            self._post.note(f"the shortcode {shortcode[:120]} stays in the text as it is")

        return self._flow.pieces(shortcodes.expand(text, left), classic=paragraphs)

    def _html(self, block: Marked) -> Pieces:
        if "[" in block.inner or "<iframe" in block.inner:
            return self._classic(block.inner, block.line, paragraphs=False)
        self._look_at(block.inner, block.line)
        return self._flow.pieces(block.inner)

    def _look_at(self, html: str, line: int) -> None:
        self._move(line)
        if names := refused(html):
            self._post.note(f"of its HTML, {', '.join(names[:8])} cannot stay and is taken out")

    def _move(self, line: int) -> None:
        """Remarks on what a reusable block holds are made where it is used."""
        if not self._patterns:
            self._post.line = self._first_line + line

    # ---- blocks ------------------------------------------------------------------------------

    def _all(self, blocks: Iterable[Marked]) -> Pieces:
        return [piece for block in blocks for piece in self._one(block)]

    def _one(self, block: Marked) -> Pieces:
        self._move(block.line)
        if not block.name:
            return self._classic(block.inner, block.line)
        space, _, name = block.name.partition("/")
        if space == "core-embed":
            return self._embed(block)
        if space != "core":
            return self._unknown(block)
        if name in _TEXT:
            return self._html(block)
        if name in _NOTHING:
            return []
        if name in _HOLDERS:
            return self._all(block.children) if block.children else self._html(block)
        reader = _READERS.get(name)
        return reader(self, block) if reader else self._unknown(block)

    def _unknown(self, block: Marked) -> Pieces:
        found = parse(block.inner)
        has_content = found.words or found.first("img", "video", "audio", EMBED, GALLERY)
        what = "its HTML is kept as text" if has_content else "it has no text to keep"
        self._post.note(f"the block {block.name[:80]} is not known here; {what}")
        inside = " ".join(parse(child.inner).words for child in block.children)
        # What it says beside the blocks in it would be lost with them alone.
        alone = block.children and len(inside) >= len(found.words)
        return self._all(block.children) if alone else self._html(block)

    def _raw(self, block: Marked) -> Pieces:
        self._post.note("a block of HTML became text, as far as rich text has its elements")
        return self._html(block)

    def _picture(self, block: Marked) -> Pieces:
        found = parse(block.inner)
        image, ident = found.first("img"), _number(block.attributes.get("id"))
        if image is None:
            return self._html(block)
        if ident and "class" not in image.attributes:
            image.attributes["class"] = f"wp-image-{ident}"
        return self._html(block) if "[" in block.inner else list(self._figure(found))

    def _figure(self, found: Element) -> Iterator[made.Piece]:
        image = found.first("img")
        assert image is not None
        captions, links = found.all("figcaption"), found.all("a")
        link = next((a.attributes.get("href", "") for a in links if image in a.all("img")), "")
        yield from self._flow.picture(image, link, captions[-1].words if captions else "")

    def _gallery(self, block: Marked) -> Pieces:
        """Pictures from the blocks in it, from its HTML, or by their ids, whichever there are."""
        found = parse(block.inner)
        pictures: list[dict[str, str]] = []
        figures = [f for f in found.all("figure", "li") if len(f.all("img")) == 1]
        seen: list[Element] = []
        for figure in figures or [found]:
            caption = figure.first("figcaption")
            for image in figure.all("img"):
                if any(image is other for other in seen):
                    continue
                seen.append(image)
                target = self._post.picture(image.attributes.get("src", ""))
                if target is not None:
                    alt = image.attributes.get("alt", "")
                    words = caption.words if caption and figures else ""
                    pictures.append({"media": target, "alt": alt, "caption": words})
        ids = block.attributes.get("ids")
        if not pictures and isinstance(ids, list) and ids:
            pictures = self._post.pictures(",".join(str(ident) for ident in ids))
        return made.gallery(pictures)

    def _code(self, block: Marked) -> Pieces:
        found = parse(block.inner).first("pre")
        return self._flow.code(found) if found is not None else self._html(block)

    def _table(self, block: Marked) -> Pieces:
        found = parse(block.inner)
        table, caption = found.first("table"), found.first("figcaption")
        self._look_at(block.inner, block.line)
        if table is None:
            return self._html(block)
        return self._flow.table(table, caption.words if caption else "")

    def _quote(self, block: Marked) -> Pieces:
        """Words and who said them; a quotation with more in it than words stays rich text."""
        self._look_at(block.inner, block.line)
        found = parse(block.inner)
        cite = found.first("cite")
        author = cite.words if cite is not None else ""
        quoted = found.first("blockquote") or found
        if not quoted.all("a", "ul", "ol", "img", "table", "pre", "figure", "h2", "h3"):
            parts = quoted.all("p") or [quoted]
            words = "\n\n".join(_without(part, cite).strip() for part in parts)
            if (made_quote := made.quote(words, author)) is not None:
                return [made_quote]
        return self._html(block)

    def _button(self, block: Marked) -> Pieces:
        link = parse(block.inner).first("a")
        label = link.words if link is not None else parse(block.inner).words
        address = link.attributes.get("href", "") if link is not None else ""
        target = self._post.link(address) if address else None
        made_button = made.button(label, target) if target else None
        if made_button is None:
            self._post.note(f"the button {label[:80]!r} leads nowhere; its label stays as text")
            return [tagged("p", escape(label))] if label else []
        return [made_button]

    def _embed(self, block: Marked) -> Pieces:
        found = parse(block.inner)
        address = block.attributes.get("url")
        caption = found.first("figcaption")
        if not isinstance(address, str) or not address:
            words = found.words.split()
            address = next((word for word in words if word.startswith("http")), "")
        if not address:
            return self._unknown(block)
        return [self._flow.embed(address, caption.words if caption else "")]

    def _player(self, block: Marked) -> Pieces:
        found = parse(block.inner)
        player, caption = found.first("video", "audio"), found.first("figcaption")
        if player is None:
            return self._unknown(block)
        return self._flow.player(player, caption.words if caption else "")

    def _separator(self, block: Marked) -> Pieces:
        return ["<hr>"]

    def _shortcode(self, block: Marked) -> Pieces:
        return self._classic(block.inner, block.line)

    def _cover(self, block: Marked) -> Pieces:
        """A picture with something written on it: both, one below the other."""
        found = parse(block.inner)
        image, address = found.first("img"), block.attributes.get("url")
        if image is None and isinstance(address, str):
            image = Element("img", {"src": address, "alt": ""})
        picture = self._flow.picture(image) if image is not None else []
        self._post.note("a cover became a picture with its text below it")
        return [*picture, *self._all(block.children)]

    def _pattern(self, block: Marked) -> Pieces:
        """A reusable block: what it holds, in its place."""
        ident = _number(block.attributes.get("ref"))
        body = self._post.pattern(ident)
        if body is None or ident in self._patterns or len(self._patterns) >= _DEEPEST:
            self._post.note(f"the reusable block {ident or '?'} is not in the export; left out")
            return []
        self._patterns.append(ident)
        try:
            return self.read(body)
        finally:
            self._patterns.pop()

    # ---- columns -----------------------------------------------------------------------------

    def _columns(self, block: Marked) -> Pieces:
        parts = [child for child in block.children if child.name == "core/column"]
        if self._in_columns or not parts:
            if parts:
                self._post.note("columns inside columns are put below one another")
            return self._all(block.children)
        widths = _widths([part.attributes.get("width") for part in parts])
        pieces: Pieces = []
        if len(parts) > 3:
            self._post.note(f"{len(parts)} columns became rows of at most three")
        size = 2 if len(parts) == 4 else 3
        for start in range(0, len(parts), size):
            some = [self._column(part) for part in parts[start : start + size]]
            pieces += self._arranged(some, widths[start : start + size])
        return pieces

    def _beside(self, block: Marked) -> Pieces:
        """A picture or film with a text beside it."""
        found = parse(block.inner)
        image, player = found.first("img"), found.first("video")
        if self._in_columns:
            return [*self._media(image, player), *self._all(block.children)]
        self._in_columns = True
        try:
            media = made.joined(self._media(image, player))
            text = made.joined(self._all(block.children))
        finally:
            self._in_columns = False
        right = block.attributes.get("mediaPosition") == "right"
        return self._arranged([text, media] if right else [media, text], [50.0, 50.0])

    def _media(self, image: Element | None, player: Element | None) -> Pieces:
        if image is not None:
            return self._flow.picture(image)
        return self._flow.player(player, "") if player is not None else []

    def _column(self, part: Marked) -> list[Stored]:
        self._in_columns = True
        try:
            return made.joined(self._one(part))
        finally:
            self._in_columns = False

    def _arranged(self, parts: list[list[Stored]], widths: Sequence[float]) -> Pieces:
        block, exact = made.columns(parts, widths)
        if not exact:
            shown = "-".join(f"{width:.0f}%" for width in widths)
            self._post.note(f"columns of {shown} became {block['data']['layout']}, the nearest")
        return [block]


def _widths(written: Sequence[Any]) -> list[float]:
    """Of each column; those that say nothing share what the others leave."""
    found = [_PERCENT.fullmatch(str(width).strip()) if width else None for width in written]
    if any(width is not None and width[2] not in {None, "%"} for width in found):
        return [100 / len(written)] * len(written)
    known = [float(width[1]) if width else 0.0 for width in found]
    open_ones = sum(1 for width in known if not width)
    share = max(100.0 - sum(known), 10.0) / open_ones if open_ones else 0.0
    return [width or share for width in known]


def _without(element: Element, left_out: Element | None) -> str:
    return "".join(
        child
        if isinstance(child, str)
        else "\n"
        if child.tag == "br"
        else _without(child, left_out)
        for child in element.children
        if child is not left_out
    )


def _number(value: Any) -> int:
    return number(str(value)) if isinstance(value, int | str) else 0


_READERS: dict[str, Callable[[Body, Marked], Pieces]] = {
    "image": Body._picture,
    "gallery": Body._gallery,
    "code": Body._code,
    "preformatted": Body._code,
    "syntaxhighlighter": Body._code,
    "table": Body._table,
    "quote": Body._quote,
    "pullquote": Body._quote,
    "button": Body._button,
    "embed": Body._embed,
    "video": Body._player,
    "audio": Body._player,
    "html": Body._raw,
    "separator": Body._separator,
    "shortcode": Body._shortcode,
    "cover": Body._cover,
    "block": Body._pattern,
    "columns": Body._columns,
    "media-text": Body._beside,
}
