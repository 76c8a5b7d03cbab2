"""Which address each page gets, and which page it stands below."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mosaic_cms.content.models import MAX_PATH
from mosaic_cms.content.paths import check_slug
from mosaic_cms.content.slugs import slugify
from mosaic_cms.importing.fields import Fields
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.slugs import expand_permalink, written_path
from mosaic_core.errors import InvalidInput

#: Names that make a page stand for its folder, the strongest first.
_INDEXES = ("_index", "index", "readme")
_POST = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})-(.+)")
_BLOG = "/blog/"


@dataclass(frozen=True, slots=True)
class Name:
    """What a file's name says of its page.

    Attributes:
        stem: the last part, without its ending and without a post's date.
        date: from the name of a Jekyll post.
    """

    folder: str
    stem: str
    is_post: bool
    is_draft: bool
    date: datetime | None

    @classmethod
    def of(cls, source: str) -> Name:
        folder, file = posixpath.split(source)
        stem = posixpath.splitext(file)[0]
        parts = folder.split("/")
        is_post, is_draft = "_posts" in parts, "_drafts" in parts
        date = None
        found = _POST.fullmatch(stem) if is_post or is_draft else None
        if found:
            try:
                date = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
                stem = found[4]
            except ValueError:
                pass
        return cls(folder, stem, is_post or is_draft, is_draft, date)


class Addresses:
    """The addresses of pages, each found from that of one page above it.

    ``passed_over`` are the sources that cannot be pages, so that what refers to them is told so.
    """

    def __init__(
        self, pages: Mapping[str, Fields], passed_over: frozenset[str], report: Report
    ) -> None:
        self._pages = pages
        self._passed_over = passed_over
        self._report = report
        self._names = {source: Name.of(source) for source in pages}
        self._indexes = self._find_indexes()
        self._written = dict(self._written_addresses())
        self._parents = dict(self._explicit_parents())
        self._out = self._cycles()
        self._known: dict[str, str] = {}

    def index_of(self, folder: str) -> str | None:
        """The page that stands for a folder."""
        return self._indexes.get(folder)

    def is_index(self, source: str) -> bool:
        return self._indexes.get(posixpath.dirname(source)) == source

    def parent_of(self, source: str) -> str | None:
        """The page that a page names as its parent."""
        return self._parents.get(source)

    def all(self) -> dict[str, str]:
        """Addresses by source; pages without a good one of their own are reported and left out."""
        taken: dict[str, str] = {}
        found: dict[str, str] = {}
        for source in sorted(self._pages.keys() - self._out):
            path = self._of(source)
            if not self._is_good(source, path):
                continue
            if path in taken:
                self._report.problem(
                    source, f"its address {path} is that of {taken[path]} already; left out"
                )
                continue
            taken[path] = source
            found[source] = path
        return found

    # ---- what stands above what -----------------------------------------------------------

    def _find_indexes(self) -> dict[str, str]:
        indexes: dict[str, tuple[int, str]] = {}
        for source in sorted(self._pages):
            name = self._names[source]
            rank = name.stem.lower()
            if rank in _INDEXES and not name.is_post:
                found = (_INDEXES.index(rank), source)
                indexes[name.folder] = min(found, indexes.get(name.folder, found))
        return {folder: source for folder, (_, source) in indexes.items()}

    def _written_addresses(self) -> Iterator[tuple[str, str]]:
        """The addresses that front matter itself names."""
        for source, fields in self._pages.items():
            pattern = fields.permalink or fields.url
            if not pattern:
                continue
            if fields.permalink:
                key = "permalink"
                path = expand_permalink(
                    pattern,
                    slug=self._slug(source),
                    date=fields.date or self._names[source].date,
                    categories=fields.categories,
                )
            else:
                key, path = "url", written_path(pattern)
            if path is None:
                self._report.problem(source, f"{key}: {pattern!r} makes no address; not used")
            else:
                yield source, path

    def _explicit_parents(self) -> Iterator[tuple[str, str]]:
        for source, fields in self._pages.items():
            if not fields.parent:
                continue
            found = self.named_page(source, fields.parent)
            if found is None:
                self._report.problem(source, f"parent: there is no page {fields.parent!r}")
            elif found in self._passed_over:
                self._report.note(source, f"its parent {found} was left out; it moves up")
            elif source in self._written:
                self._report.note(source, "parent: its own address decides where it stands")
            else:
                yield source, found

    def named_page(self, source: str, name: str) -> str | None:
        """The page that a page names, beside it or from the top of the folder; with a ``/`` before
        it, from there alone."""
        for base in ("",) if name.startswith("/") else (posixpath.dirname(source), ""):
            path = posixpath.normpath(posixpath.join(base, name.strip("/"))).removeprefix("./")
            path = "" if path == "." else path
            for candidate in (path, f"{path}.md", f"{path}.markdown"):
                if candidate in self._pages or candidate in self._passed_over:
                    return candidate
            if path in self._indexes:
                return self._indexes[path]
        return None

    def _above(self, source: str) -> str | None:
        """The one page whose address this page's address is made from."""
        if source in self._parents:
            return self._parents[source]
        if source in self._written:
            return None
        folder = self._names[source].folder
        if self._indexes.get(folder) == source:
            if not folder:
                return None
            folder = posixpath.dirname(folder)
        while folder and folder not in self._indexes:
            folder = posixpath.dirname(folder)
        return self._indexes.get(folder)

    def _cycles(self) -> set[str]:
        """Pages that stand, in the end, below themselves; they are reported."""
        settled: set[str] = set()
        out: set[str] = set()
        for start in self._pages:
            way: dict[str, None] = {}
            source: str | None = start
            while source is not None and source not in settled and source not in way:
                way[source] = None
                source = self._above(source)
            if source is not None and source in way:
                ring = list(way)[list(way).index(source) :]
                for member in ring:
                    self._report.problem(
                        member,
                        f"its parents lead in a circle ({' → '.join([*ring, ring[0]])}); left out",
                    )
                out |= set(ring)
            settled |= way.keys()
        for source in [s for s, parent in self._parents.items() if parent in out]:
            del self._parents[source]
            if source not in out:
                self._report.note(source, "its parent was left out; it moves up")
        self._indexes = {f: source for f, source in self._indexes.items() if source not in out}
        return out

    # ---- addresses ------------------------------------------------------------------------

    def _of(self, source: str) -> str:
        # Every page depends on one page at most, and circles are out: this ends.
        chain = [source]
        while (above := self._above(chain[-1])) is not None and above not in self._known:
            chain.append(above)
        for page in reversed(chain):
            self._known[page] = self._own(page)
        return self._known[source]

    def _own(self, source: str) -> str:
        """A page's address; those of the pages above it are known."""
        fields, name = self._pages[source], self._names[source]
        if source in self._written:
            return self._written[source]
        slug = self._slug(source)
        if source in self._parents:
            return f"{self._known[self._parents[source]]}{slug}/"
        if name.is_post:
            date = fields.date or name.date
            when = f"{date:%Y/%m}/" if date and not name.is_draft else ""
            return f"{self._blog(name.folder)}{when}{slug}/"
        if self.is_index(source):
            folder = name.folder
            return f"{self._folder(posixpath.dirname(folder))}{slug}/" if folder else "/"
        return f"{self._folder(name.folder)}{slug}/"

    def _slug(self, source: str) -> str:
        fields, name = self._pages[source], self._names[source]
        if fields.slug:
            segments = [slugify(segment) for segment in fields.slug.split("/") if segment.strip()]
            return "/".join(segments) or slugify(name.stem)
        if self.is_index(source) and name.folder:
            return slugify(posixpath.basename(name.folder))
        return slugify(name.stem)

    def _folder(self, folder: str) -> str:
        index = self._indexes.get(folder)
        if index is not None and index in self._known:
            return self._known[index]
        if not folder:
            return "/"
        return f"{self._folder(posixpath.dirname(folder))}{slugify(posixpath.basename(folder))}/"

    def _blog(self, folder: str) -> str:
        """Where posts stand: /blog/, or the folder that has the folder of posts."""
        parts = folder.split("/")
        at = next(n for n, part in enumerate(parts) if part in {"_posts", "_drafts"})
        return self._folder("/".join(parts[:at])) if at else _BLOG

    def _is_good(self, source: str, path: str) -> bool:
        try:
            check_slug(path)
        except InvalidInput as error:
            self._report.problem(source, f"{error.message} Left out")
            return False
        if len(path) > MAX_PATH:
            self._report.problem(
                source, f"its address has {len(path)} characters, and {MAX_PATH} fit; left out"
            )
            return False
        return True
