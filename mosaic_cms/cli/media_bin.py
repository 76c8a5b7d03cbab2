"""``mosaic media``: what goes, how much there is, and addresses that last for a while."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    perform_at,
    print_json,
    say,
    show_table,
)

Name = Annotated[str, typer.Argument(help="media:<id>, as 'list' or 'bin' shows it.")]


def delete(
    media: Name,
    site: SiteOption,
    force: Annotated[bool, typer.Option("--force", help="Even if pages use it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move a file to the bin, where it stays for thirty days."""
    given = {"media": media, "force": force}
    binned = perform_at("media.delete", site, given, as_json=as_json)
    if as_json:
        print_json(binned)
    else:
        say(f"[green]✓[/] {binned.media.name} is in the bin until {binned.until:%Y-%m-%d}")


def list_binned(site: SiteOption, as_json: AsJson = False) -> None:
    """List what is in the bin."""
    views = perform_at("media.bin", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.media.reference, v.media.name, f"{v.until:%Y-%m-%d}") for v in views]
    show_table(counted(len(rows), "file"), ("reference", "name", "until"), rows)


def undelete(media: Name, site: SiteOption, as_json: AsJson = False) -> None:
    """Take a file out of the bin."""
    view = perform_at("media.restore_from_bin", site, {"media": media}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name} is back")


def purge(
    site: SiteOption,
    media: Annotated[str | None, typer.Argument(help="media:<id>, as 'bin' shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is in the bin.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is in the bin for good."""
    if (media is None) != everything:
        raise typer.BadParameter("Name a file, or say --all.")
    name, given = ("media.empty_bin", {}) if everything else ("media.purge", {"media": media})
    done = perform_at(name, site, given, as_json=as_json, title="Purging")
    if as_json:
        print_json(done)
    else:
        say(f"[green]✓[/] {done.files} files are deleted")


def address(
    media: Name,
    site: SiteOption,
    minutes: Annotated[int, typer.Option(min=1, help="How long it lasts.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Show an address at which whoever has it reads a file for a while."""
    found = perform_at("media.address", site, {"media": media, "minutes": minutes}, as_json=as_json)
    if as_json:
        print_json(found)
    else:
        typer.echo(found.address)  # in one line, whatever the terminal's width
        say(f"until {found.expires_at:%Y-%m-%d %H:%M} UTC")


def usage(site: SiteOption, as_json: AsJson = False) -> None:
    """Show how much the tenant has stored and served."""
    view = perform_at("media.usage", site, {}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        _facts("Usage", view)


def settings(
    site: SiteOption,
    kind: Annotated[list[str] | None, typer.Option(help="A kind that is let in.")] = None,
    all_kinds: Annotated[bool, typer.Option("--all-kinds", help="Let in all of them.")] = False,
    keep_metadata: Annotated[
        bool | None,
        typer.Option("--keep-metadata/--no-metadata", help="Keep what cameras noted."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show, or change, what the tenant lets into its libraries."""
    view = perform_at("media.settings", site, {}, as_json=as_json, named=False)
    if kind or all_kinds or keep_metadata is not None:
        kinds = None if all_kinds else tuple(kind) if kind else view.kinds
        keep = view.keep_metadata if keep_metadata is None else keep_metadata
        given = {"kinds": kinds, "keep_metadata": keep, "based_on": view.revision}
        view = perform_at("media.configure", site, given, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        _facts("What is let in", view)


def sweep(site: SiteOption, as_json: AsJson = False) -> None:
    """Clear away what nobody waits for any more."""
    done = perform_at("media.sweep", site, {}, as_json=as_json, named=False)
    if as_json:
        print_json(done)
    else:
        say(f"[green]✓[/] {done.objects} objects, {done.bytes:,} bytes")


def _facts(title: str, view: Any) -> None:
    show_table(title, ("", ""), [(k, str(v)) for k, v in view.model_dump(mode="json").items()])
