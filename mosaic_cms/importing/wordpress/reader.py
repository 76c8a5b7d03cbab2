"""A WordPress export as a site: pages in their tree, menus, comments, files and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mosaic_cms.blocks.stored import Stored, regions_of
from mosaic_cms.content.models import MAX_TITLE
from mosaic_cms.importing.document import cut_summary
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress import made
from mosaic_cms.importing.wordpress.addresses import Addresses, Place
from mosaic_cms.importing.wordpress.belonging import read_comments, read_terms
from mosaic_cms.importing.wordpress.dom import parse, plain
from mosaic_cms.importing.wordpress.export import Export, read_export
from mosaic_cms.importing.wordpress.marked import Body
from mosaic_cms.importing.wordpress.menus import read_menus
from mosaic_cms.importing.wordpress.meta import kept_meta
from mosaic_cms.importing.wordpress.model import (
    WordPressPage,
    WordPressRedirect,
    WordPressSite,
)
from mosaic_cms.importing.wordpress.post import Library, Post
from mosaic_cms.importing.wordpress.records import RawItem, number
from mosaic_cms.importing.wordpress.tree import Spot, Tree
from mosaic_cms.importing.wordpress.uploads import Uploads
from mosaic_core.errors import InvalidInput

#: What belongs to WordPress's machinery, or to how an old theme looked.
_MACHINE_TYPES = (
    "revision oembed_cache customize_changeset custom_css user_request wp_template "
    "wp_template_part wp_global_styles wp_navigation wp_font_family wp_font_face "
    "attachment nav_menu_item wp_block"
)
_MACHINERY = frozenset(_MACHINE_TYPES.split())
_SILENT = frozenset({"attachment", "nav_menu_item", "wp_block"})
_STATUSES = frozenset({"publish", "draft", "pending", "future", "private", "inherit", ""})
_SUMMARY = 1_000


def read_wordpress(file: Path, uploads: Path | None = None) -> WordPressSite:
    """Reads an export, and pictures from a copy of the old site's ``wp-content/uploads``.

    Nothing is fetched from anywhere. What cannot be used is reported and left out; a file that is
    cut off or damaged gives what was whole before that place. The same files give the same again.

    Raises:
        InvalidInput: it is no WordPress export, it declares entities or a document type, or
            ``uploads`` is no folder.
    """
    report = Report()
    export = read_export(file, report)
    return _Reading(file.name, export, uploads, report).run()


class _Reading:
    def __init__(self, name: str, export: Export, uploads: Path | None, report: Report) -> None:
        self._name = name
        self._export = export
        self._report = report
        self._has_uploads = uploads is not None
        self._titles = {item.id: _title(item) for item in export.items.values()}
        self._taken = dict(self._kept())
        self._library = Library(export.items)
        #: Paths that a page has or leads on from.
        self._addressed: set[str] = set()
        known: dict[str, tuple[str, str, str]] = {}
        self._uploads = Uploads(uploads, known, report)
        self._addresses = Addresses(
            (export.address, export.root),
            export.items,
            frozenset(self._taken),
            self._uploads,
            report,
        )
        for ident, attachment in self._library.files.items():
            if path := self._addresses.path_of_attachment(attachment):
                words = (
                    self._library.alt(ident),
                    self._titles[ident],
                    self._library.caption(ident),
                )
                known[path] = words

    def run(self) -> WordPressSite:
        export, report = self._export, self._report
        spots = Tree(self._taken, self._home(), self._titles, report).spots()
        self._addressed = {spot.path for spot in spots}
        pages = tuple(self._page(spot) for spot in spots)
        menus = read_menus(export, self._addresses, self._titles, report)
        comments = read_comments(export, {page.source for page in pages}, self._name, report)
        for ident, attachment in self._library.files.items():
            self._addresses.attachment(ident, Place(f"wp:{ident}", "", attachment.line))
        self._summarise(pages)
        report.lines.sort(key=lambda line: (line.source != self._name, _number(line.source)))
        return WordPressSite(
            title=plain(export.title)[:MAX_TITLE],
            tagline=plain(export.tagline)[:500],
            language=export.language or "en",
            address=export.address,
            version=export.version,
            whole=export.whole,
            authors=tuple(export.authors.values()),
            terms=read_terms(export),
            pages=pages,
            menus=menus,
            comments=comments,
            media=tuple(sorted(self._uploads.used.values(), key=lambda file: file.source)),
            redirects=tuple(
                WordPressRedirect(alias, page.source, page.path)
                for page in pages
                for alias in page.aliases
            ),
            originals=dict(self._addresses.originals),
            report=report,
        )

    # ---- which items -------------------------------------------------------------------------

    def _kept(self) -> Iterator[tuple[int, RawItem]]:
        """The items that become pages."""
        left_out: Counter[str] = Counter()
        for item in self._export.items.values():
            source = f"wp:{item.id}"
            if item.kind in _MACHINERY:
                left_out[item.kind] += item.kind not in _SILENT
            elif item.status == "trash":
                self._report.note(source, "it is in the old site's bin; left out", item.line)
            elif item.status == "auto-draft":
                self._report.note(source, "a draft that nobody has saved; left out", item.line)
            else:
                yield item.id, item
        for kind, count in sorted(left_out.items()):
            if count:
                self._report.note(self._name, f"{count} of the type {kind} are left out")

    def _home(self) -> int:
        """The page whose address is that of the site."""
        base = self._addresses.path_of(f"{self._export.address}/")
        for item in self._taken.values():
            if item.kind == "page" and base and self._addresses.path_of(item.link) == base:
                return item.id
        self._report.note(self._name, "no page is the front page; make one, or name one so")
        return 0

    # ---- one page ----------------------------------------------------------------------------

    def _page(self, spot: Spot) -> WordPressPage:
        item = spot.item
        if item is None:
            return _list(spot)
        post = Post(item, self._addresses, self._library, self._report, self._pattern)
        body = item.body.replace("\r\n", "\n").replace("\r", "\n")
        blocks = self._blocks(post, body)
        broken = blocks is None
        post.line = item.line
        draft, scheduled = self._state(item, post)
        title = spot.title
        if len(title) > MAX_TITLE:
            post.note(f"its title has {len(title)} characters, and {MAX_TITLE} fit; it is cut")
            title = f"{title[: MAX_TITLE - 1].rstrip()}…"
        summary = plain(item.excerpt)[:_SUMMARY] or cut_summary(_opening(blocks or []))
        return WordPressPage(
            source=spot.source,
            parent=spot.parent,
            slug=spot.slug,
            path=spot.path,
            position=spot.position,
            title=title,
            summary=summary,
            layout=spot.layout,
            details=self._details(item, post),
            blocks=tuple(blocks or ()),
            draft=draft or broken,
            scheduled=None if broken else scheduled,
            sticky=item.sticky,
            aliases=self._aliases(item, spot),
        )

    def _blocks(self, post: Post, body: str) -> list[Stored] | None:
        """A body's blocks, as text alone where they are too many; None: no page can hold it."""
        reading, message = Body(post), ""
        for read in (reading.read, reading.text):
            blocks = made.numbered(made.joined(read(body)), f"wp{post.item.id}")
            try:
                regions_of({"main": blocks})
            except InvalidInput as error:
                message = error.message
            else:
                if message:
                    post.note(f"{message} All of it is text now")
                return blocks
        # The page keeps its place in the tree: others stand below it.
        self._report.problem(post.source, f"{message} It is a draft without its text")
        return None

    def _state(self, item: RawItem, post: Post) -> tuple[bool, datetime | None]:
        """Whether it is a draft, and when it is to be published."""
        if item.password:
            post.note("it was behind a password, which is not taken; it is a draft now")
            return True, None
        if item.status == "private":
            post.note("it was private; it is a draft now")
            return True, None
        if item.status == "future":
            if item.date is None:
                post.note("it was to be published, but no date says when; it is a draft now")
            return True, item.date
        if item.status not in _STATUSES:
            post.note(f"its status {item.status[:40]!r} is not known; it is a draft now")
            return True, None
        return item.status != "publish", None

    def _details(self, item: RawItem, post: Post) -> dict[str, Any]:
        author = self._export.authors.get(item.creator)
        details: dict[str, Any] = {
            "author": author.name if author else item.creator,
            "date": item.date.isoformat() if item.date else "",
            "tags": [plain(name) for kind, _, name in item.terms if kind == "post_tag"],
            "categories": [plain(name) for kind, _, name in item.terms if kind == "category"],
        }
        ident = number(item.first("_thumbnail_id"))
        if ident:
            image = post.file(ident)
            if image is None:
                post.note(f"its featured picture ({ident}) is not in the export")
            else:
                details |= {"image": image, "image_alt": post.alt_of(ident)}
        others = [[kind, slug] for kind, slug, _ in item.terms if kind not in _OWN_TERMS]
        kept = {
            "id": item.id,
            "type": item.kind,
            "status": item.status,
            "link": item.link,
            "sticky": item.sticky,
            "terms": others,
            "meta": kept_meta(item, post),
        }
        details["wordpress"] = {name: value for name, value in kept.items() if value}
        return {name: value for name, value in details.items() if value}

    def _aliases(self, item: RawItem, spot: Spot) -> tuple[str, ...]:
        """Its old address, unless a page of the new site has it, or another one had it first."""
        old = self._addresses.path_of(item.link)
        if old is None or old in self._addressed:
            return ()
        self._addressed.add(old)
        return (old,)

    def _pattern(self, ident: int) -> str | None:
        item = self._export.items.get(ident)
        return item.body if item is not None and item.kind == "wp_block" else None

    def _summarise(self, pages: tuple[WordPressPage, ...]) -> None:
        kinds = Counter(page.layout for page in pages)
        counted = ", ".join(
            f"{count} of the layout {kind}" for kind, count in sorted(kinds.items())
        )
        self._report.understood(
            self._name,
            f"a WordPress export ({self._export.version or '?'}) of {self._export.address or '?'}: "
            f"{counted or 'no pages'}; {sum(page.draft for page in pages)} drafts",
        )
        missing = len(self._uploads.missing)
        if missing and not self._has_uploads:
            self._report.problem(
                self._name,
                f"no folder of uploads was given, so {missing} files keep their old addresses",
            )


_OWN_TERMS = frozenset({"category", "post_tag", "nav_menu"})


def _title(item: RawItem) -> str:
    words = plain(item.title)
    if words:
        return words
    name = " ".join(made.line(item.slug).replace("-", " ").split()) if "%" not in item.slug else ""
    return name[:1].upper() + name[1:] if name else f"{item.kind[:40]} {item.id}".capitalize()


def _list(spot: Spot) -> WordPressPage:
    return WordPressPage(
        source=spot.source,
        parent=spot.parent,
        slug=spot.slug,
        path=spot.path,
        position=spot.position,
        title=spot.title,
        summary="",
        layout=spot.layout,
        details={},
        blocks=(),
        draft=False,
        scheduled=None,
        sticky=False,
        aliases=(),
    )


def _opening(blocks: list[Stored]) -> str:
    """The words of the first paragraph."""
    for block in blocks:
        if block["type"] == "rich_text":
            for paragraph in parse(block["data"]["text"]).all("p"):
                if paragraph.words:
                    return paragraph.words
    return ""


def _number(source: str) -> int:
    return number(source.removeprefix("wp:"))
