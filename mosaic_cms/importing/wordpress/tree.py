"""Where each post stands on the new site: below which page, at which address, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from mosaic_cms.content.models import MAX_PATH
from mosaic_cms.content.paths import RESERVED_SEGMENT
from mosaic_cms.content.slugs import slugify
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.model import Layout
from mosaic_cms.importing.wordpress.records import RawItem

POSTS = "wp:posts"
#: Names that a page for a site's posts has, as a rule.
_BLOGS = ("blog", "posts", "news", "journal")


@dataclass(slots=True)
class Spot:
    """A page's place. ``item`` is None for a list that is made here."""

    source: str
    item: RawItem | None
    parent: str | None
    slug: str
    title: str
    layout: Layout
    path: str = ""
    position: int = 0


class Tree:
    """Places pages and posts.

    ``home`` is the id of the front page, 0 when the export does not say which it is.
    """

    def __init__(
        self, items: Mapping[int, RawItem], home: int, titles: Mapping[int, str], report: Report
    ) -> None:
        self._items = items
        self._home = home
        self._titles = titles
        self._report = report
        self._spots: dict[str, Spot] = {}

    def spots(self) -> list[Spot]:
        """All of them, parents before children and siblings in order."""
        pages = [item for item in self._items.values() if item.kind == "page"]
        for item in pages:
            layout: Layout = "home" if item.id == self._home else "page"
            self._add(item, self._parent_of(item), layout)
        self._cut_circles()
        self._add_posts()
        self._add_other_types()
        return list(self._ordered())

    # ---- what stands where -------------------------------------------------------------------

    def _parent_of(self, item: RawItem) -> str | None:
        above = self._items.get(item.parent)
        if item.parent and (above is None or above.kind != "page"):
            self._report.note(f"wp:{item.id}", "its parent is not among the pages; it moves up")
            return None
        return f"wp:{above.id}" if above is not None else None

    def _cut_circles(self) -> None:
        settled: set[str] = set()
        for start in self._spots:
            way: dict[str, None] = {}
            source: str | None = start
            while source is not None and source not in settled and source not in way:
                way[source] = None
                source = self._spots[source].parent
            if source is not None and source in way:
                self._report.problem(source, "its parents lead in a circle; it moves to the top")
                self._spots[source].parent = None
            settled |= way.keys()

    def _add_posts(self) -> None:
        posts = [item for item in self._items.values() if item.kind == "post"]
        if not posts:
            return
        above = self._blog()
        for item in posts:
            self._add(item, above, "post")

    def _blog(self) -> str:
        """The page that has nothing on it but its name, which WordPress shows the posts on."""
        for spot in self._spots.values():
            empty = spot.item is not None and not spot.item.body.strip()
            if spot.slug in _BLOGS and spot.parent is None and empty and spot.layout != "home":
                spot.layout = "list"
                self._report.understood(spot.source, "the page that lists the posts")
                return spot.source
        self._spots[POSTS] = Spot(POSTS, None, None, "blog", "Blog", "list")
        self._report.understood(POSTS, "a page that lists the posts is made for them: Blog")
        return POSTS

    def _add_other_types(self) -> None:
        for item in self._items.values():
            if item.kind in {"page", "post"}:
                continue
            source = f"wp:type:{item.kind}"[:100]
            if source not in self._spots:
                name = " ".join(item.kind.replace("_", " ").replace("-", " ").split())
                title = name[:1].upper() + name[1:]
                self._spots[source] = Spot(source, None, None, slugify(item.kind), title, "list")
                self._report.note(
                    source, f"what is of the type {item.kind[:60]!r} became pages below this one"
                )
            self._add(item, source, "page")

    def _add(self, item: RawItem, parent: str | None, layout: Layout) -> None:
        source = f"wp:{item.id}"
        title = self._titles[item.id]
        slug = "" if layout == "home" else slug_of(item, title)
        self._spots[source] = Spot(
            source, item, None if layout == "home" else parent, slug, title, layout
        )

    # ---- order and addresses -----------------------------------------------------------------

    def _ordered(self) -> Iterator[Spot]:
        children: dict[str | None, list[Spot]] = {}
        for spot in self._spots.values():
            children.setdefault(spot.parent, []).append(spot)
        for siblings in children.values():
            siblings.sort(key=_order)
            for position, spot in enumerate(siblings):
                spot.position = position
        taken: set[str] = set()
        pending = children.get(None, [])[::-1]
        while pending:
            spot = pending.pop()
            above = self._spots[spot.parent].path if spot.parent else "/"
            self._address(spot, above, taken)
            yield spot
            pending += children.get(spot.source, [])[::-1]

    def _address(self, spot: Spot, above: str, taken: set[str]) -> None:
        wanted = slug = spot.slug
        if len(above) + len(slug) + 12 > MAX_PATH:
            # An address that is too long starts again at the top, shortened.
            slug = wanted = slugify(slug[: MAX_PATH // 4])
            if len(above) + len(slug) + 12 > MAX_PATH:
                spot.parent, above = None, "/"
            self._report.note(spot.source, "its address was too long; it is a shorter one now")
        number = 2
        while (path := f"{above}{slug}/" if slug else "/") in taken:
            slug = f"{wanted or 'home'}-{number}"
            number += 1
        if slug != wanted:
            self._report.note(spot.source, f"another page has the address; it is {path} here")
        taken.add(path)
        spot.slug, spot.path = slug, path


def slug_of(item: RawItem, title: str) -> str:
    """The slug that the post had, decoded; one of its title where it had none."""
    written = unquote(item.slug, errors="replace").replace("\ufffd", "")
    slug = slugify(written or title)
    return f"page-{item.id}" if slug == RESERVED_SEGMENT else slug


def _order(spot: Spot) -> tuple[object, ...]:
    if spot.item is None:
        return (2, 0, 0.0, spot.title, 0)
    date = -spot.item.date.timestamp() if spot.item.date else 0.0
    if spot.layout == "post":
        return (1, 0, date, "", spot.item.id)
    first = 0 if spot.layout == "home" else 1
    return (first, spot.item.order, 0.0, spot.title.casefold(), spot.item.id)
