"""HTML that people wrote, made harmless: by an allow-list when it is saved, and when it is shown.

Two lists: ``RICH`` is what the editor makes, ``RAW`` what an Admin may put into a block of HTML.
Neither has scripts, styles, forms, frames, ids or names. What is stored keeps its references
(``page:``, ``media:``); what is shown has addresses in their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING

import nh3

from mosaic_cms.blocks.balance import SILENT, balanced
from mosaic_cms.content.safe_addresses import URL_SCHEMES, is_allowed
from mosaic_cms.pictures.tag import SIZES, SRCSET, in_text

if TYPE_CHECKING:
    from mosaic_cms.content.markup import Resolver

#: How often a result is sanitised again until it stays as it is. Twice is the rule.
_PASSES = 6
#: Cleaned texts that are kept, and characters of the longest of them: a block is read several times
#: when its page is saved and published.
_KEPT, _SHORT = 256, 2_000
_INNER = ("page", "media")


def _plain(names: str) -> dict[str, frozenset[str]]:
    """Elements that have no attributes of their own."""
    return dict.fromkeys(names.split(), frozenset())


_RICH: Mapping[str, frozenset[str]] = {
    **_plain("p h2 h3 h4 h5 h6 strong em b i s u sub sup mark blockquote ul li hr br"),
    **_plain("table caption thead tbody tfoot tr figure figcaption pre"),
    "a": frozenset({"href", "title"}),
    "img": frozenset({"src", "alt", "title", "width", "height"}),
    "code": frozenset({"class"}),
    "ol": frozenset({"start"}),
    "th": frozenset({"colspan", "rowspan", "scope"}),
    "td": frozenset({"colspan", "rowspan"}),
}
_RAW: Mapping[str, frozenset[str]] = {
    **_RICH,
    **_plain("div span section article header footer aside address dl dt dd summary"),
    **_plain("small abbr cite q kbd samp var dfn del ins bdi bdo ruby rt rp wbr"),
    "details": frozenset({"open"}),
    "time": frozenset({"datetime"}),
    "data": frozenset({"value"}),
    "audio": frozenset({"src", "controls"}),
    "video": frozenset({"src", "controls", "poster", "width", "height"}),
    "source": frozenset({"src", "type"}),
    "track": frozenset({"src", "kind", "srclang", "label"}),
}
#: What every element of raw HTML may have.
_GLOBAL = frozenset({"class", "dir", "lang", "title", "aria-label", "aria-hidden"})

_NUMBER = re.compile(r"\d{1,5}")
_WORDS = re.compile(r"[\w.:+ -]{0,200}", re.ASCII)
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "width": _NUMBER,
    "height": _NUMBER,
    "start": re.compile(r"-?\d{1,9}"),
    "colspan": re.compile(r"[1-9]\d?"),
    "rowspan": re.compile(r"[1-9]\d{0,2}"),
    "scope": re.compile(r"row|col|rowgroup|colgroup"),
    "class": _WORDS,
    "dir": re.compile(r"ltr|rtl|auto"),
    "lang": re.compile(r"[A-Za-z0-9-]{0,35}"),
    "aria-hidden": re.compile(r"true|false"),
    "open": re.compile(r"(?:open)?"),
    "controls": re.compile(r"(?:controls)?"),
    "datetime": _WORDS,
    "type": re.compile(r"(?:audio|video)/[\w.+-]{1,40}", re.ASCII),
    "kind": re.compile(r"captions|subtitles|descriptions|chapters"),
    "srclang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "loading": re.compile(r"lazy"),
    "decoding": re.compile(r"async"),
    "rel": re.compile(r"noopener"),
    "srcset": SRCSET,
    "sizes": SIZES,
}
_LANGUAGE = re.compile(r"language-[\w+#.-]{1,40}", re.ASCII)
_ADDRESSES = frozenset({"href", "src", "poster"})
#: What plays is on the site itself: a stranger's server is not told who looks at the page.
_PLAYERS = frozenset({"audio", "video", "source", "track"})
_OWN = re.compile(r"media:|/(?![/\\])")
_EXTERNAL = re.compile(r"https?:|[/\\]{2}", re.IGNORECASE)

_AFTER_PRE = re.compile(r"(<pre[^>]*>)\n+")
_ELEMENT = re.compile(r"</?([a-z][a-z0-9]*)((?: [^\s=>]+=\"[^\"]*\")*)>")
_ATTRIBUTE = re.compile(r" ([^\s=>]+)=\"([^\"]*)\"")


class Sanitiser:
    """One allow-list. What it makes of a text depends on nothing that it cleaned before: share it
    freely."""

    def __init__(self, allowed: Mapping[str, frozenset[str]], *, everywhere: bool) -> None:
        extra = _GLOBAL if everywhere else frozenset()
        self._code_class = not everywhere
        self._allowed = {tag: names | extra for tag, names in allowed.items()}
        self._stored = self._cleaner(self._allowed, (*URL_SCHEMES, *_INNER))
        shown = dict(self._allowed)
        shown["a"] |= {"rel"}
        shown["img"] |= {"loading", "decoding", "srcset", "sizes"}
        self._shown = self._cleaner(shown, URL_SCHEMES)
        self._known = lru_cache(_KEPT)(self._clean)

    def stored(self, html: str) -> str:
        """What may be kept of it, references and all. The same again gives the same."""
        return self._known(html) if len(html) <= _SHORT else self._clean(html)

    def _clean(self, html: str) -> str:
        for _ in range(_PASSES):
            cleaned = _tidy(self._stored.clean(balanced(html, self._allowed)))
            if cleaned == html:
                return html
            html = cleaned
        return nh3.clean(html, tags=set(), clean_content_tags=set(SILENT))  # its words at least

    def shown(self, html: str, resolver: Resolver) -> str:
        """What visitors get of it: with addresses for references, sanitised last of all."""
        return _tidy(self._shown.clean(_Addresses(resolver).into(self.stored(html))))

    def _cleaner(
        self, allowed: Mapping[str, frozenset[str]], schemes: tuple[str, ...]
    ) -> nh3.Cleaner:
        return nh3.Cleaner(
            tags=set(allowed),
            clean_content_tags=set(SILENT),
            attributes={tag: set(names) for tag, names in allowed.items()},
            attribute_filter=self._filtered,
            url_schemes=set(schemes),
            url_relative="pass_through",
            link_rel=None,
        )

    def _filtered(self, tag: str, name: str, value: str) -> str | None:
        if name in _ADDRESSES:
            if tag in _PLAYERS and not _OWN.match(value):
                return None
            return value if is_allowed(value, inner=True) else None
        if self._code_class and name == "class":
            return value if _LANGUAGE.fullmatch(value) else None
        pattern = _PATTERNS.get(name)
        return value if pattern is None or pattern.fullmatch(value) else None


class _Addresses:
    """Puts addresses in the place of targets. Reads what a sanitiser wrote, and nothing else."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._links: list[bool] = []

    def into(self, html: str) -> str:
        return _ELEMENT.sub(self._element, html)

    def _element(self, found: re.Match[str]) -> str:
        whole, name = found[0], found[1]
        if name == "a":
            return self._link_end() if whole[1] == "/" else self._link(_attributes(found[2]))
        if whole[1] == "/" or not (name == "img" or name in _PLAYERS):
            return whole
        attributes = _attributes(found[2])
        if name == "img":
            return self._picture(attributes)
        for key in ("src", "poster"):
            if key in attributes:
                attributes[key] = self._resolver.link(attributes[key]) or ""
                if not attributes[key]:
                    del attributes[key]
        return _written(name, attributes)

    def _link(self, attributes: dict[str, str]) -> str:
        target = attributes.get("href")
        href = self._resolver.link(target) if target is not None else None
        self._links.append(href is not None and is_allowed(href))
        if href is None or not self._links[-1]:
            return ""
        attributes["href"] = href
        if _EXTERNAL.match(href):
            attributes["rel"] = "noopener"
        return _written("a", attributes)

    def _link_end(self) -> str:
        return "</a>" if self._links and self._links.pop() else ""

    def _picture(self, attributes: dict[str, str]) -> str:
        target = attributes.get("src")
        alt = attributes.setdefault("alt", "")
        picture = self._resolver.picture(target) if target is not None else None
        if picture is None or not is_allowed(picture.url):
            return escape(alt, quote=False)
        attributes |= in_text(picture)
        if picture.width is not None and picture.height is not None:
            attributes |= {"width": str(picture.width), "height": str(picture.height)}
        return _written("img", attributes | {"loading": "lazy", "decoding": "async"})


def _attributes(text: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}


def _written(name: str, attributes: Mapping[str, str]) -> str:
    return f"<{name}" + "".join(f' {k}="{escape(v)}"' for k, v in attributes.items()) + ">"


def _tidy(html: str) -> str:
    """Without what a parser takes away the next time: a line break that begins a ``pre``."""
    return _AFTER_PRE.sub(r"\1", html)


#: What the editor makes.
RICH = Sanitiser(_RICH, everywhere=False)
#: What an Admin may write.
RAW = Sanitiser(_RAW, everywhere=True)
