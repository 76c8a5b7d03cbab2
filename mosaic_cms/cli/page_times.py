"""``mosaic page schedule``, ``unschedule`` and ``schedules``."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from mosaic_cms.cli.page_shown import PagePath
from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say, show_table

At = Annotated[
    str, typer.Argument(metavar="TIME", help="Such as '2026-11-01 09:00', or with an offset.")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="Such as Europe/Berlin; by default the site's.")
]
Twice = Annotated[
    str | None, typer.Option("--which", help="first or second, of a time that comes twice.")
]


def schedule(
    path: PagePath,
    at: At,
    site: SiteOption,
    unpublish: Annotated[bool, typer.Option("--unpublish", help="Take it from visitors.")] = False,
    zone: Zone = None,
    which: Twice = None,
    as_json: AsJson = False,
) -> None:
    """Publish a page at a time, or unpublish it."""
    what = "unpublish" if unpublish else "publish"
    given = {"path": path, "at": at, "action": what, "time_zone": zone, "which": which}
    view = perform_at("pages.schedule", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.path}: {view.action} at {view.shown}.")


def unschedule(
    schedule_id: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The schedule's id.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Take back what was to happen."""
    view = perform_at("pages.unschedule", site, {"id": schedule_id}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {_about(view)}: it will not {view.action} at {view.shown}.")


def schedules(
    site: SiteOption,
    path: Annotated[str | None, typer.Argument(help="Only those of this page.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is to happen, the next first, and what could not be done."""
    views = perform_at("pages.schedules", site, {"path": path}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(str(v.id), _about(v), v.action, v.shown, v.failure or "") for v in views]
    show_table(f"{len(rows)} schedules", ("id", "what", "", "when", "failure"), rows)


def _about(view: Any) -> str:
    return view.path or f"release {view.title}"
