"""``mosaic page versions``, ``name``, ``compare`` and ``restore``."""

from __future__ import annotations

from typing import Annotated

import typer

from mosaic_cms.cli.page_shown import PagePath
from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

Number = Annotated[int, typer.Argument(help="The version's number.")]
Which = Annotated[str, typer.Argument(help="draft, live, or a version's number.")]


def versions(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """List a page's versions, newest first."""
    views = perform_at("pages.versions", site, {"path": path}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (
            str(view.number),
            view.name or "",
            "live" if view.live else "",
            view.title,
            f"{view.at:%Y-%m-%d %H:%M}",
            view.actor,
        )
        for view in views
    ]
    columns = ("number", "name", "", "title", "made", "by")
    show_table(f"{len(rows)} versions of {path}", columns, rows)


def name(
    path: PagePath,
    label: Annotated[str, typer.Argument(metavar="NAME", help="The name.")],
    site: SiteOption,
    number: Annotated[int | None, typer.Option(help="A version; by default the draft.")] = None,
    as_json: AsJson = False,
) -> None:
    """Name a page's draft as it is, or a version."""
    given = {"path": path, "name": label, "number": number}
    view = perform_at("pages.name_version", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] Version {view.number} of {path} has its name.")


def compare(
    path: PagePath,
    site: SiteOption,
    old: Which = "live",
    new: Which = "draft",
    as_json: AsJson = False,
) -> None:
    """Show what differs between two states of a page."""
    given = {"path": path, "old": old, "new": new}
    comparison = perform_at("pages.compare", site, given, as_json=as_json)
    if as_json:
        print_json(comparison)
        return
    from rich.console import Console
    from rich.text import Text

    from mosaic_cms.content.compare import as_text

    console = Console(highlight=False)
    for number, line in enumerate(as_text(comparison).split("\n")):
        style = {"-": "red", "+": "green", " ": "dim"}.get(line[:1], "bold" if number else "")
        console.print(Text(line, style), soft_wrap=True)


def restore(path: PagePath, number: Number, site: SiteOption, as_json: AsJson = False) -> None:
    """Make a version a page's draft; what the draft was is kept as a version."""
    given = {"path": path, "number": number}
    view = perform_at("pages.restore", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The draft of {path} is version {number} now.")
        say(f"  What it was is version {view.kept}.")
