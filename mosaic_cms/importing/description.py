"""What ``site.toml`` says, brought to a site through the actions that change such things."""

from __future__ import annotations

from typing import Any

from mosaic_cms.importing.folder import SITE_FILE
from mosaic_cms.importing.site_file import Entry, SiteFile
from mosaic_cms.importing.writing import Writer
from mosaic_core.errors import MosaicError

#: The action that shows what another one changes, and what names it for both.
_SHOWN = {"sites.configure": ("sites.show", ()), "menus.set": ("menus.one", ("place", "language"))}


async def describe_site(writer: Writer, described: SiteFile) -> None:
    """What must be there before the pages are: name, languages, theme."""
    given = described.configuration()
    for name in ("redirects", "time_zone"):
        given.pop(name, None)
    if described.time_zone not in (None, "UTC"):
        writer.report.note(SITE_FILE, f"set the time zone {described.time_zone} by hand")
    themes = writer.scope.product.themes
    if described.theme in themes:
        for key, why in themes.get(described.theme).no_settings(given["theme_settings"]).items():
            writer.report.note(SITE_FILE, f"settings: {why}; left out")
            del given["theme_settings"][key]
    await _perform(writer, "sites.configure", given)


async def surround_site(writer: Writer, described: SiteFile) -> None:
    """What leads to pages, once they are there: menus and redirects."""
    redirects = [entry.model_dump() for entry in described.redirects]
    if redirects:
        await _perform(writer, "sites.configure", {"redirects": redirects})
    menus: list[tuple[str, str | None, list[dict[str, Any]]]] = [
        (menu.place, menu.language, _items(menu.entries)) for menu in described.menus
    ]
    for place, entries in (("header", described.menu), ("footer", described.footer_menu)):
        if entries:
            items: list[dict[str, Any]] = [
                {"title": e.title, "target": e.path, "items": []} for e in entries
            ]
            menus.append((place, None, items))
    for place, language, items in menus:
        await _perform(writer, "menus.set", {"place": place, "language": language, "items": items})


async def _perform(writer: Writer, name: str, given: dict[str, Any]) -> None:
    """Does it, and tells what it takes the place of; a refusal is a line of the report, and the
    import goes on."""
    show, names = _SHOWN[name]
    perform, site = writer.scope.product.actions.perform, {"site": writer.site}
    try:
        which = {name: given[name] for name in names} | site
        before = await perform(show, writer.scope, which)
        based_on = {"based_on": before.revision}
        after = await perform(name, writer.scope, given | site | based_on)
    except MosaicError as error:
        writer.report.problem(SITE_FILE, error.message)
        return
    if writer.fresh or after.revision == before.revision:
        return
    for field in given.keys() - {*names, "redirects"}:
        if (old := getattr(before, field)) and old != getattr(after, field):
            what = f"the {given['place']} menu" if name == "menus.set" else field.replace("_", " ")
            told = old if isinstance(old, str) else ", ".join(_words(old))
            writer.report.note(SITE_FILE, f"{what}: it was {told[:200]!r}")


def _words(value: Any) -> list[str]:
    """What is in a list of words, in settings or in entries of a menu."""
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    return [getattr(item, "title", item) for item in value]


def _items(entries: list[Entry]) -> list[dict[str, Any]]:
    return [
        {"title": entry.title, "target": entry.target, "items": _items(entry.items)}
        for entry in entries
    ]
