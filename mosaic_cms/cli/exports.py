"""``mosaic export``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.content import show_lines
from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    print_json,
    progress_bar,
    run,
    say,
    site_scope,
)

if TYPE_CHECKING:
    from mosaic_cms.operations.exports import ExportReport
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
Force = Annotated[bool, typer.Option("--force", help="Replace an older export.")]


@app.command("markdown")
def markdown(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    site: SiteOption,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a site as a folder of Markdown, its files beside."""
    given = {"folder": folder, "force": force}
    _export("content.export_markdown", site, given, as_json=as_json)


@app.command("json")
def json_file(
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    site: SiteOption,
    force: Force = False,
    versions: Annotated[bool, typer.Option("--versions", help="All versions of pages.")] = False,
    submissions: Annotated[
        bool, typer.Option("--submissions", help="What visitors sent through forms.")
    ] = False,
    media: Annotated[bool, typer.Option(help="The stored files, in a folder beside.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write all of a site as one JSON file."""
    given = {
        "file": file,
        "force": force,
        "versions": versions,
        "submissions": submissions,
        "media": media,
    }
    _export("content.export_json", site, given, as_json=as_json)


def _export(name: str, site: str, given: dict[str, Any], *, as_json: bool) -> None:
    async def work(product: Product) -> ExportReport:
        scope, key = site_scope(product, site)
        with progress_bar("Exporting", quiet=as_json) as progress:
            report: ExportReport = await product.actions.perform(
                name, dataclasses.replace(scope, progress=progress), {**given, "site": key}
            )
        return report

    report = run(work, as_json=as_json)
    if as_json:
        print_json(report)
    else:
        if report.lines:
            show_lines(report.lines)
        made = f"{counted(report.pages, 'page')} and {counted(report.files, 'file')}"
        say(f"[green]✓[/] {made} in {report.path}.")
    if report.problems:
        raise typer.Exit(2)
