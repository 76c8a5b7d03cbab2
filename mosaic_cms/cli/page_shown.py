"""How the commands on pages name and show one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import counted, escaped, print_json, say, show_table

PagePath = Annotated[str, typer.Argument(help="The page's path, such as /visit/hours/.")]


def show_state(view: Any, *, as_json: bool) -> None:
    """A page and its state, in one line."""
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.path} is now: {view.state}.")


def titled(title: str) -> str:
    """A title as lists show it: a draft may have none yet."""
    return title if title.strip() else "untitled"


def show_warnings(view: Any) -> None:
    """What of a page visitors do not see."""
    for warning in view.warnings:
        say(f"[yellow]![/] {escaped(warning.where)}: {escaped(warning.what)}")


def show_pages(views: Any, *, as_json: bool) -> None:
    """Pages, as a table."""
    if as_json:
        print_json(views)
        return
    rows = [
        (v.path, titled(v.title), v.layout, v.state, f"{v.updated_at:%Y-%m-%d %H:%M}")
        for v in views
    ]
    show_table(counted(len(rows), "page"), ("path", "title", "layout", "state", "updated"), rows)
