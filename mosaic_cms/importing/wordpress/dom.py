"""HTML from strangers as a small tree: brought into order first, and what may run is gone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

from mosaic_cms.blocks.balance import SILENT, balanced

#: Elements that stand for shortcodes and frames until blocks are made of them.
GALLERY, EMBED = "mosaicgallery", "mosaicembed"
#: Elements that are not part of a line of text.
BLOCKS = frozenset(
    (
        "p h1 h2 h3 h4 h5 h6 blockquote ul ol li dl dt dd pre hr div section article aside header "
        "footer main center address details summary table caption thead tbody tfoot tr th td "
        f"figure figcaption video audio {GALLERY} {EMBED}"
    ).split()
)
_INLINE = frozenset(
    "source a em strong b i s del strike ins u code kbd samp tt br img sup sub span "  # noqa: SIM905
    "small big "
    "mark cite q abbr font".split()
)
_NONE = frozenset[str]()
_ALLOWED: Mapping[str, frozenset[str]] = dict.fromkeys(BLOCKS | _INLINE, _NONE) | {
    "a": frozenset({"href", "title"}),
    "img": frozenset({"src", "alt", "title", "class", "data-id"}),
    "video": frozenset({"src"}),
    "audio": frozenset({"src"}),
    "source": frozenset({"src"}),
    "ol": frozenset({"start"}),
    "code": frozenset({"class"}),
    "pre": frozenset({"class"}),
    "figure": frozenset({"class"}),
    "th": frozenset({"colspan", "rowspan"}),
    "td": frozenset({"colspan", "rowspan"}),
    GALLERY: frozenset({"ids"}),
    EMBED: frozenset({"src"}),
}
_VOID = frozenset({"br", "hr", "img", "source"})
_KNOWN_ELSEWHERE = frozenset({"time", "label", "iframe", "tr", "col", "colgroup", "wbr", "link"})
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_RUNS = re.compile(r"\s(on[a-z]{3,20})\s?=\s?[\"']|(javascript|vbscript)\s?:", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def all(self, *tags: str) -> list[Element]:
        """The elements of these tags in it, outer ones first."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if child.tag in tags else []
                found += child.all(*tags)
        return found

    def first(self, *tags: str) -> Element | None:
        return next(iter(self.all(*tags)), None)

    def text(self) -> str:
        """Its words as they stand; a break is a newline."""
        return "".join(
            child if isinstance(child, str) else "\n" if child.tag == "br" else child.text()
            for child in self.children
        )

    @property
    def words(self) -> str:
        """Its words in one line."""
        return " ".join(self.text().split())

    @property
    def has_blocks(self) -> bool:
        return any(
            isinstance(child, Element) and (child.tag in BLOCKS or child.has_blocks)
            for child in self.children
        )


def parse(html: str) -> Element:
    """A fragment as the children of an element without a tag."""
    builder = _Builder()
    builder.feed(balanced(html, _ALLOWED))
    builder.close()
    return builder.root


def refused(html: str) -> list[str]:
    """What parsing takes out of some HTML, as names of elements and handlers, for a report."""
    found: dict[str, None] = {}
    for tag in _TAG.findall(html):
        name = tag.lower()
        if name in SILENT - {"iframe"} or name not in _ALLOWED.keys() | _KNOWN_ELSEWHERE:
            found[f"<{name}>"] = None
    for handler, scheme in _RUNS.findall(html):
        found[handler.lower() or f"{scheme.lower()}:"] = None
    return list(found)


def plain(html: str) -> str:
    """The words of some HTML in one line."""
    return parse(html).words if "<" in html or "&" in html else " ".join(html.split())


def tagged(tag: str, inner: str = "", **attributes: str) -> str:
    """An element as HTML; ``inner`` is HTML already."""
    written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{written}>" if tag in _VOID else f"<{tag}{written}>{inner}</{tag}>"


class _Builder(HTMLParser):
    """Reads HTML in which every element has its end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)
