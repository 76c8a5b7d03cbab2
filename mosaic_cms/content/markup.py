"""Markdown to safe HTML: parsed, written with the site's own links, and sanitised last.

Raw HTML is shown as text. What comes out passes through an explicit allow-list, whatever went in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Protocol

import nh3

from mosaic_cms.blocks.sanitise import RAW
from mosaic_cms.content.asked import Asked, Asking
from mosaic_cms.content.element_ids import Ids
from mosaic_cms.content.safe_addresses import URL_SCHEMES
from mosaic_cms.content.said import LANGUAGES, Said, said_in
from mosaic_cms.pictures.picture import Picture
from mosaic_cms.pictures.tag import SIZES, SRCSET

if TYPE_CHECKING:
    from markdown_it.token import Token

_SURROGATE = re.compile("[\ud800-\udfff]")
#: Texts that are kept with what they became, and characters of the longest of them: an editor who
#: publishes a page again has changed one of its texts, and Markdown is half of what a page costs.
#: A parsed text takes some thirty times its length.
_KEPT, _SHORT = 256, 2_000

_FLOW = "p h2 h3 h4 h5 h6 blockquote ul ol li dl dt dd pre hr div section"
_TABLE = "table thead tbody tr th td"
_PHRASE = "a em strong s code br img sup"
_TAGS = frozenset(f"{_FLOW} {_TABLE} {_PHRASE}".split())
_ATTRIBUTES = {
    "a": {"href", "id", "title"},
    "img": {"src", "alt", "title", "width", "height", "srcset", "sizes"},
    "code": {"class"},
    "ol": {"start"},
    "li": {"id"},
    "section": {"aria-label"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
#: Attributes of which only these very values may stay.
_VALUES = {
    "a": {
        "rel": {"noopener"},
        "role": {"doc-noteref", "doc-backlink"},
        "aria-label": {said.back for said in LANGUAGES.values()},
    },
    "img": {"loading": {"lazy"}, "decoding": {"async"}},
    "pre": {"tabindex": {"0"}},
    "div": {
        "class": {"table"},
        "tabindex": {"0"},
        "role": {"group"},
        "aria-label": {said.table for said in LANGUAGES.values()},
    },
    "section": {
        "class": {"footnotes"},
        "role": {"doc-endnotes"},
    },
    "th": {"align": {"left", "center", "right"}},
    "td": {"align": {"left", "center", "right"}},
}
_PATTERNS = {
    ("code", "class"): re.compile(r"language-[\w+#.-]+"),
    ("ol", "start"): re.compile(r"\d{1,9}"),
    ("section", "aria-label"): re.compile(
        rf"(?:{'|'.join(said.notes for said in LANGUAGES.values())})(?: \d{{1,9}})?"
    ),
    ("img", "width"): re.compile(r"\d{1,9}"),
    ("img", "height"): re.compile(r"\d{1,9}"),
    ("img", "srcset"): SRCSET,
    ("img", "sizes"): SIZES,
}


class Resolver(Protocol):
    """Says where the targets of a text lead. Each target is asked for once per rendering."""

    def link(self, target: str) -> str | None:
        """The href for a link's target as written; None drops the link and keeps its text."""
        ...

    def picture(self, target: str) -> Picture | None:
        """The picture for a target as written; None puts the alternative text in its place."""
        ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered text.

    Attributes:
        html: sanitised; a fragment of flow content.
        text: its plain words, a line per block, for search.
        headings: ``(level, id, text)``, levels from 2 to 6, ids unique.
        targets: of links and pictures, as written, in order, each once.
    """

    html: str
    text: str
    headings: tuple[tuple[int, str, str], ...]
    targets: tuple[str, ...]


class _Text:
    """A text that is kept: parsed, and as it was written last with each language's words, with what
    that asked for."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.written: dict[Said, tuple[Asked, Rendered]] = {}

    def again(self, resolver: Resolver, ids: Ids, said: Said) -> Rendered | None:
        """As it was written last, where that is how it would be written now."""
        asked, rendered = self.written.get(said, (None, None))
        return rendered if asked is not None and asked.again(resolver, ids) else None


class Markup:
    """A configured parser and cleaner. What it makes of a text depends on nothing that it rendered
    before: share it freely, also among threads."""

    def __init__(self) -> None:
        self._kept = lru_cache(_KEPT)(lambda text: _Text(self._parse(text)))
        self._cleaner = nh3.Cleaner(
            tags=_TAGS,
            clean_content_tags={"script", "style"},
            attributes=_ATTRIBUTES,
            tag_attribute_values=_VALUES,
            attribute_filter=_filter_attribute,
            url_schemes=set(URL_SCHEMES),
            url_relative="pass_through",
            link_rel=None,
        )

    @cached_property
    def _parse(self) -> Callable[[str], Sequence[Token]]:
        # By the first text: who only shows what is published has none, and should not wait for it.
        from mosaic_cms.content.markdown import make_parser

        return make_parser().parse

    def render(
        self, text: str, resolver: Resolver, ids: Ids | None = None, *, language: str = "en"
    ) -> Rendered:
        """Markdown as safe HTML. Takes time in proportion to the text's length, never raises.

        The first level of heading that the text uses becomes ``h2``; the page's title is the
        ``h1``. Texts of one page share their ``ids``, and are in its ``language``, a BCP 47 tag.
        """
        text = _SURROGATE.sub("\ufffd", text)
        ids, said = Ids() if ids is None else ids, said_in(language)
        if len(text) > _SHORT:
            return self._written(text, self._parse(text), resolver, ids, said)
        kept = self._kept(text)
        rendered = kept.again(resolver, ids, said)
        if rendered is None:
            asking = Asking(resolver, ids)
            rendered = self._written(text, kept.tokens, asking, asking, said)
            kept.written[said] = asking.asked, rendered
        return rendered

    def _written(
        self, text: str, tokens: Sequence[Token], resolver: Resolver, ids: Ids, said: Said
    ) -> Rendered:
        from mosaic_cms.content.html import HtmlWriter

        writer = HtmlWriter(resolver, size=len(text), ids=ids, said=said)
        writer.write(tokens)
        return Rendered(
            html=self.clean("".join(writer.html)),
            text=writer.plain_text(),
            headings=tuple(writer.headings),
            targets=tuple(writer.targets),
        )

    def rich(self, html: str, resolver: Resolver) -> str:
        """HTML that people wrote as safe HTML with addresses for its references. Never raises.

        By the list for raw HTML, which has all that the editor makes: what a block may hold was
        decided when it was saved.
        """
        return RAW.shown(_SURROGATE.sub("\ufffd", html), resolver)

    def clean(self, html: str) -> str:
        """The HTML with everything removed that :meth:`render` would not make."""
        return self._cleaner.clean(html)


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    pattern = _PATTERNS.get((tag, name))
    return value if pattern is None or pattern.fullmatch(value) else None
