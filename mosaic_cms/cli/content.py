"""``mosaic import``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from mosaic_cms.operations.imports import ImportReport
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)


@app.callback()
def formats() -> None:
    """The formats that can be imported."""


@app.command("markdown")
def markdown(
    folder: Annotated[Path, typer.Argument(help="The folder of Markdown files.")],
    site: SiteOption,
    publish: Annotated[bool, typer.Option(help="Publish what is no draft.")] = True,
    as_json: AsJson = False,
) -> None:
    """Import a folder of Markdown (Hugo, Jekyll or plain) as pages.

    Running it again changes only what changed in the folder.
    """

    async def work(product: Product) -> ImportReport:
        scope, key = site_scope(product, site)
        with progress_bar("Importing", quiet=as_json) as progress:
            report: ImportReport = await product.actions.perform(
                "content.import_markdown",
                dataclasses.replace(scope, progress=progress),
                {"folder": folder, "site": key, "publish": publish},
            )
        return report

    report = run(work, as_json=as_json)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if report.problems:
        raise typer.Exit(2)


def _show(report: ImportReport) -> None:
    colours = {"understood": "green", "note": "yellow", "problem": "red"}
    rows = [(line.source, str(line.line or ""), line.level, line.message) for line in report.lines]
    show_table("", ("file", "line", "", "what"), rows)
    marks = {level: sum(x.level == level for x in report.lines) for level in colours}
    say(
        f"[green]✓[/] {report.created} pages made, {report.updated} changed, "
        f"{report.unchanged} as they were; {report.published} published; {report.files} files. "
        f"[yellow]{marks['note']} notes[/], [red]{marks['problem']} problems[/]."
    )
