"""``mosaic page``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mosaic_cms.cli import arranging, page_bin, page_times, page_uses, page_versions
from mosaic_cms.cli.page_shown import (
    PagePath,
    show_pages,
    show_state,
    show_warnings,
    titled,
)
from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    perform_at,
    print_json,
    reporting,
    say,
    show_table,
)
from mosaic_core.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)
#: What ``page edit`` takes from a file that ``page show --json`` made.
_CONTENT = ("title", "summary", "layout", "regions", "details")


@app.command("list")
def list_all(site: SiteOption, as_json: AsJson = False) -> None:
    """List a site's pages."""
    show_pages(perform_at("pages.list", site, {}, as_json=as_json), as_json=as_json)


@app.command("show")
def show(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Show a page's draft."""
    view = perform_at("pages.show", site, {"path": path}, as_json=as_json)
    if as_json:
        print_json(view)
        return
    hidden = {"regions", "details", "warnings"}
    facts = view.model_dump(mode="json", exclude=hidden) | view.details
    show_table(titled(view.title), ("", ""), [(key, str(value)) for key, value in facts.items()])
    for region, blocks in view.regions.items():
        typer.echo(f"\n{region}: {json.dumps(blocks, ensure_ascii=False, indent=2)}")
    show_warnings(view)


@app.command("edit")
def edit(
    path: PagePath,
    site: SiteOption,
    title: Annotated[str | None, typer.Option(help="Its new title.")] = None,
    summary: Annotated[str | None, typer.Option(help="Its new summary.")] = None,
    layout: Annotated[str | None, typer.Option(help="Its new layout.")] = None,
    body: Annotated[
        Path | None, typer.Option(help="A file of Markdown: all of its main region; - reads it.")
    ] = None,
    content: Annotated[
        Path | None, typer.Option(help="A JSON file, as 'page show --json' makes it; - reads it.")
    ] = None,
    based_on: Annotated[
        int | None,
        typer.Option(help="The revision that you changed; --body needs it, --content may have it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a page's draft. What others saved since is kept, or shown with yours."""
    with reporting(as_json=as_json):
        given = _content(content) if content is not None else {}
        if body is not None:
            given.pop("regions", None)
            given["body"] = _read(body)
    options = {"title": title, "summary": summary, "layout": layout, "based_on": based_on}
    given |= {name: value for name, value in options.items() if value is not None}
    typed = content is None and body is None
    seen = ("pages.show", {"path": path}) if typed else None
    result = perform_at("pages.edit", site, {**given, "path": path}, as_json=as_json, seen=seen)
    if not as_json:
        say(f"[green]✓[/] {result.path} is saved as revision {result.revision}.")
        if result.merged:
            say("  It is merged with what others saved meanwhile.")
        show_warnings(result)
    else:
        print_json(result)


@app.command("publish")
def publish(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Make a page's draft what visitors see."""
    view = perform_at("pages.publish", site, {"path": path}, as_json=as_json)
    show_state(view, as_json=as_json)
    if not as_json:
        show_warnings(view)


@app.command("unpublish")
def unpublish(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Take a page from visitors; its draft stays."""
    view = perform_at("pages.unpublish", site, {"path": path}, as_json=as_json)
    show_state(view, as_json=as_json)


app.command("move")(arranging.move)
app.command("copy")(arranging.copy)
app.command("reorder")(arranging.reorder)
app.command("versions")(page_versions.versions)
app.command("name")(page_versions.name)
app.command("compare")(page_versions.compare)
app.command("restore")(page_versions.restore)
app.command("schedule")(page_times.schedule)
app.command("unschedule")(page_times.unschedule)
app.command("schedules")(page_times.schedules)
app.command("uses")(page_uses.uses)
app.command("delete")(page_bin.delete)
app.command("bin")(page_bin.show_bin)
app.command("undelete")(page_bin.undelete)
app.command("purge")(page_bin.purge)


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read().decode()
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{file} cannot be read: {error}.", hint="Name a text file in UTF-8, or -."
        ) from error


def _content(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(file))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidInput(
            f"{file} holds no page.", hint="Make one with 'mosaic page show --json'."
        )
    given = {name: found[name] for name in _CONTENT if name in found}
    return given | ({"based_on": found["revision"]} if "revision" in found else {})
