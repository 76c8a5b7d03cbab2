"""What the addresses of the old site lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote, urljoin, urlsplit

from mosaic_cms.content.paths import normalise_path
from mosaic_cms.importing.links import encode_source
from mosaic_cms.importing.report import Level, Report, ReportLine
from mosaic_cms.importing.wordpress.records import RawItem, number
from mosaic_cms.importing.wordpress.uploads import Uploads

_UPLOADS = re.compile(
    r"(?:^|/)(?:wp-content/uploads(?:/sites/\d+)?|wp-content/blogs\.dir/\d+/files)/"
)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_OUTSIDE = re.compile(r"(?:https?|mailto|tel):", re.IGNORECASE)
#: What a browser takes out of an address before it looks at it.
_BLANK = re.compile(r"[\x00-\x20\x7f-\x9f]")
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post is read: for the report, and for addresses that are relative."""

    source: str
    address: str
    line: int | None = None


class Addresses:
    """Turns addresses into placeholders: ``page:wp:<id>`` and ``media:upload:<path>``.

    ``originals`` fills with the old address of each placeholder that was given out.
    """

    def __init__(
        self,
        bases: tuple[str, ...],
        items: Mapping[int, RawItem],
        pages: frozenset[int],
        uploads: Uploads,
        report: Report,
    ) -> None:
        self._bases = [parts for parts in map(_split, bases) if parts is not None and parts.netloc]
        self._hosts = {_host(base) for base in self._bases}
        self._items = items
        self._pages = pages
        self._uploads = uploads
        self._report = report
        self._by_path: dict[str, int] = {}
        for item in items.values():
            path = self.path_of(item.link)
            if path is not None:
                self._by_path.setdefault(path, item.id)
        self._said: set[tuple[str, str]] = set()
        self.originals: dict[str, str] = {}

    def path_of(self, address: str) -> str | None:
        """The path of a post's own address; None when it is only a number (``?p=5``), or is not
        on the old site."""
        parts = _split(address)
        if parts is None or parts.query or not self._is_own(parts):
            return None
        path = normalise_path(unquote(parts.path, errors="replace") or "/")
        return None if path is None or "\ufffd" in path else path

    def upload_path(self, address: str) -> str | None:
        """The path below uploads of a file's address; None when it is none of the old site."""
        parts = _split(address)
        if parts is None or not (self._is_own(parts) or not parts.netloc):
            return None
        path = unquote(parts.path)
        found = _UPLOADS.search(path)
        return path[found.end() :] if found else None

    # ---- placeholders ------------------------------------------------------------------------

    def link(self, address: str, place: Place) -> str | None:
        """What stands for a link's address: a placeholder, the address itself, or None when no
        link may have it."""
        address = _BLANK.sub("", address) if _SCHEME.match(_BLANK.sub("", address)) else address
        address = address.strip()[:_LONGEST]
        if not address or address.startswith("#"):
            return address or None
        if _SCHEME.match(address) and not _OUTSIDE.match(address):
            self._say("note", place, f"the link to {address[:80]!r} is taken out; its text stays")
            return None
        absolute = self._absolute(address, place)
        parts = _split(absolute)
        if parts is None or parts.scheme not in {"http", "https"}:
            return address if parts is not None and _OUTSIDE.match(address) else None
        if not self._is_own(parts):
            return _safe(absolute)
        return self._own(parts, absolute, place) or _safe(absolute)

    def picture(self, address: str, place: Place) -> str | None:
        """The same for a picture's address; None when it cannot be one."""
        absolute = self._absolute(address.strip()[:_LONGEST], place)
        parts = _split(absolute)
        if parts is None or parts.scheme not in {"http", "https"}:
            return None
        path = self.upload_path(absolute)
        if path is not None and (found := self.file(path, place)) is not None:
            return found
        if path is None:
            self._say("note", place, f"the picture {absolute[:200]!r} stays where it is")
        return _safe(absolute)

    def file(self, path: str, place: Place) -> str | None:
        """The placeholder of a file by its path below uploads, if it is there."""
        file = self._uploads.find(path, place.source, place.line)
        if file is None:
            return None
        placeholder = f"media:{_encoded(file.source)}"
        self.originals.setdefault(placeholder, self._upload_address(file.source))
        return placeholder

    def attachment(self, ident: int, place: Place) -> str | None:
        """A placeholder or address for a file by its id in the media library."""
        item = self._items.get(ident)
        if item is None or item.kind != "attachment":
            return None
        path = self.path_of_attachment(item)
        if path is not None and (found := self.file(path, place)) is not None:
            return found
        return _safe(item.file) if _OUTSIDE.match(item.file) else None

    def path_of_attachment(self, item: RawItem) -> str | None:
        return self.upload_path(item.file) or item.first("_wp_attached_file") or None

    def page(self, ident: int, fragment: str = "") -> str | None:
        """The placeholder of a post, if it becomes a page."""
        if ident not in self._pages:
            return None
        placeholder = f"page:wp:{ident}"
        address = self._items[ident].link
        safe = _safe(address) if _OUTSIDE.match(address) else f"/?p={ident}"
        self.originals.setdefault(placeholder, safe)
        return placeholder + (f"#{quote(fragment, safe='%:-._~')}" if fragment else "")

    def _own(self, parts: SplitResult, absolute: str, place: Place) -> str | None:
        path = self.upload_path(absolute)
        if path is not None:
            return self.file(path, place)
        ident = _ident(parts.query)
        if not ident:
            normal = normalise_path(unquote(parts.path) or "/")
            ident = self._by_path.get(normal or "", 0)
            if not ident and normal in {_base_path(base) for base in self._bases}:
                return "/"
        if (found := self.page(ident, parts.fragment)) is not None:
            return found
        if (found := self.attachment(ident, place)) is not None:
            return found
        what = f"{absolute[:200]!r} leads to nothing that the export has; the link stays as it is"
        self._say("problem", place, what)
        return None

    def _say(self, level: Level, place: Place, message: str) -> None:
        """Once for each post."""
        if (place.source, message) not in self._said:
            self._said.add((place.source, message))
            self._report.lines.append(ReportLine(place.source, place.line, level, message))

    def _absolute(self, address: str, place: Place) -> str:
        base = place.address if _OUTSIDE.match(place.address) else ""
        try:
            return urljoin(base or (self._bases[0].geturl() + "/" if self._bases else ""), address)
        except ValueError:
            return address

    def _is_own(self, parts: SplitResult) -> bool:
        return _host(parts) in self._hosts

    def _upload_address(self, source: str) -> str:
        base = self._bases[0].geturl() if self._bases else ""
        return f"{base}/wp-content/uploads/{quote(source.removeprefix('upload:'))}"


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    """The host, http and https and www alike."""
    host = (parts.hostname or "").removeprefix("www.")
    port = parts.port
    return host if port in {None, 80, 443} else f"{host}:{port}"


def _base_path(base: SplitResult) -> str | None:
    return normalise_path(unquote(base.path) or "/")


def _ident(query: str) -> int:
    try:
        fields = parse_qs(query, max_num_fields=20)
    except ValueError:
        return 0
    for name in ("p", "page_id", "attachment_id"):
        if name in fields:
            return number(fields[name][0])
    return 0


def _encoded(source: str) -> str:
    kind, _, path = source.partition(":")
    return f"{kind}:{encode_source(path)}"


def _safe(address: str) -> str:
    """An address without what HTML, Markdown or a header might stumble over."""
    return quote(address, safe="%/:?#[]@!$&'()*+,;=~-._", errors="replace")
