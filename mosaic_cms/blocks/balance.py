"""HTML brought into order before it is parsed: tags of a list, each closed, none too deep.

A browser's way with tags that overlap is to repeat the ones left open in every paragraph that
follows. Of a text of 40 kB, that can make a tree of 60 MB; so nobody's text is parsed as it came.
What is written here is harmless to parse, not harmless to show: it is sanitised afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

#: How deep elements may be inside one another; deeper ones are left out, their text is kept.
MAX_DEPTH = 40
#: Tags that never end; the rest of a text with so many is text.
_MAX_BROKEN = 20

_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^>"']|"[^"]*"|'[^']*')*+)(>?)""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")
_VOID = frozenset({"br", "col", "hr", "img", "source", "track", "wbr"})


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Elements of which not even the text is kept.
SILENT = _names(
    "script style template title noscript noembed noframes iframe object applet embed svg math "
    "textarea select option head xmp plaintext"
)
_SILENT_VOID = frozenset({"embed"})
_CELLS = frozenset({"td", "th"})
_TABLE = _names("table caption colgroup thead tbody tfoot tr td th")
_FLOW = _names(
    "address article aside blockquote details div dl figcaption figure footer h2 h3 h4 h5 h6 "
    "header hr ol p pre section table ul"
)
#: What an element still open on top ends with: those whose end tags people leave out.
_ENDED_BY: Mapping[str, Set[str]] = {
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "p": _FLOW | {"li", "dt", "dd", "td", "th", "tr"},
    "td": {"td", "th", "tr", "tbody", "tfoot", "thead"},
    "th": {"td", "th", "tr", "tbody", "tfoot", "thead"},
    "tr": {"tr", "tbody", "tfoot", "thead"},
    "thead": {"tbody", "tfoot"},
    "tbody": {"tbody", "tfoot"},
}


def balanced(html: str, allowed: Mapping[str, Set[str]]) -> str:
    """The HTML with the allowed tags and their allowed attributes alone.

    Every element is closed, inside the one it was opened in. Takes time in proportion to the
    length. ``allowed`` gives the names of the attributes for each tag.
    """
    return _Balance(allowed).of(_without_comments(html))


def _without_comments(html: str) -> str:
    first, *rest = html.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


class _Balance:
    def __init__(self, allowed: Mapping[str, Set[str]]) -> None:
        self._allowed = allowed
        self._out: list[str] = []
        self._open: list[str] = []

    def of(self, html: str) -> str:
        at = broken = 0
        while (start := html.find("<", at)) >= 0 and broken < _MAX_BROKEN:
            self._text(html[at:start])
            tag = _TAG.match(html, start)
            if tag is None or not tag[4]:
                broken += tag is not None
                self._out.append("&lt;")
                at = start + 1
                continue
            at = tag.end()
            name = tag[2].lower()
            if name in SILENT and not tag[1] and name not in _SILENT_VOID:
                end = re.compile(rf"</{name}[^>]*>?", re.IGNORECASE).search(html, at)
                at = end.end() if end else len(html)
            elif name in self._allowed:
                self._close(name) if tag[1] else self._begin(name, tag[3])
        self._text(html[at:])
        self._end(0)
        return "".join(self._out)

    def _text(self, text: str) -> None:
        if text:
            self._out.append(text.replace("<", "&lt;"))

    def _begin(self, name: str, attributes: str) -> None:
        while self._open and name in _ENDED_BY.get(self._open[-1], ()):
            self._end(len(self._open) - 1)
        if name in _VOID:
            self._out.append(self._tag(name, attributes))
        elif len(self._open) < MAX_DEPTH:
            self._open.append(name)
            self._out.append(self._tag(name, attributes))

    def _tag(self, name: str, attributes: str) -> str:
        allowed = self._allowed[name]
        if not allowed or not attributes.strip(" /"):
            return f"<{name}>"
        kept: dict[str, str] = {}
        for found in _ATTRIBUTE.finditer(attributes):
            key = found[1].lower()
            if key in allowed and key not in kept:
                value = found[2] or found[3] or found[4] or ""
                kept[key] = value.replace('"', "&quot;").replace("<", "&lt;")
        return f"<{name}" + "".join(f' {key}="{value}"' for key, value in kept.items()) + ">"

    def _close(self, name: str) -> None:
        """Closes the innermost such element; an end tag in a cell ends nothing outside it."""
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at] == name:
                self._end(at)
                return
            if self._open[at] in _CELLS and name not in _TABLE:
                return

    def _end(self, at: int) -> None:
        while len(self._open) > at:
            self._out.append(f"</{self._open.pop()}>")
