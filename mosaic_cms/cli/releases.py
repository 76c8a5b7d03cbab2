"""``mosaic release``."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from mosaic_cms.cli.page_times import At, Twice, Zone
from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)
ReleaseId = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The release's id.")]
Paths = Annotated[list[str], typer.Argument(help="Paths of pages.")]


@app.command("create")
def create(
    title: Annotated[str, typer.Argument(help="What it is called.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Make a release: pages that are published at once, or not at all."""
    view = perform_at("releases.create", site, {"title": title}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The release is there: {view.id}")


@app.command("list")
def list_all(site: SiteOption, as_json: AsJson = False) -> None:
    """List a site's releases, newest first."""
    views = perform_at("releases.list", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (
            str(view.id),
            view.title,
            str(view.pages),
            f"{view.released_at:%Y-%m-%d %H:%M}" if view.released_at else "open",
        )
        for view in views
    ]
    show_table(f"{len(rows)} releases", ("id", "title", "pages", "published"), rows)


@app.command("show")
def show(release: ReleaseId, site: SiteOption, as_json: AsJson = False) -> None:
    """Show a release's pages, and all that keeps it from being published."""
    _shown(perform_at("releases.show", site, {"id": release}, as_json=as_json), as_json=as_json)


@app.command("add")
def add(
    release: ReleaseId,
    paths: Paths,
    site: SiteOption,
    unpublish: Annotated[
        bool, typer.Option("--unpublish", help="Take them from visitors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add pages to a release."""
    what = "unpublish" if unpublish else "publish"
    given = {"id": release, "paths": paths, "action": what}
    _shown(perform_at("releases.add", site, given, as_json=as_json), as_json=as_json)


@app.command("remove")
def remove(release: ReleaseId, paths: Paths, site: SiteOption, as_json: AsJson = False) -> None:
    """Take pages out of a release."""
    given = {"id": release, "paths": paths}
    _shown(perform_at("releases.remove", site, given, as_json=as_json), as_json=as_json)


@app.command("publish")
def publish(release: ReleaseId, site: SiteOption, as_json: AsJson = False) -> None:
    """Publish a release: all of its pages, or none."""
    given = {"id": release}
    view = perform_at("releases.publish", site, given, as_json=as_json, title="Publishing")
    _shown(view, as_json=as_json)


@app.command("delete")
def delete(release: ReleaseId, site: SiteOption, as_json: AsJson = False) -> None:
    """Delete a release, and what was to happen to it; its pages stay as they are."""
    view = perform_at("releases.delete", site, {"id": release}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The release {view.title!r} is deleted; its pages are as they were.")


@app.command("schedule")
def schedule(
    release: ReleaseId,
    at: At,
    site: SiteOption,
    zone: Zone = None,
    which: Twice = None,
    as_json: AsJson = False,
) -> None:
    """Publish a release at a time."""
    given = {"id": release, "at": at, "time_zone": zone, "which": which}
    view = perform_at("releases.schedule", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The release is published at {view.shown}.")


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    rows = [(page.path or str(page.id), page.title, page.action) for page in view.content]
    state = "published" if view.released_at else "open"
    show_table(f"{view.title} ({state})", ("page", "title", ""), rows)
    if view.problems:
        problems = [(problem.where, problem.what) for problem in view.problems]
        show_table("What keeps it from being published", ("where", "what"), problems)
