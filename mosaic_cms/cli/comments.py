"""``mosaic comment``."""

from __future__ import annotations

from typing import Annotated

import typer

from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_all(
    site: SiteOption,
    page: Annotated[
        str | None, typer.Option("--page", "-p", help="Of the page at this path.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the comments that imports kept."""
    views = perform_at("comments.list", site, {"path": page}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (
            f"{view.at:%Y-%m-%d %H:%M}" if view.at else "",
            view.path,
            str(view.id),
            view.author,
            view.text[:80],
        )
        for view in views
    ]
    show_table(f"{len(rows)} comments", ("at", "page", "id", "who", "what"), rows)


@app.command("delete")
def delete(
    comment: Annotated[str, typer.Argument(help="Its id, as 'list' shows it.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Delete one comment for good."""
    view = perform_at("comments.delete", site, {"id": comment}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The comment {view.id} is deleted.")
