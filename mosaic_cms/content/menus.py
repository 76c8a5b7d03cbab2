"""Menus: entries that may have others below them, shown while what they lead to is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.lines import is_line
from mosaic_cms.content.models import Menu, Page, Site
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.references import page_ids
from mosaic_core.errors import Conflict, InvalidInput

#: Where a theme shows a menu.
MENUS = ("header", "footer", "side")
#: Entries of a menu, those below others among them.
MOST_ENTRIES = 200
#: How deep they may be: entries, and entries below them.
LEVELS = 2
_MOST_TITLE = 100
_MOST_TARGET = 2_000
_ADDRESS = re.compile(r"https?://[^\s/?#\\]+[^\s\\]*|mailto:[^\s@]+@[^\s@]+|tel:[+()\d][\d() .-]*")


def shown_menu(items: list[dict[str, Any]], paths: Mapping[str, str]) -> list[dict[str, Any]]:
    """A menu as visitors see it.

    Args:
        items: ``{"title", "target", "items"}``.
        paths: of what visitors find something at, by ``page:<id>`` and by themselves.

    Returns:
        ``{"title", "url", "items"}``. An entry that leads to nothing, such as a page that is not
        published or a tag that none has, is left out, and what is below it takes its place; an
        address of another site always shows.
    """
    shown: list[dict[str, Any]] = []
    for item in items:
        below = shown_menu(item.get("items") or [], paths)
        url = _url(item["target"], paths)
        if url is None:
            shown += below
        else:
            shown.append({"title": item["title"], "url": url, "items": below})
    return shown


def _url(target: str, paths: Mapping[str, str]) -> str | None:
    if target.startswith(("https://", "http://", "mailto:", "tel:")):
        return target
    place, mark, fragment = target.partition("#")
    path = paths.get(place)
    return None if path is None else f"{path}{mark}{fragment}"


def entries_of(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every entry, those above others first."""
    for item in items:
        yield item
        yield from entries_of(item.get("items") or [])


def places_of(items: list[dict[str, Any]]) -> set[str]:
    """The pages that the entries lead to: ``page:<id>``, or a path where no page was."""
    return {item["target"].partition("#")[0] for item in entries_of(items)}


async def menu_of(session: AsyncSession, site: Site, place: str, language: str) -> Menu | None:
    """A site's menu in one language, if it has any entries."""
    found: Menu | None = await session.scalar(
        select(Menu).where(Menu.site_id == site.id, Menu.place == place, Menu.language == language)
    )
    return found


async def set_menu(
    session: AsyncSession, site: Site, place: str, language: str, items: list[dict[str, Any]]
) -> Menu | None:
    """Gives a site's menu other entries; one without entries is none, and goes.

    A target that is a path becomes ``page:<id>`` when a page is there, so that the entry stays with
    the page wherever it moves.

    Raises:
        InvalidInput: with every entry that cannot be one.
    """
    items = await _checked(session, site, items)
    menu = await menu_of(session, site, place, language)
    if menu is None and items:
        menu = Menu(site_id=site.id, place=place, language=language, items=items)
        session.add(menu)
    elif menu is not None and items:
        if menu.items != items:
            menu.items = items
    elif menu is not None:
        await session.delete(menu)
        menu = None
    return menu


async def menus_in(session: AsyncSession, site: Site, language: str) -> bool:
    """Whether a site has menus in a language, be it one that it has not any more."""
    wanted = select(Menu.id).where(Menu.site_id == site.id, Menu.language == language)
    return await session.scalar(wanted.limit(1)) is not None


async def unite_menus(session: AsyncSession, site: Site, old: str, new: str) -> None:
    """Makes room for a site's menus in a language that is to be called by another tag: those that
    are there have other places, or the same entries and go.

    Raises:
        Conflict: the entries of a place are different ones; it names them.
    """
    rows = await session.scalars(
        select(Menu).where(Menu.site_id == site.id, Menu.language.in_([old, new]))
    )
    menus = {(menu.place, menu.language): menu for menu in rows}
    for (place, language), menu in menus.items():
        other = menus.get((place, old))
        if language != new or other is None:
            continue
        if menu.items != other.items:
            told = " and ".join(
                f"{_titles(one.items)} in {one.language!r}" for one in (other, menu)
            )
            raise Conflict(
                f"The site {site.key!r} has two {place} menus that would be one in {new!r}: "
                f"{told}.",
                hint="Nothing was changed. Put what is to stay of both into one of them, and take "
                "all entries out of the other ('mosaic menu remove').",
            )
        await session.delete(menu)
    await session.flush()


def _titles(items: list[dict[str, Any]]) -> str:
    more = f" and {len(items) - 10} more" if len(items) > 10 else ""
    return ", ".join(repr(item["title"]) for item in items[:10]) + more


async def _checked(
    session: AsyncSession, site: Site, items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    known = await _pages(session, site, items)
    problems: list[tuple[str, str]] = []
    count = sum(1 for _ in entries_of(items))
    if count > MOST_ENTRIES:
        problems.append(("items", f"it has {count} entries; {MOST_ENTRIES} fit"))
    made = _normal(items, known, problems, "items", 1)
    if problems:
        told = "; ".join(f"{where}: {what}" for where, what in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise InvalidInput(
            f"The menu cannot be set: {told}{more}.",
            hint="Nothing was changed. Mend what is named, then set it again.",
            problems=tuple(problems),
        )
    return made


def _normal(
    items: list[dict[str, Any]],
    known: Mapping[str, str],
    problems: list[tuple[str, str]],
    where: str,
    level: int,
) -> list[dict[str, Any]]:
    made = []
    for number, item in enumerate(items):
        place = f"{where}[{number}]"
        title = " ".join(item["title"].split())
        if len(title) > _MOST_TITLE or not is_line(title):
            problems.append((f"{place}.title", f"it must be a line of 1 to {_MOST_TITLE} letters"))
        try:
            target = _target(item["target"], known)
        except ValueError as error:
            problems.append((f"{place}.target", str(error)))
            target = ""
        below = item.get("items") or []
        if below and level >= LEVELS:
            problems.append((f"{place}.items", f"a menu has {LEVELS} levels"))
            below = []
        inner = _normal(below, known, problems, f"{place}.items", level + 1)
        made.append({"title": title, "target": target, "items": inner})
    return made


def _target(target: str, known: Mapping[str, str]) -> str:
    """Raises ValueError, saying what is wrong with it."""
    shown = repr(target[:80])
    if len(target) > _MOST_TARGET:
        raise ValueError(f"it has {len(target):,} characters; {_MOST_TARGET:,} fit")
    if _ADDRESS.fullmatch(target) and target.isprintable():
        return target
    place, mark, fragment = target.partition("#")
    if any(c.isspace() or not c.isprintable() for c in fragment):
        raise ValueError(f"{shown} has a character that no address has")
    if place.startswith("page:"):
        if place not in known:
            raise ValueError(f"{shown} is no page of this site")
        return target
    path = normalise_path(place) if not place.startswith("//") else None
    if path is None or "?" in place or "\\" in place:
        raise ValueError(
            f"{shown} leads nowhere: write page:<id>, a path such as '/visit/', or an address "
            f"that begins with https://, mailto: or tel:"
        )
    return f"{known.get(path, path)}{mark}{fragment}"


async def _pages(session: AsyncSession, site: Site, items: list[dict[str, Any]]) -> dict[str, str]:
    """The site's pages among the targets: ``page:<id>`` by itself and by the page's path."""
    places = places_of(items)
    ids = page_ids(places)
    paths = [path for place in places if (path := normalise_path(place))]
    rows = await session.execute(
        select(Page.id, Page.path).where(
            Page.site_id == site.id,
            Page.binned_at.is_(None),
            Page.id.in_(ids) | Page.path.in_(paths),
        )
    )
    known: dict[str, str] = {}
    for page_id, path in rows:
        known[path] = known[f"page:{page_id}"] = f"page:{page_id}"
    return known
