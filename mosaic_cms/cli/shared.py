"""``mosaic shared``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

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
SharedId = Annotated[str, typer.Argument(help="The shared block's id.")]
File = Annotated[
    Path | None, typer.Option(help="JSON: its blocks, or what 'shared show --json' prints.")
]
MarkdownFile = Annotated[Path | None, typer.Option(help="Markdown: all of its content.")]


@app.command("list")
def list_all(site: SiteOption, as_json: AsJson = False) -> None:
    """List a site's shared blocks."""
    views = perform_at("shared.list", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(str(v.id), v.name, v.state, str(v.uses)) for v in views]
    show_table(f"{len(rows)} shared blocks", ("id", "name", "state", "used"), rows)


@app.command("show")
def show(shared_id: SharedId, site: SiteOption, as_json: AsJson = False) -> None:
    """Show a shared block, and where it is used."""
    view = _of_tenant("shared.show", site, {"id": shared_id}, as_json=as_json)
    if as_json:
        print_json(view)
        return
    facts = [("id", str(view.id)), ("state", view.state), ("revision", str(view.revision))]
    show_table(view.name, ("", ""), facts)
    typer.echo(json.dumps(view.blocks, ensure_ascii=False, indent=2))
    uses = perform_at("references.of", site, {"target": f"shared:{view.id}"}, as_json=as_json)
    rows = [(use.path or use.source, use.title, use.state) for use in uses]
    show_table(f"used in {len(rows)} places", ("where", "title", "in"), rows)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What editors call it.")],
    site: SiteOption,
    file: File = None,
    markdown: MarkdownFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a shared block, as a draft."""
    with reporting(as_json=as_json):
        given = {"name": name, "blocks": _content(file, markdown)[0] or []}
    _shown(perform_at("shared.create", site, given, as_json=as_json), as_json=as_json)


@app.command("edit")
def edit(
    shared_id: SharedId,
    site: SiteOption,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    file: File = None,
    markdown: MarkdownFile = None,
    based_on: Annotated[
        int | None,
        typer.Option(help="The revision that you changed; a file may have it, or else needs it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a shared block's draft; what visitors see stays.

    What others saved since in other blocks is merged, and in the same ones is shown with yours."""
    with reporting(as_json=as_json):
        blocks, revision = _content(file, markdown)
    based_on = revision if based_on is None else based_on
    given = {"id": shared_id, "name": name, "blocks": blocks, "based_on": based_on}
    seen = ("shared.show", {"id": shared_id}) if blocks is None else None
    saved = perform_at("shared.edit", site, given, as_json=as_json, named=False, seen=seen)
    _shown(saved, as_json=as_json)
    if saved.merged and not as_json:
        say("  It is merged with what others saved meanwhile.")


@app.command("publish")
def publish(shared_id: SharedId, site: SiteOption, as_json: AsJson = False) -> None:
    """Make a shared block's draft what visitors see, wherever it is shown."""
    _shown(_of_tenant("shared.publish", site, {"id": shared_id}, as_json=as_json), as_json=as_json)


@app.command("delete")
def delete(
    shared_id: SharedId,
    site: SiteOption,
    force: Annotated[bool, typer.Option("--force", help="Even if it is used.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a shared block that nothing uses."""
    given = {"id": shared_id, "force": force}
    view = _of_tenant("shared.delete", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name} is deleted.")


def _of_tenant(name: str, site: str, given: dict[str, Any], *, as_json: bool) -> Any:
    """Performs an action whose input names no site: an id is enough."""
    return perform_at(name, site, given, as_json=as_json, named=False)


def _content(
    file: Path | None, markdown: Path | None
) -> tuple[list[dict[str, Any]] | None, int | None]:
    """The blocks of a file, and the revision that they were where it says so: it may be what
    ``shared show --json`` prints."""
    path = file or markdown
    if path is None:
        return None, None
    try:
        text = path.read_text("utf-8")
        read = json.loads(text) if file else [{"type": "markdown", "data": {"text": text}}]
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} cannot be understood: {error}.") from error
    blocks = read.get("blocks") if isinstance(read, dict) else read
    if not isinstance(blocks, list):
        raise InvalidInput(f"{path} holds no list of blocks.")
    return blocks, read.get("revision") if isinstance(read, dict) else None


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name} ({view.id}) is now: {view.state}, revision {view.revision}.")
