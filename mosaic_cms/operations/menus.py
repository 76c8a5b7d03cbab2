"""Menus: header, footer and side, one of each for every language."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.conflicts import Revision, revision_of, settled
from mosaic_cms.content.menus import MENUS, menu_of, menus_in, places_of, set_menu
from mosaic_cms.content.models import Menu, Page, Site
from mosaic_cms.content.placing import shown_paths
from mosaic_cms.content.references import page_ids
from mosaic_cms.content.tree import find_site
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import Write

Place = Literal["header", "footer", "side"]


class MenuEntry(Model):
    """An entry. ``target`` is ``page:<id>``, a path, or an address; below it, others may be."""

    title: str
    target: str
    items: tuple[MenuEntry, ...] = ()


class ShownEntry(Model):
    """An entry as it is kept, and where it leads; visitors see it while that is ``shown``."""

    title: str
    target: str
    #: Of the page, or of what the site makes there; None for an address.
    path: str | None
    shown: bool
    items: tuple[ShownEntry, ...]


class MenuView(Model):
    """A menu."""

    place: str
    language: str
    items: tuple[ShownEntry, ...]
    #: What a change says it is based on.
    revision: str


class ShowMenus(Model):
    """A site's menus, or those in one language."""

    site: str | None = None
    language: str | None = None


class ShowMenu(Model):
    """One menu of a site, in its own language by default."""

    place: Place
    language: str | None = None
    site: str | None = None


class SetMenu(Model):
    """A menu's entries, all of them; none takes the menu away."""

    place: Place
    items: tuple[MenuEntry, ...]
    #: The site's own by default.
    language: str | None = None
    site: str | None = None
    #: The menu's revision that was changed. It has to be said, here or with If-Match, where the
    #: menu has entries.
    based_on: Revision | None = None


class AddToMenu(Model):
    """An entry for a menu: the last one, or the last below the entry called ``below``."""

    place: Place
    title: str
    target: str
    below: str | None = None
    language: str | None = None
    site: str | None = None


class RemoveFromMenu(Model):
    """The title of an entry that goes, with what is below it."""

    place: Place
    title: str
    language: str | None = None
    site: str | None = None


@action("menus.show", needs=Permission("read", "menus"), effect="read", http="GET /menus")
async def show_menus(scope: TenantScope, command: ShowMenus) -> list[MenuView]:
    """The menus that have entries, with where each leads."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        found = await session.scalars(
            select(Menu).where(Menu.site_id == site.id, Menu.place.in_(MENUS))
        )
        menus = [menu for menu in found if command.language in (None, menu.language)]
        menus.sort(key=lambda menu: (menu.language, MENUS.index(menu.place)))
        return [await _view(session, menu) for menu in menus]


@action("menus.one", needs=Permission("read", "menus"), effect="read", http="GET /menus/{place}")
async def show_menu(scope: TenantScope, command: ShowMenu) -> MenuView:
    """One menu, with where it leads; one without entries is empty."""
    async with scope.read() as session:
        site, language = await _found(session, command)
        menu = await menu_of(session, site, command.place, language)
        if menu is None:
            return _empty(command.place, language)
        return await _view(session, menu)


@action("menus.set", needs=Permission("update", "menus"), http="PUT /menus/{place}")
async def set_entries(scope: TenantScope, command: SetMenu) -> MenuView:
    """Gives a menu these entries instead of those that it has; one that was changed meanwhile is
    left alone."""
    given = {"items": [entry.model_dump(mode="json") for entry in command.items]}

    async def fn(write: Write) -> MenuView:
        site, language = await _found(write.session, command)
        what = f"the {command.place} menu ({language})"
        now = {"items": await _items(write.session, site, command.place, language)}
        items = given["items"]
        if now["items"] or command.based_on is not None:
            based_on = scope.base(command.based_on, revision_of(now), what)
            items = (now | settled(what, now, given, based_on))["items"]
        return await _changed(scope, write, site, command.place, language, items)

    return await scope.write(fn)


@action("menus.add", needs=Permission("update", "menus"), http="POST /menus/{place}")
async def add_entry(scope: TenantScope, command: AddToMenu) -> MenuView:
    """Adds an entry to a menu."""

    async def fn(write: Write) -> MenuView:
        site, language = await _found(write.session, command)
        items = await _items(write.session, site, command.place, language)
        level = items
        if command.below is not None:
            above = next((item for item in items if item["title"] == command.below), None)
            if above is None:
                raise _no_entry(items, command.place, command.below)
            level = above["items"]
        level.append({"title": command.title, "target": command.target, "items": []})
        return await _changed(scope, write, site, command.place, language, items)

    return await scope.write(fn)


@action("menus.remove", needs=Permission("update", "menus"), http="DELETE /menus/{place}")
async def remove_entry(scope: TenantScope, command: RemoveFromMenu) -> MenuView:
    """Takes an entry out of a menu, with what is below it."""

    async def fn(write: Write) -> MenuView:
        site, language = await _found(write.session, command)
        items = await _items(write.session, site, command.place, language)
        for level in (items, *(item["items"] for item in items)):
            at = next((n for n, item in enumerate(level) if item["title"] == command.title), None)
            if at is not None:
                del level[at]
                return await _changed(scope, write, site, command.place, language, items)
        raise _no_entry(items, command.place, command.title)

    return await scope.write(fn)


async def _found(
    session: AsyncSession, command: ShowMenu | SetMenu | AddToMenu | RemoveFromMenu
) -> tuple[Site, str]:
    site = await find_site(session, command.site)
    language = command.language or site.language
    known = [site.language, *site.languages]
    if language not in known and not await menus_in(session, site, language):
        raise InvalidInput(
            f"The site {site.key!r} has no language {language[:35]!r}; it has {', '.join(known)}.",
            hint="Add it with 'mosaic site set --languages'.",
        )
    return site, language


async def _items(
    session: AsyncSession, site: Site, place: str, language: str
) -> list[dict[str, Any]]:
    menu = await menu_of(session, site, place, language)
    items = menu.items if menu is not None else []
    return [{**item, "items": [dict(inner) for inner in item["items"]]} for item in items]


async def _changed(
    scope: TenantScope,
    write: Write,
    site: Site,
    place: str,
    language: str,
    items: list[dict[str, Any]],
) -> MenuView:
    """Sets a menu. Only what surrounds the pages is placed: the pages stay as they are."""
    menu = await set_menu(write.session, site, place, language, items)
    await write.session.flush()
    await scope.product.projection.place_site(write.session, site)
    if menu is None:
        return _empty(place, language)
    return await _view(write.session, menu)


def _empty(place: str, language: str) -> MenuView:
    return MenuView(place=place, language=language, items=(), revision=revision_of({"items": []}))


async def _view(session: AsyncSession, menu: Menu) -> MenuView:
    places = places_of(menu.items)
    kept = select(Page.id, Page.known_path).where(Page.id.in_(page_ids(places)))
    where = {f"page:{page_id}": path for page_id, path in await session.execute(kept)}
    shown = await shown_paths(session, await session.get_one(Site, menu.site_id), places)
    made = {place: path for place, path in shown.items() if place.startswith("/")}
    return MenuView(
        place=menu.place,
        language=menu.language,
        items=_entries(menu.items, where | made, set(shown)),
        revision=revision_of({"items": menu.items}),
    )


def _entries(
    items: list[dict[str, Any]], where: dict[str, str], shown: set[str]
) -> tuple[ShownEntry, ...]:
    made = []
    for item in items:
        place = item["target"].partition("#")[0]
        address = not place.startswith(("/", "page:"))
        made.append(
            ShownEntry(
                title=item["title"],
                target=item["target"],
                path=None if address else where.get(place, place),
                shown=address or place in shown,
                items=_entries(item.get("items") or [], where, shown),
            )
        )
    return tuple(made)


def _no_entry(items: list[dict[str, Any]], place: str, title: str) -> NotFound:
    known = ", ".join(repr(item["title"]) for item in items[:20])
    return NotFound(
        f"The {place} menu has no entry {title[:100]!r}.",
        hint=f"It has {known}." if known else "It has none.",
    )
