"""What a WordPress export holds, as it is written: its items, authors and terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mosaic_cms.importing.wordpress.xml import Element

_NAMESPACES = (
    (re.compile(r"https?://wordpress\.org/export/[\d.]+/excerpt/?"), "excerpt"),
    (re.compile(r"https?://wordpress\.org/export/[\d.]+/?"), "wp"),
    (re.compile(r"https?://purl\.org/rss/1\.0/modules/content/?"), "content"),
    (re.compile(r"https?://purl\.org/dc/elements/1\.1/?"), "dc"),
)
_NUMBER = re.compile(r"\d{1,18}")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)")
#: The first namespace that a WordPress export declares.
EXPORT = re.compile(r"https?://wordpress\.org/export/([\d.]+)/?")


@dataclass(frozen=True, slots=True)
class RawTerm:
    """A category, tag or menu; ``parent`` is a slug."""

    taxonomy: str
    slug: str
    name: str
    parent: str
    description: str
    id: int


@dataclass(frozen=True, slots=True)
class RawComment:
    id: int
    parent: int
    author: str
    email: str
    url: str
    date: datetime | None
    text: str
    status: str
    kind: str


@dataclass(slots=True)
class RawItem:
    """A post of any type. ``terms`` are (taxonomy, slug, name); ``line`` is where it begins."""

    id: int
    kind: str
    status: str
    line: int
    title: str
    link: str
    slug: str
    creator: str
    body: str
    body_line: int
    excerpt: str
    date: datetime | None
    parent: int
    order: int
    password: str
    sticky: bool
    file: str
    cut: bool
    terms: list[tuple[str, str, str]] = field(default_factory=list)
    meta: dict[str, list[str]] = field(default_factory=dict)
    comments: list[RawComment] = field(default_factory=list)

    def first(self, key: str) -> str:
        """The first value of a custom field; "" without one."""
        return next(iter(self.meta.get(key, ())), "")


class Names:
    """From the prefixes that a file declares to the ones that its format's texts use."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self._own: dict[str, str] = {}
        for name, uri in attributes.items():
            prefix = name.removeprefix("xmlns:")
            for pattern, usual in _NAMESPACES:
                if prefix != name and pattern.fullmatch(uri.strip()):
                    self._own[prefix] = usual

    def usual(self, name: str) -> str:
        prefix, colon, local = name.partition(":")
        return f"{self._own.get(prefix, prefix)}:{local}" if colon else name


class Fields:
    """An element's children by their usual names."""

    def __init__(self, element: Element, names: Names) -> None:
        self._found: dict[str, list[Element]] = {}
        for child in element.children:
            self._found.setdefault(names.usual(child.name), []).append(child)

    def all(self, name: str) -> list[Element]:
        return self._found.get(name, [])

    def text(self, name: str) -> str:
        found = self._found.get(name)
        return found[0].text if found else ""

    def line(self, name: str) -> str:
        """The text in one line."""
        return " ".join(self.text(name).split())

    def number(self, name: str) -> int:
        return number(self.text(name))

    def cut(self) -> bool:
        return any(element.cut for found in self._found.values() for element in found)


def number(text: str) -> int:
    """A number as WordPress writes ids; 0 for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and _NUMBER.fullmatch(text) else 0


def read_item(element: Element, names: Names) -> RawItem:
    """An ``<item>``."""
    fields = Fields(element, names)
    contents = fields.all("content:encoded")
    return RawItem(
        id=fields.number("wp:post_id"),
        kind=fields.line("wp:post_type") or "post",
        status=fields.line("wp:status"),
        line=element.line,
        title=fields.line("title"),
        link=fields.line("link"),
        slug=fields.line("wp:post_name"),
        creator=fields.line("dc:creator"),
        body=contents[0].text if contents else "",
        body_line=contents[0].line if contents else element.line,
        excerpt=fields.text("excerpt:encoded"),
        date=_date(fields),
        parent=fields.number("wp:post_parent"),
        order=fields.number("wp:menu_order"),
        password=fields.text("wp:post_password").strip(),
        sticky=fields.line("wp:is_sticky") == "1",
        file=fields.line("wp:attachment_url"),
        cut=fields.cut(),
        terms=list(_terms(fields)),
        meta=_meta(fields, names),
        comments=[_comment(found, names) for found in fields.all("wp:comment")],
    )


def read_term(element: Element, names: Names) -> RawTerm:
    """A ``<wp:category>``, ``<wp:tag>`` or ``<wp:term>``."""
    fields, kind = Fields(element, names), names.usual(element.name)
    ident = fields.number("wp:term_id")
    if kind == "wp:category":
        return RawTerm(
            "category",
            fields.line("wp:category_nicename"),
            fields.line("wp:cat_name"),
            fields.line("wp:category_parent"),
            fields.text("wp:category_description"),
            ident,
        )
    if kind == "wp:tag":
        slug, name = fields.line("wp:tag_slug"), fields.line("wp:tag_name")
        return RawTerm("post_tag", slug, name, "", fields.text("wp:tag_description"), ident)
    return RawTerm(
        fields.line("wp:term_taxonomy"),
        fields.line("wp:term_slug"),
        fields.line("wp:term_name"),
        fields.line("wp:term_parent"),
        fields.text("wp:term_description"),
        ident,
    )


def _terms(fields: Fields) -> Iterator[tuple[str, str, str]]:
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for element in fields.all("category"):
        taxonomy = element.attributes.get("domain", "category")
        taxonomy = "post_tag" if taxonomy == "tag" else taxonomy
        name = " ".join(element.text.split())
        slug = element.attributes.get("nicename", "")
        # The oldest exports name each term twice, once without its slug.
        if name and (slug or (taxonomy, name) not in found):
            found[taxonomy, name] = (taxonomy, slug, name)
    yield from found.values()


def _meta(fields: Fields, names: Names) -> dict[str, list[str]]:
    meta: dict[str, list[str]] = {}
    for element in fields.all("wp:postmeta"):
        pair = Fields(element, names)
        key = pair.line("wp:meta_key")
        if key:
            meta.setdefault(key, []).append(pair.text("wp:meta_value"))
    return meta


def _comment(element: Element, names: Names) -> RawComment:
    fields = Fields(element, names)
    return RawComment(
        id=fields.number("wp:comment_id"),
        parent=fields.number("wp:comment_parent"),
        author=fields.line("wp:comment_author"),
        email=fields.line("wp:comment_author_email"),
        url=fields.line("wp:comment_author_url"),
        date=_moment(fields.line("wp:comment_date_gmt")) or _moment(fields.line("wp:comment_date")),
        text=fields.text("wp:comment_content"),
        status=fields.line("wp:comment_approved"),
        kind=fields.line("wp:comment_type") or "comment",
    )


def _date(fields: Fields) -> datetime | None:
    """GMT where it is known; a draft has local time alone, which is taken as GMT."""
    for name in ("wp:post_date_gmt", "wp:post_date"):
        if (found := _moment(fields.line(name))) is not None:
            return found
    try:
        published = parsedate_to_datetime(fields.line("pubDate"))
        when = published.replace(tzinfo=UTC) if published.tzinfo is None else published
        return when.astimezone(UTC) if when.year >= 1970 else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _moment(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found is None or not text.isascii():
        return None
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:  # "0000-00-00 00:00:00" is how a draft says that it has none
        return None
