"""What ``site.toml`` says, brought to a site through the actions that change such things."""

from __future__ import annotations

from typing import Any

from mosaic_cms.importing.folder import SITE_FILE
from mosaic_cms.importing.site_file import Entry, SiteFile
from mosaic_cms.importing.writing import Writer
from mosaic_core.errors import MosaicError


async def describe_site(writer: Writer, described: SiteFile) -> None:
    """What must be there before the pages are: name, languages, theme."""
    given = described.configuration()
    for name in ("menu", "footer_menu", "redirects", "time_zone"):
        given.pop(name, None)
    if described.time_zone not in (None, "UTC"):
        writer.report.note(SITE_FILE, f"set the time zone {described.time_zone} by hand")
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
    """Does it; a refusal is a line of the report, and the import goes on."""
    try:
        await writer.scope.product.actions.perform(
            name, writer.scope, {"site": writer.site, **given}
        )
    except MosaicError as error:
        writer.report.problem(SITE_FILE, error.message)


def _items(entries: list[Entry]) -> list[dict[str, Any]]:
    return [
        {"title": entry.title, "target": entry.target, "items": _items(entry.items)}
        for entry in entries
    ]
