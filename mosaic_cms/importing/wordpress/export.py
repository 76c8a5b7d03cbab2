"""From the file to its items: what it is, whether it is whole, and who wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.model import WordPressAuthor
from mosaic_cms.importing.wordpress.records import (
    EXPORT,
    Fields,
    Names,
    RawItem,
    RawTerm,
    read_item,
    read_term,
)
from mosaic_cms.importing.wordpress.xml import Element, Reading
from mosaic_core.errors import InvalidInput

_VERSIONS = {"1.0", "1.1", "1.2"}
_ADDRESS = re.compile(r"https?://[^\s/?#\\@]+[^\s?#\\]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
_HINT = "Name the XML file that WordPress wrote under Tools → Export."


@dataclass(slots=True)
class Export:
    """What a file holds, up to its end or its first damage."""

    title: str = ""
    tagline: str = ""
    language: str = ""
    #: Of the blog, and of the whole installation; without a slash at the end.
    address: str = ""
    root: str = ""
    version: str = ""
    whole: bool = True
    authors: dict[str, WordPressAuthor] = field(default_factory=dict)
    terms: list[RawTerm] = field(default_factory=list)
    items: dict[int, RawItem] = field(default_factory=dict)


def read_export(path: Path, report: Report) -> Export:
    """Reads a file.

    Raises:
        InvalidInput: it is no WordPress export, or not a single element of it can be read.
    """
    return _ExportReading(path, report).run()


class _ExportReading:
    def __init__(self, path: Path, report: Report) -> None:
        self._path = path
        self._report = report
        self._names = Names({})
        self._export = Export()
        self._declared = ""
        self._in_channel = False

    def run(self) -> Export:
        export, reading = self._export, Reading(self._open, self._close)
        reading.run(self._path)
        if not self._in_channel:
            raise InvalidInput(
                f"{self._path.name!r} is no WordPress export: {reading.damage or 'it is empty'}"
                f"{f' (line {reading.line})' if reading.damage else ''}.",
                hint=_HINT,
            )
        if reading.damage:
            export.whole = False
            self._report.problem(
                self._path.name,
                f"the file is damaged or cut off here ({reading.damage}); the {len(export.items)} "
                "items that were whole before this place are taken, and nothing after it",
                reading.line,
            )
        if reading.replaced:
            self._report.note(
                self._path.name,
                f"{reading.replaced} characters that XML or the file's encoding does not allow "
                "were taken out or replaced",
            )
        export.version = export.version or self._declared
        if export.version not in _VERSIONS:
            self._report.note(
                self._path.name,
                f"its format is {export.version[:20] or 'not named'}; it is read as 1.2",
            )
        return export

    def _open(self, element: Element, depth: int) -> None:
        if depth == 0:
            self._root(element)
        elif depth == 1 and element.name == "channel":
            if not self._declared:
                self._declare(element.attributes)
            self._in_channel = bool(self._declared)
            if not self._in_channel:
                raise InvalidInput(
                    f"{self._path.name!r} is a feed, but no WordPress export.", hint=_HINT
                )

    def _root(self, element: Element) -> None:
        if element.name != "rss":
            raise InvalidInput(
                f"{self._path.name!r} is no WordPress export: its root is "
                f"<{element.name[:60]}>, not <rss>.",
                hint=_HINT,
            )
        self._declare(element.attributes)

    def _declare(self, attributes: dict[str, str]) -> None:
        for uri in attributes.values():
            if found := EXPORT.fullmatch(uri.strip()):
                self._declared = found[1].strip(".")
                self._names = Names(attributes)

    def _close(self, element: Element, depth: int) -> bool:
        """Takes what is whole; what stays is only what belongs to something larger."""
        if depth != 2:
            return depth > 2
        name = self._names.usual(element.name)
        if name == "item":
            self._item(element)
        elif name in {"wp:category", "wp:tag", "wp:term"}:
            term = read_term(element, self._names)
            if term.slug or term.name:
                self._export.terms.append(term)
        elif name == "wp:author":
            self._author(element)
        else:
            self._fact(name, " ".join(element.text.split()))
        return False

    def _item(self, element: Element) -> None:
        item = read_item(element, self._names)
        where = f"wp:{item.id}" if item.id else self._path.name
        if not item.id:
            self._report.problem(where, "an item without an id; left out", item.line)
        elif item.id in self._export.items:
            self._report.problem(where, "a second item has the same id; left out", item.line)
        elif item.cut:
            self._report.problem(where, "one of its texts is too long; left out", item.line)
        else:
            self._export.items[item.id] = item

    def _author(self, element: Element) -> None:
        fields = Fields(element, self._names)
        login = fields.line("wp:author_login")
        names = (fields.line("wp:author_first_name"), fields.line("wp:author_last_name"))
        name = fields.line("wp:author_display_name") or " ".join(filter(None, names)) or login
        if login:
            author = WordPressAuthor(login, name, fields.line("wp:author_email"))
            self._export.authors.setdefault(login, author)

    def _fact(self, name: str, text: str) -> None:
        export = self._export
        if name == "title":
            export.title = export.title or text
        elif name == "description":
            export.tagline = export.tagline or text
        elif name == "language" and _LANGUAGE.fullmatch(text):
            export.language = text.replace("_", "-")
        elif name == "wp:wxr_version":
            export.version = text
        elif name in {"link", "wp:base_blog_url"} and _ADDRESS.fullmatch(text):
            export.address = text.rstrip("/")
        elif name == "wp:base_site_url" and _ADDRESS.fullmatch(text):
            export.root = text.rstrip("/")
