"""Writes parsed Markdown as HTML, and notes its words, headings and targets on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from markdown_it.token import Token

from mosaic_cms.content.element_ids import Ids, heading_id
from mosaic_cms.content.safe_addresses import address_of, is_allowed
from mosaic_cms.content.said import ENGLISH, Said
from mosaic_cms.pictures.tag import in_text

if TYPE_CHECKING:
    from mosaic_cms.content.markup import Resolver
    from mosaic_cms.pictures.picture import Picture

_EXTERNAL = re.compile(r"(?:https?:|[/\\]{2})", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")
_TAGS = frozenset(
    "blockquote dd dl dt em li p s strong tbody td th thead tr ul".split()  # noqa: SIM905
)
_BLOCKS = frozenset("blockquote dd dl dt li ol p tbody td th thead tr ul".split())  # noqa: SIM905
#: Characters of addresses and titles that short references may grow into, besides the text's own.
_GROWTH = 200_000
#: Characters of addresses among which browsers choose; pictures after that come in one size.
_CHOICES = 500_000
_SIZE = frozenset({"width", "height"})


class HtmlWriter:
    """One rendering.

    Args:
        size: the text's length in characters.
        ids: of the page that the text becomes a part of.
        said: what its elements are called.
    """

    def __init__(
        self, resolver: Resolver, *, size: int, ids: Ids | None = None, said: Said = ENGLISH
    ) -> None:
        self.html: list[str] = []
        self.headings: list[tuple[int, str, str]] = []
        self._resolver = resolver
        self._words: list[str] = []
        self._targets: dict[str, None] = {}
        self._links: dict[str, str | None] = {}
        self._pictures: dict[str, dict[str, str] | None] = {}
        self._open_links: list[bool] = []
        self._ids = Ids() if ids is None else ids
        self._notes = self._ids.text()
        self._said = said
        self._shift = 0
        # A reference is short and what it stands for may be long: without a bound, a text of
        # 1 MB could become one of many gigabytes.
        self._growth = _GROWTH + 4 * size
        self._choices = _CHOICES

    @property
    def targets(self) -> list[str]:
        return list(self._targets)

    def plain_text(self) -> str:
        lines = (line.strip() for line in "".join(self._words).split("\n"))
        return "\n".join(line for line in lines if line)

    def write(self, tokens: Sequence[Token]) -> None:
        levels = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
        self._shift = 2 - min(levels, default=2)
        self._write(tokens)

    def _write(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            kind = token.type
            if kind == "text":
                self._text(token.content)
            elif kind == "inline":
                self._write(token.children or ())
            elif kind == "heading_open":
                self._heading_open(token, tokens[index + 1])
            elif (write := _WRITERS.get(kind)) is not None:
                write(self, token)
            elif token.tag in _TAGS:
                self._tag(token)

    def _text(self, text: str) -> None:
        self.html.append(escape(text, quote=False))
        self._words.append(text)

    def _tag(self, token: Token) -> None:
        is_block = token.tag in _BLOCKS
        if not token.hidden:
            end = "\n" if is_block and token.nesting < 0 else ""
            self.html.append(f"<{'' if token.nesting > 0 else '/'}{token.tag}>{end}")
        if is_block and token.nesting < 0:
            self._words.append("\n")

    def _break(self, token: Token) -> None:
        self.html.append("\n" if token.type == "softbreak" else "<br>\n")
        self._words.append("\n")

    def _rule(self, token: Token) -> None:
        self.html.append("<hr>\n")

    def _ordered_list(self, token: Token) -> None:
        start = token.attrGet("start")
        self.html.append("<ol>" if start is None else f'<ol start="{start}">')

    def _cell(self, token: Token) -> None:
        side = str(token.attrGet("style") or "").removeprefix("text-align:")
        self.html.append(f'<{token.tag} align="{side}">' if side else f"<{token.tag}>")

    def _header_close(self, token: Token) -> None:
        """A header without words is none: it would be read out as the name of what is below it."""
        if self.html[-1].startswith("<th"):
            self.html[-1] = "<td" + self.html[-1].removeprefix("<th")
            token = Token("td_close", "td", -1)
        self._tag(token)

    def _table_open(self, token: Token) -> None:
        label = escape(self._said.table)
        self.html.append(
            f'<div class="table" tabindex="0" role="group" aria-label="{label}"><table>'
        )

    def _table_close(self, token: Token) -> None:
        self.html.append("</table></div>\n")

    # ---- code ----------------------------------------------------------------------------

    def _code_span(self, token: Token) -> None:
        self.html.append("<code>")
        self._text(token.content)
        self.html.append("</code>")

    def _code_block(self, token: Token) -> None:
        language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
        named = f' class="language-{language}"' if _LANGUAGE.fullmatch(language) else ""
        self.html.append(f'<pre tabindex="0"><code{named}>')
        self._text(token.content)
        self.html.append("</code></pre>\n")
        self._words.append("\n")

    # ---- headings ------------------------------------------------------------------------

    def _heading_open(self, token: Token, inline: Token) -> None:
        text = " ".join(plain(inline.children or ()).split())
        level = self._level(token)
        ident = self._ids.unique(heading_id(text))
        self.headings.append((level, ident, text))
        self.html.append(f'<h{level} id="{escape(ident)}">')

    def _heading_close(self, token: Token) -> None:
        self.html.append(f"</h{self._level(token)}>\n")
        self._words.append("\n")

    def _level(self, token: Token) -> int:
        return min(int(token.tag[1]) + self._shift, 6)

    # ---- links and pictures --------------------------------------------------------------

    def _link_open(self, token: Token) -> None:
        target = str(token.attrGet("href") or "")
        self._targets.setdefault(target)
        if target not in self._links:
            href = self._resolver.link(target) if is_allowed(target, inner=True) else None
            self._links[target] = address_of(href)
        href, title = self._links[target], str(token.attrGet("title") or "")
        opened = href is not None and self._may_grow(href, title)
        self._open_links.append(opened)
        if opened:
            assert href is not None
            external = ' rel="noopener"' if _EXTERNAL.match(href) else ""
            self.html.append(f'<a href="{escape(href)}"{_title(title)}{external}>')

    def _link_close(self, token: Token) -> None:
        if self._open_links.pop():
            self.html.append("</a>")

    def _image(self, token: Token) -> None:
        target = str(token.attrGet("src") or "")
        self._targets.setdefault(target)
        if target not in self._pictures:
            allowed = is_allowed(target, inner=True)
            self._pictures[target] = _shown(self._resolver.picture(target) if allowed else None)
        shown = self._pictures[target]
        alt, title = plain(token.children or ()), str(token.attrGet("title") or "")
        self._words.append(alt)
        if shown is None or not self._may_grow(shown["src"], title):
            self.html.append(escape(alt, quote=False))
            return
        self._choices -= len(shown.get("srcset", ""))
        attributes = {
            "src": shown["src"],
            "alt": alt,
            **({"title": title} if title else {}),
            **{name: value for name, value in shown.items() if self._choices >= 0 or name in _SIZE},
        }
        written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        self.html.append(f'<img{written} loading="lazy" decoding="async">')

    def _may_grow(self, *parts: str) -> bool:
        self._growth -= sum(map(len, parts))
        return self._growth >= 0

    # ---- footnotes: a colon keeps their ids apart from those of headings --------------------

    def _footnote_ref(self, token: Token) -> None:
        number = token.meta["id"] + 1
        self.html.append(
            f'<sup><a href="#fn:{self._notes}{number}" id="fnref:{self._notes}{_reference(token)}"'
            ' role="doc-noteref">'
            f"{number}</a></sup>"
        )

    def _footnotes_open(self, token: Token) -> None:
        # Each text of a page has its own, which are told apart by their names.
        label = escape(f"{self._said.notes} {self._notes.rstrip('.')}".strip())
        self.html.append(
            f'<section class="footnotes" role="doc-endnotes" aria-label="{label}"><ol>\n'
        )

    def _footnotes_close(self, token: Token) -> None:
        self.html.append("</ol></section>\n")

    def _footnote_open(self, token: Token) -> None:
        self.html.append(f'<li id="fn:{self._notes}{token.meta["id"] + 1}">')

    def _footnote_close(self, token: Token) -> None:
        self.html.append("</li>\n")

    def _footnote_anchor(self, token: Token) -> None:
        self.html.append(
            f' <a href="#fnref:{self._notes}{_reference(token)}" role="doc-backlink"'
            f' aria-label="{escape(self._said.back)}">↩\ufe0e</a>'
        )


def plain(tokens: Sequence[Token]) -> str:
    """The words of inline tokens."""
    words = []
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            words.append(token.content)
        elif token.type == "image":
            words.append(plain(token.children or ()))
        elif token.type in {"softbreak", "hardbreak"}:
            words.append(" ")
    return "".join(words)


def _shown(picture: Picture | None) -> dict[str, str] | None:
    """The attributes of a picture but for its words; None where it leads nowhere."""
    if picture is None or address_of(picture.url) is None:
        return None
    shown = in_text(picture)
    shown["src"] = address_of(shown["src"]) or ""
    for name, value in (("width", picture.width), ("height", picture.height)):
        shown |= {} if value is None else {name: str(value)}
    return shown


def _title(title: str) -> str:
    return f' title="{escape(title)}"' if title else ""


def _reference(token: Token) -> str:
    number, again = token.meta["id"] + 1, token.meta.get("subId", 0)
    return f"{number}:{again + 1}" if again else str(number)


_WRITERS: dict[str, Callable[[HtmlWriter, Token], None]] = {
    "softbreak": HtmlWriter._break,
    "hardbreak": HtmlWriter._break,
    "hr": HtmlWriter._rule,
    "ordered_list_open": HtmlWriter._ordered_list,
    "ordered_list_close": lambda writer, token: writer.html.append("</ol>\n"),
    "th_open": HtmlWriter._cell,
    "th_close": HtmlWriter._header_close,
    "td_open": HtmlWriter._cell,
    "table_open": HtmlWriter._table_open,
    "table_close": HtmlWriter._table_close,
    "code_inline": HtmlWriter._code_span,
    "code_block": HtmlWriter._code_block,
    "fence": HtmlWriter._code_block,
    "heading_close": HtmlWriter._heading_close,
    "link_open": HtmlWriter._link_open,
    "link_close": HtmlWriter._link_close,
    "image": HtmlWriter._image,
    "footnote_ref": HtmlWriter._footnote_ref,
    "footnote_block_open": HtmlWriter._footnotes_open,
    "footnote_block_close": HtmlWriter._footnotes_close,
    "footnote_open": HtmlWriter._footnote_open,
    "footnote_close": HtmlWriter._footnote_close,
    "footnote_anchor": HtmlWriter._footnote_anchor,
}
