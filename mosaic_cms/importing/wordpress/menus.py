"""Menus, which an export keeps as posts of a type of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.addresses import Addresses, Place
from mosaic_cms.importing.wordpress.dom import plain
from mosaic_cms.importing.wordpress.export import Export
from mosaic_cms.importing.wordpress.model import WordPressMenu, WordPressMenuEntry
from mosaic_cms.importing.wordpress.records import RawItem, number

#: Deeper entries are left out.
_DEEPEST = 6


def read_menus(
    export: Export, addresses: Addresses, titles: Mapping[int, str], report: Report
) -> tuple[WordPressMenu, ...]:
    """All menus with their entries as a tree, in order."""
    names = {term.slug: term.name for term in export.terms if term.taxonomy == "nav_menu"}
    items: dict[str, list[RawItem]] = {slug: [] for slug in names}
    for item in export.items.values():
        if item.kind != "nav_menu_item" or item.status not in {"publish", ""}:
            continue
        menus = [(slug, name) for kind, slug, name in item.terms if kind == "nav_menu"]
        if not menus:
            report.note(f"wp:{item.id}", "a menu's entry that belongs to no menu; left out")
        for slug, name in menus:
            names.setdefault(slug, name)
            items.setdefault(slug, []).append(item)
    reading = _Menus(export, addresses, titles, report)
    return tuple(
        WordPressMenu(slug, plain(names[slug]) or slug, reading.entries(items[slug]))
        for slug in names
    )


class _Menus:
    def __init__(
        self, export: Export, addresses: Addresses, titles: Mapping[int, str], report: Report
    ) -> None:
        self._addresses = addresses
        self._titles = titles
        self._report = report
        self._terms = {(term.taxonomy, term.id or term.name): term for term in export.terms}

    def entries(self, items: Iterable[RawItem]) -> tuple[WordPressMenuEntry, ...]:
        ordered = sorted(items, key=lambda item: (item.order, item.id))
        idents = {item.id for item in ordered}
        below: dict[int, list[RawItem]] = {}
        for item in ordered:
            above = number(item.first("_menu_item_menu_item_parent"))
            below.setdefault(above if above in idents and above != item.id else 0, []).append(item)
        shown: set[int] = set()
        made = self._below(0, below, shown, 0)
        for item in ordered:
            if item.id not in shown:
                self._report.note(
                    f"wp:{item.id}", "a menu's entry below itself, or too deep; left out"
                )
        return made

    def _below(
        self, above: int, below: Mapping[int, list[RawItem]], shown: set[int], depth: int
    ) -> tuple[WordPressMenuEntry, ...]:
        if depth >= _DEEPEST:
            return ()
        entries: list[WordPressMenuEntry] = []
        for item in below.get(above, ()):
            if item.id in shown:
                continue
            shown.add(item.id)
            children = self._below(item.id, below, shown, depth + 1)
            entry = self._entry(item, children)
            # What stood below an entry that leads nowhere moves up into its place.
            entries += [entry] if entry is not None else children
        return tuple(entries)

    def _entry(
        self, item: RawItem, children: tuple[WordPressMenuEntry, ...]
    ) -> WordPressMenuEntry | None:
        kind = item.first("_menu_item_type")
        title = plain(item.title)
        target: str | None = None
        ident = number(item.first("_menu_item_object_id"))
        if kind == "post_type":
            target = self._addresses.page(ident)
            title = title or self._titles.get(ident, "")
        elif kind == "taxonomy":
            taxonomy = item.first("_menu_item_object")
            # The oldest exports give terms no numbers; a title is then all there is to go by.
            term = self._terms.get((taxonomy, ident)) or self._terms.get((taxonomy, title))
            title = title or (plain(term.name) if term is not None else "")
            target = f"{taxonomy}:{term.slug}" if term is not None else None
        else:
            place = Place(f"wp:{item.id}", "", item.line)
            target = self._addresses.link(item.first("_menu_item_url"), place)
        if target is None or not title:
            self._report.problem(
                f"wp:{item.id}",
                f"the menu's entry {title[:80]!r} leads nowhere; left out",
                item.line,
            )
            return None
        return WordPressMenuEntry(title[:300], target, children)
