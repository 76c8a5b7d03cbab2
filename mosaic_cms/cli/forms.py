"""``mosaic form``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
    site_scope,
)

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
OfPage = Annotated[str | None, typer.Option("--page", "-p", help="Of the page at this path.")]
OfForm = Annotated[str | None, typer.Option("--form", "-f", help="Of the form with this id.")]


def _perform(
    name: str, site: str, given: dict[str, Any], *, as_json: bool, sited: bool = True
) -> Any:
    async def work(product: Product) -> Any:
        scope, key = site_scope(product, site)
        with progress_bar("Reading", quiet=as_json) as progress:
            return await product.actions.perform(
                name,
                dataclasses.replace(scope, progress=progress),
                {**given, "site": key} if sited else given,
            )

    return run(work, as_json=as_json)


@app.command("list")
def list_all(
    site: SiteOption,
    page: OfPage = None,
    form: OfForm = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what visitors sent, the newest first."""
    given = {"path": page, "form_id": form, "limit": limit}
    views = _perform("forms.submissions", site, given, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (
            f"{view.at:%Y-%m-%d %H:%M}",
            view.path,
            str(view.id),
            "; ".join(f"{field['label']}: {field['value'][:80]}" for field in view.fields),
        )
        for view in views
    ]
    show_table(f"{len(rows)} submissions", ("at", "page", "id", "what"), rows)


@app.command("export")
def export(
    site: SiteOption,
    page: OfPage = None,
    form: OfForm = None,
    to: Annotated[Path | None, typer.Option(help="The file to write; else it is printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write what visitors sent as CSV."""
    given = {"path": page, "form_id": form}
    made = _perform("forms.export", site, given, as_json=as_json)
    if to is not None:
        to.write_text(made.text, "utf-8", newline="")
    if as_json:
        print_json(made if to is None else {"file": str(to), "rows": made.rows})
    elif to is None:
        sys.stdout.write(made.text)
    else:
        say(f"[green]✓[/] {made.rows} submissions are in {to}.")


@app.command("delete")
def delete(
    submission: Annotated[str, typer.Argument(help="Its id, as 'list' shows it.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Delete one submission."""
    given = {"id": submission}
    view = _perform("forms.delete_submission", site, given, as_json=as_json, sited=False)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The submission of {view.at:%Y-%m-%d %H:%M} is deleted.")
