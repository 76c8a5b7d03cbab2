"""``mosaic media``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)
Percent = Annotated[int | None, typer.Argument(min=0, max=100)]


@app.command("list")
def list_all(site: SiteOption, as_json: AsJson = False) -> None:
    """List a site's stored files."""
    views = perform_at("media.list", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.reference, v.name, f"{v.size:,}", _size(v), _point(v)) for v in views]
    title = f"{len(rows)} files"
    show_table(title, ("reference", "name", "bytes", "pixels", "focal point"), rows)


@app.command("focus")
def focus(
    media: Annotated[str, typer.Argument(help="media:<id>, as 'list' shows it.")],
    site: SiteOption,
    x: Percent = None,
    y: Percent = None,
    as_json: AsJson = False,
) -> None:
    """Say which point of a picture matters: X and Y in percent from its left and its top; without
    them, the middle."""
    view = perform_at("media.focus", site, {"media": media, "x": x, "y": y}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name}: {_point(view) or 'the middle'}")


def _size(view: Any) -> str:
    return f"{view.width} × {view.height}" if view.width else ""


def _point(view: Any) -> str:
    return "" if view.focal_x is None else f"{view.focal_x} %, {view.focal_y} %"
