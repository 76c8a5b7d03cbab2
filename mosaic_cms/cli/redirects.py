"""``mosaic redirect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
Source = Annotated[str, typer.Argument(help="The old path, such as /old/.")]


@app.command("list")
def list_all(
    site: SiteOption,
    automatic: Annotated[
        bool | None, typer.Option(help="Only those that pages left behind; only the others.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List a site's redirects."""
    views = perform_at("redirects.list", site, {"automatic": automatic}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (v.source, v.leads_to, "automatic" if v.automatic else "", "" if v.shown else "not shown")
        for v in views
    ]
    show_table(counted(len(rows), "redirect"), ("from", "to", "", ""), rows)


@app.command("add")
def add(
    source: Source,
    target: Annotated[str, typer.Argument(help="A path or an http(s) address.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Redirect an address, or let its redirect lead elsewhere."""
    given = {"source": source, "target": target}
    view = perform_at("redirects.set", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.source} leads to {view.leads_to}.")


@app.command("remove")
def remove(source: Source, site: SiteOption, as_json: AsJson = False) -> None:
    """Take a redirect away."""
    view = perform_at("redirects.remove", site, {"source": source}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.source} is redirected no more.")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: source, target.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Import redirects from a CSV file; every line that cannot be used is named."""
    with reporting(as_json=as_json):
        try:
            content = file.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
    report = perform_at(
        "redirects.import",
        site,
        {"name": file.name, "content": content},
        as_json=as_json,
        title="Importing",
    )
    if as_json:
        print_json(report)
    else:
        rows = [(str(line.line or ""), line.level, line.message) for line in report.lines]
        show_table(file.name, ("line", "", "what"), rows)
        say(
            f"[green]✓[/] {counted(report.set, 'redirect')} set, {report.unchanged} as they were; "
            f"[red]{counted(report.problems, 'problem')}[/]."
        )
    if report.problems:
        raise typer.Exit(2)
