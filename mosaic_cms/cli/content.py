"""``mosaic import``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
    site_scope,
)

if TYPE_CHECKING:
    from mosaic_cms.operations.imports import ImportLine, ImportReport
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
    given = {"folder": folder, "publish": publish}
    _import("content.import_markdown", site, given, as_json=as_json)


@app.command("wordpress")
def wordpress(
    file: Annotated[Path, typer.Argument(help="The XML file of Tools → Export.")],
    site: SiteOption,
    uploads: Annotated[
        Path | None, typer.Option(help="A copy of the old site's wp-content/uploads.")
    ] = None,
    publish: Annotated[bool, typer.Option(help="Publish what was published.")] = True,
    as_json: AsJson = False,
) -> None:
    """Import what WordPress exported: pages, posts, menus, comments, pictures.

    Running it again changes only what changed in the export.
    """
    given = {"file": file, "uploads": uploads, "publish": publish}
    _import("content.import_wordpress", site, given, as_json=as_json)


def _import(name: str, site: str, given: dict[str, Any], *, as_json: bool) -> None:
    async def work(product: Product) -> ImportReport:
        scope, key = site_scope(product, site)
        with progress_bar("Importing", quiet=as_json) as progress:
            report: ImportReport = await product.actions.perform(
                name, dataclasses.replace(scope, progress=progress), {**given, "site": key}
            )
        return report

    report = run(work, as_json=as_json)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if report.problems:
        raise typer.Exit(2)


def show_lines(lines: Sequence[ImportLine]) -> None:
    """A report, line by line."""
    rows = [(line.source, str(line.line or ""), line.level, line.message) for line in lines]
    show_table("", ("file", "line", "", "what"), rows)


def _show(report: ImportReport) -> None:
    show_lines(report.lines)
    notes = sum(line.level == "note" for line in report.lines)
    say(
        f"[green]✓[/] {counted(report.created, 'page')} made, {report.updated} changed, "
        f"{report.unchanged} as they were; {report.published} published; "
        f"{counted(report.files, 'file')}. "
        f"[yellow]{counted(notes, 'note')}[/], [red]{counted(report.problems, 'problem')}[/]."
    )
