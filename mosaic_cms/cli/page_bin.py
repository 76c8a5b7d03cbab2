"""``mosaic page delete``, ``bin``, ``undelete`` and ``purge``."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from mosaic_cms.cli.page_shown import PagePath, show_pages, titled
from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

Binned = Annotated[uuid.UUID, typer.Argument(help="Its id, as 'mosaic page bin' shows it.")]


def delete(
    path: PagePath,
    site: SiteOption,
    force: Annotated[bool, typer.Option("--force", help="Even if others use it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move a page with all below it to the bin."""
    view = perform_at("pages.delete", site, {"path": path, "force": force}, as_json=as_json)
    if as_json:
        print_json(view)
        return
    with_it = f" with {view.below} below it" if view.below else ""
    say(f"[green]✓[/] {view.path} is deleted{with_it}. It is in the bin as {view.id}.")


def show_bin(site: SiteOption, as_json: AsJson = False) -> None:
    """List what is in the bin, newest first."""
    views = perform_at("pages.bin", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (str(v.id), v.path, titled(v.title), str(v.below), f"{v.binned_at:%Y-%m-%d %H:%M}")
        for v in views
    ]
    show_table(f"{len(rows)} in the bin", ("id", "path", "title", "below", "deleted"), rows)


def undelete(
    page: Binned,
    site: SiteOption,
    parent: Annotated[str | None, typer.Option(help="Another page to put it below.")] = None,
    slug: Annotated[str | None, typer.Option(help="Another slug.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a page from the bin back to its place, with what was below it, as drafts."""
    given = {"id": page, "parent": parent, "slug": slug}
    show_pages(perform_at("pages.restore_from_bin", site, given, as_json=as_json), as_json=as_json)


def purge(
    site: SiteOption,
    page: Annotated[
        uuid.UUID | None, typer.Argument(help="Its id, as 'mosaic page bin' shows it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is in the bin.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is in the bin for good."""
    if (page is None) != everything:
        raise typer.BadParameter("Name a page, or say --all.")
    name, given = ("pages.empty_bin", {}) if everything else ("pages.purge", {"id": page})
    result = perform_at(name, site, given, as_json=as_json, title="Purging")
    if as_json:
        print_json(result)
    else:
        say(f"[green]✓[/] {result.pages} pages are deleted for good.")
