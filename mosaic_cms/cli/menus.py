"""``mosaic menu``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    perform_at,
    print_json,
    reporting,
    say,
    show_table,
)
from mosaic_core.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)
Place = Annotated[str, typer.Argument(help="header, footer or side.")]
Language = Annotated[str | None, typer.Option(help="Of the menu; the site's own by default.")]


@app.command("show")
def show(site: SiteOption, language: Language = None, as_json: AsJson = False) -> None:
    """Show a site's menus."""
    menus = perform_at("menus.show", site, {"language": language}, as_json=as_json)
    if as_json:
        print_json(menus)
        return
    if not menus:
        say("There are no menus.")
    for menu in menus:
        _show(menu)


@app.command("set")
def set_entries(
    place: Place,
    file: Annotated[Path, typer.Argument(help="JSON: a list of title, target and items.")],
    site: SiteOption,
    language: Language = None,
    based_on: Annotated[
        str | None,
        typer.Option(help="The revision that you changed; a file may have it, or else needs it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a menu the entries of a file, in place of those that it has."""
    with reporting(as_json=as_json):
        items, revision = _entries(file)
    based_on = revision if based_on is None else based_on
    given = {"place": place, "items": items, "language": language, "based_on": based_on}
    _changed(perform_at("menus.set", site, given, as_json=as_json), as_json=as_json)


@app.command("add")
def add(
    place: Place,
    title: Annotated[str, typer.Argument(help="What it is called.")],
    target: Annotated[str, typer.Argument(help="A page's path, page:<id>, or an address.")],
    site: SiteOption,
    below: Annotated[str | None, typer.Option(help="The entry to put it below.")] = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Add an entry to a menu."""
    given = {
        "place": place,
        "title": title,
        "target": target,
        "below": below,
        "language": language,
    }
    _changed(perform_at("menus.add", site, given, as_json=as_json), as_json=as_json)


@app.command("remove")
def remove(
    place: Place,
    title: Annotated[str, typer.Argument(help="The entry; what is below it goes too.")],
    site: SiteOption,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Take an entry out of a menu."""
    given = {"place": place, "title": title, "language": language}
    _changed(perform_at("menus.remove", site, given, as_json=as_json), as_json=as_json)


def _entries(file: Path) -> tuple[list[dict[str, Any]], str | None]:
    """The entries of a file, and the revision that they were where it says so: it may be what
    ``menu show --json`` prints of one menu."""
    try:
        read = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is no JSON: {error}.") from error
    items = read.get("items") if isinstance(read, dict) else read
    if not isinstance(items, list):
        raise InvalidInput(
            f"{file} holds no list of entries.",
            hint='Write it as in [{"title": "Visit", "target": "/visit/", "items": []}].',
        )
    revision = read.get("revision") if isinstance(read, dict) else None
    return [_entry(item) for item in items], revision


def _entry(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    kept = {key: value for key, value in item.items() if key not in ("path", "shown")}
    if isinstance(kept.get("items"), list):
        kept["items"] = [_entry(inner) for inner in kept["items"]]
    return kept


def _changed(menu: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(menu)
    else:
        _show(menu)


def _show(menu: Any) -> None:
    rows = []
    for entry in menu.items:
        rows.append(_row(entry, ""))
        rows += [_row(inner, "  ") for inner in entry.items]
    title = f"{menu.place} ({menu.language}): {counted(len(rows), 'entry', 'entries')}"
    show_table(title, ("entry", "leads to", "shown"), rows)


def _row(entry: Any, indent: str) -> tuple[str, str, str]:
    return f"{indent}{entry.title}", entry.path or entry.target, "yes" if entry.shown else "no"
