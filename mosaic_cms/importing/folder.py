"""Reads a folder of Markdown as pages in a tree, with a report on everything it met.

The conventions of Hugo, Jekyll and plain folders are all understood, side by side.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mosaic_cms.content.models import MAX_TITLE
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.importing.addresses import Addresses, Name
from mosaic_cms.importing.document import MAX_BODY, Document, read_document, without_lines
from mosaic_cms.importing.fields import Fields, read_fields
from mosaic_cms.importing.links import LinkReader, Target, apply
from mosaic_cms.importing.pages import Draft, SourcePage, arrange
from mosaic_cms.importing.report import Report, ReportLine
from mosaic_cms.importing.resolve import Targets, Unresolved
from mosaic_cms.importing.scan import Scan, SourceFile, scan
from mosaic_cms.importing.site_file import SiteFile, read_site_file
from mosaic_core.errors import InvalidInput

__all__ = ["Report", "ReportLine", "SourceFile", "SourceFolder", "SourcePage", "read_folder"]


#: In a folder's top, what its site is called and how it looks.
SITE_FILE = "site.toml"
_NAMED_FILE = re.compile(r"\bmedia:([^\s()<>\"'#\\]+)")


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """All pages, parents before children and siblings in order, and the files they use."""

    pages: tuple[SourcePage, ...]
    media: tuple[SourceFile, ...]
    report: Report
    #: What ``site.toml`` at its top says of the site.
    described: SiteFile | None = None
    #: Its generator shows no page before the date that it has.
    withholds: bool = False


def read_folder(root: Path) -> SourceFolder:
    """Reads a folder. What cannot be used is reported and left out; the rest goes on.

    Raises:
        InvalidInput: it is no folder.
    """
    return _Reading(root).run()


class _Reading:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._report = Report()
        self._used: set[str] = set()

    def run(self) -> SourceFolder:
        found = scan(self._root, self._report)
        described = self._description(found)
        reader = LinkReader()
        documents: dict[str, Document] = {}
        for source, file in found.pages.items():
            document = read_document(source, file, reader, self._report)
            if document is not None:
                documents[source] = document
        fields = {
            source: read_fields(source, document.front, self._report)
            for source, document in documents.items()
        }
        unread = frozenset(found.pages.keys() - documents.keys())
        addresses = Addresses(fields, unread, self._report)
        paths = addresses.all()
        aliases = self._aliases(paths, fields)
        targets = Targets(
            pages=paths,
            files=found.files,
            elsewhere={alias: source for source, own in aliases.items() for alias in own},
            left_out=found.pages.keys() - paths.keys(),
            index_of=addresses.index_of,
        )
        drafts: dict[str, Draft] = {}
        for source, path in paths.items():
            draft = self._draft(documents[source], fields[source], path, aliases[source], targets)
            if draft is not None:
                drafts[source] = draft
                draft.translates = self._translated(source, fields[source], addresses)
                self._used |= _named_files(draft) & found.files.keys()
        pages = tuple(arrange(drafts, addresses))
        self._describe(documents, pages)
        for entry in described.media if described is not None else ():
            if entry.file in found.files:
                self._used.add(entry.file)
            else:
                self._report.problem(SITE_FILE, f"media: there is no file {entry.file!r}")
        for source in sorted(found.files.keys() - self._used):
            self._report.note(source, "no page refers to this file; it is not taken")
        self._report.lines.sort(key=lambda line: (line.source != ".", line.source, line.line or 0))
        media = tuple(file for source, file in found.files.items() if source in self._used)
        withholds = described is None and bool(self._styles(documents))
        return SourceFolder(pages, media, self._report, described, withholds)

    def _description(self, found: Scan) -> SiteFile | None:
        """What is said of the site itself."""
        file = found.files.pop(SITE_FILE, None)
        if file is None:
            return None
        try:
            described = read_site_file(file.path)
        except InvalidInput as error:
            self._report.problem(SITE_FILE, error.message)
            return None
        self._report.understood(SITE_FILE, f"the site is called {described.title!r}")
        return described

    def _translated(self, source: str, fields: Fields, addresses: Addresses) -> str | None:
        """The page that this one says in another language."""
        if not fields.translates:
            return None
        found = addresses.named_page(source, fields.translates)
        if found is None:
            self._report.problem(source, f"translates: there is no page {fields.translates!r}")
        return found

    # ---- one page ---------------------------------------------------------------------------

    def _draft(
        self,
        document: Document,
        fields: Fields,
        path: str,
        aliases: tuple[str, ...],
        targets: Targets,
    ) -> Draft | None:
        source, name = document.source, Name.of(document.source)
        changes = [(t, self._replacement(document, t, targets)) for t in document.targets]
        body = apply(document.front.body, changes)
        title = fields.title or document.heading or _title_of(name, self._root)
        removed = list(document.removed)
        if document.heading and title.casefold() == document.heading.casefold():
            removed.append(document.heading_lines)
        if removed:
            body = without_lines(body, removed)
        if not fields.title:
            where = "its first heading" if document.heading else "the file's name"
            self._report.understood(source, f"the title comes from {where}")
        if len(title) > MAX_TITLE:
            self._report.note(
                source, f"its title has {len(title)} characters, and {MAX_TITLE} fit; it is cut"
            )
            title = title[: MAX_TITLE - 1].rstrip() + "…"
        size = len(body.encode())
        if size > MAX_BODY:
            self._report.problem(source, f"its text has {size:,} bytes, and {MAX_BODY:,} fit")
            return None
        return Draft(
            document=document,
            fields=fields,
            name=name,
            path=path,
            title=title,
            body=body,
            image=self._image(document, fields, targets),
            aliases=aliases,
            date=fields.date or name.date,
        )

    def _replacement(self, document: Document, target: Target, targets: Targets) -> str | None:
        line = document.front.body_line + target.line
        try:
            found = targets.find(document.source, target.value)
        except Unresolved as error:
            self._report.problem(document.source, f"{error}; the link stays as it is", line)
            return None
        if found is None:
            return None
        if target.start is None:
            self._report.problem(
                document.source, f"the target {target.value!r} could not be rewritten", line
            )
            return None
        if found.kind == "media":
            self._used.add(found.source)
        path, _, fragment = target.value.partition("#")
        if "?" in path or (fragment and found.kind == "media"):
            self._report.note(
                document.source, f"{target.value!r} is taken as {found.source!r} alone", line
            )
        return found.text

    def _image(self, document: Document, fields: Fields, targets: Targets) -> str | None:
        if not fields.image:
            return None
        source, line = document.source, document.front.line_of("image")
        try:
            found = targets.find(source, fields.image)
            if found is None and fields.image.startswith(("https://", "http://")):
                return fields.image
        except Unresolved as error:
            try:
                found = targets.find(source, f"/{fields.image.lstrip('/')}")
            except Unresolved:
                self._report.problem(source, f"image: {error}", line)
                return None
        if found is None or found.kind != "media":
            self._report.problem(source, f"image: {fields.image!r} is no picture", line)
            return None
        self._used.add(found.source)
        return found.text

    def _aliases(
        self, paths: dict[str, str], fields: dict[str, Fields]
    ) -> dict[str, tuple[str, ...]]:
        taken = {path: source for source, path in paths.items()}
        found: dict[str, tuple[str, ...]] = {}
        for source, path in paths.items():
            own: list[str] = []
            above = posixpath.dirname(path.rstrip("/")) or "/"
            for alias in _old_addresses(fields[source]):
                address = normalise_path(posixpath.normpath(posixpath.join(above, alias)))
                if address is None:
                    self._report.problem(source, f"aliases: {alias!r} is no address")
                elif address in taken and taken[address] != source:
                    self._report.problem(
                        source, f"aliases: {alias!r} belongs to {taken[address]} already"
                    )
                elif address not in taken:
                    taken[address] = source
                    own.append(address)
            found[source] = tuple(own)
        return found

    # ---- what was understood --------------------------------------------------------------

    def _describe(self, documents: dict[str, Document], pages: tuple[SourcePage, ...]) -> None:
        kinds = Counter(document.front.kind for document in documents.values())
        styles = self._styles(documents)
        matter = ", ".join(
            f"{count} with {kind or 'no'} front matter"
            for kind, count in sorted(kinds.items(), key=lambda item: item[0] or "")
        )
        self._report.understood(
            ".", f"{' and '.join(styles) or 'plain'} conventions; {_counted(len(pages))} ({matter})"
        )
        drafts = sum(page.draft for page in pages)
        if drafts:
            self._report.understood(".", f"drafts: {_counted(drafts)}")
        for folder, count in sorted(Counter(map(posixpath.dirname, documents)).items()):
            self._report.understood(
                folder or ".",
                f"{_kind_of_folder(folder, documents, 'Hugo' in styles)}, {_counted(count)}",
            )

    def _styles(self, documents: dict[str, Document]) -> list[str]:
        """The generators that the folder may be for."""
        names = [posixpath.basename(source).lower() for source in documents]
        toml = any(document.front.kind == "TOML" for document in documents.values())
        hugo = toml or any(name.startswith("_index.") for name in names)
        jekyll = any(Name.of(source).is_post for source in documents)
        return [name for name, is_it in (("Hugo", hugo), ("Jekyll", jekyll)) if is_it]


def _named_files(draft: Draft) -> set[str]:
    """The files that blocks in a text name as ``media:<source>``."""
    text = f"{draft.body}\n{draft.fields.details}"
    return {unquote(found) for found in _NAMED_FILE.findall(text)}


def _counted(pages: int) -> str:
    return "1 page" if pages == 1 else f"{pages} pages"


def _kind_of_folder(folder: str, documents: dict[str, Document], hugo: bool) -> str:
    names = {posixpath.basename(s).lower() for s in documents if posixpath.dirname(s) == folder}
    parts = folder.split("/")
    if "_posts" in parts:
        return "Jekyll posts"
    if "_drafts" in parts:
        return "Jekyll drafts"
    if names & {"_index.md", "_index.markdown"}:
        return "a Hugo section"
    if hugo and folder and names <= {"index.md", "index.markdown"}:
        return "a Hugo page bundle"
    return "a plain folder"


def _title_of(name: Name, root: Path) -> str:
    """``opening-hours`` as "Opening hours"; a folder's own page is called as the folder."""
    stem = name.stem
    if stem.lower() in {"_index", "index", "readme"} and not name.is_post:
        stem = posixpath.basename(name.folder) or root.resolve().name or stem
    words = " ".join(stem.replace("-", " ").replace("_", " ").split())
    return words[:1].upper() + words[1:] if words else stem


def _old_addresses(fields: Fields) -> tuple[str, ...]:
    """Its aliases, and the address that it had where it ended like a file's name."""
    written = fields.permalink or fields.url
    was_file = written.endswith((".html", ".htm")) and ":" not in written
    return (*fields.aliases, *((f"/{written.lstrip('/')}",) if was_file else ()))
