"""What a page says about itself in ``<head>``: to search engines and to those who share it.

Search engines want whole addresses, and a stored page does not know by which host it is asked for:
:data:`ORIGIN` stands for scheme and host until the page is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from markupsafe import escape

#: Stands for ``https://host``. Whatever people write is escaped, so it cannot come from a page.
ORIGIN = "<origin>"
#: What may stand in an address as it is; the rest is percent-encoded.
_PLAIN = "/:@!$&'()*+,;=~-._"
#: What keeps a page out of search engines.
UNLISTED = '<meta name="robots" content="noindex">'
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
#: What could end a script, or the string that it is in.
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
#: Begins a path in JSON that becomes a whole address. No text that people write has it.
_AT = "\0"


@dataclass(frozen=True, slots=True)
class Head:
    """The facts that the tags are made of.

    Attributes:
        path: of the page; ``root`` is that of its language's home page.
        image: url, alt, width and height, or nothing.
        date, author: of a post.
        trail: title and path of each page above, the home page first.
        translations: language and path of each other one; ``otherwise`` is the path for visitors
            who read none of them.
        feeds: whether it lists posts, which have feeds then.
        indexed: whether search engines may list it.
    """

    title: str
    description: str
    path: str
    root: str
    site_title: str
    language: str
    image: dict[str, Any]
    article: bool
    date: datetime | None
    author: str
    tags: Sequence[str]
    changed_at: datetime
    trail: Sequence[tuple[str, str]] = ()
    translations: Sequence[tuple[str, str]] = ()
    otherwise: str | None = None
    feeds: bool = False
    indexed: bool = True

    @property
    def modified(self) -> str:
        """Never before the day that a post has, as in its feed: that may be still to come."""
        changed = self.changed_at if self.date is None else max(self.changed_at, self.date)
        return changed.isoformat(timespec="seconds")


def head_tags(head: Head) -> str:
    """Description, canonical address, translations, Open Graph and JSON-LD; one a line."""
    return "\n".join([*_links(head), *_facts(head), _json_ld(head)])


def feed_links(path: str, title: str) -> Iterator[str]:
    """The links to the feeds of a page that lists posts."""
    for kind, name in (("rss", "feed.xml"), ("atom", "atom.xml"), ("feed", "feed.json")):
        media = f"application/{kind}+{'json' if kind == 'feed' else 'xml'}"
        address = escape(encoded(path + name))
        yield f'<link rel="alternate" type="{media}" title="{escape(title)}" href="{address}">'


def encoded(path: str) -> str:
    """A path of a page as it stands in an address."""
    return quote(path, safe=_PLAIN)


def absolute(address: str) -> str | None:
    """The whole address of a path or an address; None for what is neither."""
    if address.startswith("/") and not address.startswith("//"):
        return ORIGIN + encoded(address)
    return address if address.startswith(("https://", "http://")) else None


def _links(head: Head) -> Iterator[str]:
    yield f'<link rel="canonical" href="{_whole(head.path)}">'
    if not head.indexed:
        yield UNLISTED
    if head.translations:
        for language, path in sorted([(head.language, head.path), *head.translations]):
            yield _alternate(language, path)
        if head.otherwise is not None:
            yield _alternate("x-default", head.otherwise)
    if head.feeds and head.path != head.root:  # those of the whole site are on every page
        yield from feed_links(head.path, head.title)


def _alternate(language: str, path: str) -> str:
    return f'<link rel="alternate" hreflang="{escape(language)}" href="{_whole(path)}">'


def _whole(path: str) -> str:
    return ORIGIN + str(escape(encoded(path)))


def _facts(head: Head) -> Iterator[str]:
    facts = [
        ("og:type", "article" if head.article else "website"),
        ("og:title", head.title),
        ("og:site_name", head.site_title),
        ("og:locale", head.language.replace("-", "_")),
    ]
    if head.description:
        yield f'<meta name="description" content="{escape(head.description)}">'
        facts.append(("og:description", head.description))
    if head.article:
        facts += [("article:published_time", head.date.isoformat())] if head.date else []
        facts += [("article:modified_time", head.modified)]
        facts += [("article:author", head.author)] if head.author else []
        facts += [("article:tag", tag) for tag in head.tags]
    yield from (f'<meta property="{name}" content="{escape(value)}">' for name, value in facts)
    yield f'<meta property="og:url" content="{_whole(head.path)}">'
    yield from _picture(head.image)


def _picture(image: dict[str, Any]) -> Iterator[str]:
    address = absolute(image.get("url") or "")
    if address is None:
        return
    origin = ORIGIN if address.startswith(ORIGIN) else ""
    shown = origin + str(escape(address.removeprefix(ORIGIN)))
    yield f'<meta property="og:image" content="{shown}">'
    for name in ("alt", "width", "height"):
        if image.get(name):
            yield f'<meta property="og:image:{name}" content="{escape(image[name])}">'
    yield '<meta name="twitter:card" content="summary_large_image">'


def _json_ld(head: Head) -> str:
    things: list[dict[str, Any]] = []
    if head.path == head.root:
        things.append(_website(head))
    if head.article:
        things.append(_posting(head))
    if head.trail:
        things.append(_breadcrumbs(head))
    if not things:
        return ""
    graph = _json({"@context": "https://schema.org", "@graph": things})
    return f'<script type="application/ld+json">{graph}</script>'


def _website(head: Head) -> dict[str, Any]:
    found = _AT + encoded(head.root) + "search/?q={search_term_string}"
    return {
        "@type": "WebSite",
        "name": head.site_title,
        "url": _AT + encoded(head.root),
        "inLanguage": head.language,
        "potentialAction": {
            "@type": "SearchAction",
            "target": {"@type": "EntryPoint", "urlTemplate": found},
            "query-input": "required name=search_term_string",
        },
    }


def _posting(head: Head) -> dict[str, Any]:
    image = head.image.get("url") or ""
    whole = absolute(image)
    facts = {
        "@type": "BlogPosting",
        "headline": head.title,
        "description": head.description or None,
        "datePublished": head.date.isoformat() if head.date else None,
        "dateModified": head.modified,
        "author": {"@type": "Person", "name": head.author} if head.author else None,
        "publisher": {"@type": "Organization", "name": head.site_title},
        "image": _AT + encoded(image) if whole and whole.startswith(ORIGIN) else whole,
        "keywords": list(head.tags) or None,
        "inLanguage": head.language,
        "mainEntityOfPage": _AT + encoded(head.path),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _breadcrumbs(head: Head) -> dict[str, Any]:
    pages = [*head.trail, (head.title, head.path)]
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": number, "name": title, "item": _AT + encoded(path)}
            for number, (title, path) in enumerate(pages, 1)
        ],
    }


def _json(value: Any) -> str:
    """JSON that can stand in a script, whatever is in its strings."""
    return _JSON.encode(value).translate(_IN_SCRIPT).replace('"\\u0000/', f'"{ORIGIN}/')
