"""``mosaic media``: a site's library."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli import media_bin, media_content
from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    perform_at,
    print_json,
    say,
    show_table,
)

app = typer.Typer(no_args_is_help=True)
Percent = Annotated[int | None, typer.Argument(min=0, max=100)]
Name = Annotated[str, typer.Argument(help="media:<id>, as 'list' shows it.")]


@app.command("list")
def list_all(
    site: SiteOption,
    query: Annotated[str, typer.Argument(help="Words in names, texts and tags.")] = "",
    folder: Annotated[str | None, typer.Option(help="What is in it, or below it.")] = None,
    tag: Annotated[str | None, typer.Option(help="What has it.")] = None,
    kind: Annotated[str | None, typer.Option(help="Such as jpeg or pdf.")] = None,
    without_alt: Annotated[
        bool, typer.Option("--without-alt", help="Pictures without alternative text.")
    ] = False,
    unused: Annotated[bool, typer.Option("--unused", help="What nothing names.")] = False,
    as_json: AsJson = False,
) -> None:
    """List a site's files, or those that are looked for."""
    asked = {"query": query, "folder": folder, "below": folder is not None, "tag": tag}
    asked |= {"kind": kind, "without_alt": without_alt, "unused": unused}
    views = perform_at("media.list", site, asked, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.reference, _path(v), f"{v.size:,}", _size(v), _point(v), v.alt) for v in views]
    columns = ("reference", "name", "bytes", "pixels", "focal point", "alternative text")
    show_table(counted(len(rows), "file"), columns, rows)


@app.command("show")
def show(media: Name, site: SiteOption, as_json: AsJson = False) -> None:
    """Show all that is known of a file, and where it is used."""
    view = perform_at("media.show", site, {"media": media}, as_json=as_json)
    uses = perform_at("references.of", site, {"target": view.reference}, as_json=as_json)
    if as_json:
        print_json({**view.model_dump(mode="json"), "uses": uses})
        return
    show_table(view.name, ("", ""), [(k, str(v)) for k, v in view.model_dump(mode="json").items()])
    rows = [(use.title, use.path or "", use.state) for use in uses]
    show_table(f"{len(rows)} uses", ("title", "path", "state"), rows)


@app.command("edit")
def edit(
    media: Name,
    site: SiteOption,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    folder: Annotated[str | None, typer.Option(help='Where it is; "" is in no folder.')] = None,
    tag: Annotated[list[str] | None, typer.Option(help="All of its tags.")] = None,
    alt: Annotated[str | None, typer.Option(help="What it shows.")] = None,
    caption: Annotated[str | None, typer.Option(help="Its caption.")] = None,
    credit: Annotated[str | None, typer.Option(help="Who made it.")] = None,
    based_on: Annotated[
        str | None, typer.Option(help="The revision that you saw, as 'show --json' has it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say something else of a file; pages that show it are rendered again."""
    given = {"media": media, "name": name, "folder": folder, "tags": tag and tuple(tag)}
    given |= {"alt": alt, "caption": caption, "credit": credit, "based_on": based_on}
    seen = ("media.show", {"media": media})
    view = perform_at("media.edit", site, given, as_json=as_json, seen=seen)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name}")


@app.command("focus")
def focus(
    media: Name,
    site: SiteOption,
    x: Percent = None,
    y: Percent = None,
    as_json: AsJson = False,
) -> None:
    """Say which point of a picture matters.

    X and Y are in percent from its left and its top; without them, it is the middle."""
    view = perform_at("media.focus", site, {"media": media, "x": x, "y": y}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name}: {_point(view) or 'the middle'}")


@app.command("folders")
def folders(site: SiteOption, as_json: AsJson = False) -> None:
    """List the folders of a library."""
    views = perform_at("media.folders", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
    else:
        rows = [(view.folder or "(none)", str(view.files)) for view in views]
        show_table(f"{len(rows)} folders", ("folder", "files"), rows)


@app.command("move-folder")
def move_folder(folder: str, to: str, site: SiteOption, as_json: AsJson = False) -> None:
    """Move or rename a folder with all below it."""
    done = perform_at("media.move_folder", site, {"folder": folder, "to": to}, as_json=as_json)
    if as_json:
        print_json(done)
    else:
        say(f"[green]✓[/] {counted(done.files, 'file')}")


@app.command("duplicates")
def duplicates(site: SiteOption, as_json: AsJson = False) -> None:
    """List files that have the same content."""
    found = perform_at("media.duplicates", site, {}, as_json=as_json)
    if as_json:
        print_json(found)
        return
    rows = [
        (view.reference, _path(view), f"{same.size:,}") for same in found for view in same.files
    ]
    show_table(f"{len(found)} contents", ("reference", "name", "bytes"), rows)


app.command("upload")(media_content.upload)
app.command("replace")(media_content.replace)
app.command("versions")(media_content.versions)
app.command("restore")(media_content.restore)
app.command("forget-versions")(media_content.forget_versions)
app.command("uploads")(media_content.uploads)
app.command("abort")(media_content.abort)
app.command("delete")(media_bin.delete)
app.command("bin")(media_bin.list_binned)
app.command("undelete")(media_bin.undelete)
app.command("purge")(media_bin.purge)
app.command("address")(media_bin.address)
app.command("usage")(media_bin.usage)
app.command("settings")(media_bin.settings)
app.command("sweep")(media_bin.sweep)


def _path(view: Any) -> str:
    return f"{view.folder}/{view.name}" if view.folder else str(view.name)


def _size(view: Any) -> str:
    return f"{view.width} × {view.height}" if view.width else ""


def _point(view: Any) -> str:
    return "" if view.focal_x is None else f"{view.focal_x} %, {view.focal_y} %"
