"""``mosaic media upload``, ``replace`` and the contents that a file had before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    perform_at,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
    site_scope,
)
from mosaic_cms.incoming import Incoming
from mosaic_core.errors import InvalidInput

if TYPE_CHECKING:
    from mosaic_cms.product import Product

#: Bytes of a file that comes in parts, which can be gone on with.
_LARGE = 64 * 1024 * 1024
Name = Annotated[str, typer.Argument(help="media:<id>, as 'list' shows it.")]
Keep = Annotated[
    bool | None,
    typer.Option("--keep-metadata/--no-metadata", help="Keep what the camera noted, or do not."),
]
OnDisk = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file here.")]


def upload(
    file: OnDisk,
    site: SiteOption,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    folder: Annotated[str, typer.Option(help="Where it is put.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A tag.")] = None,
    alt: Annotated[str, typer.Option(help="What it shows.")] = "",
    caption: Annotated[str, typer.Option(help="Its caption.")] = "",
    credit: Annotated[str, typer.Option(help="Who made it.")] = "",
    keep_metadata: Keep = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this upload, as 'uploads' shows it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a file into a site's library, once it was looked at. Large ones go in parts."""
    said: dict[str, Any] = {
        "folder": folder,
        "tags": tuple(tag or ()),
        "alt": alt,
        "caption": caption,
    }
    said |= {"credit": credit, "keep_metadata": keep_metadata, "name": name or file.name}
    size = file.stat().st_size
    if resume is None and size < _LARGE:
        given = {**said, "content": Incoming.of_file(file)}
        _told(perform_at("media.upload", site, given, as_json=as_json, title="Uploading"), as_json)
        return

    async def work(product: Product) -> Any:
        scope, key = site_scope(product, site)

        async def do(action: str, **given: Any) -> Any:
            return await product.actions.perform(action, scope, {**given, "site": key})

        with progress_bar("Uploading", quiet=as_json) as progress:
            if resume is None:
                begun = await do("media.begin_upload", size=size, **said)
            else:
                begun = await do("media.show_upload", upload=resume)
                if begun.size != size:
                    raise InvalidInput(
                        f"The file has {size:,} bytes; what is coming has {begun.size:,}.",
                        hint="Go on with the same file, or begin anew without --resume.",
                    )
            return await _in_parts(do, begun, file, progress)

    _told(run(work, as_json=as_json), as_json)


async def _in_parts(
    do: Callable[..., Any], begun: Any, file: Path, progress: Callable[[str, int, int], None]
) -> Any:
    for number in begun.missing:
        start = (number - 1) * begun.part_size
        content = Incoming.of_file(file, start, min(begun.part_size, begun.size - start))
        await do("media.send_part", upload=begun.id, number=number, content=content)
        progress("parts", number, begun.parts)
    return await do("media.finish_upload", upload=begun.id)


def replace(
    media: Name,
    file: OnDisk,
    site: SiteOption,
    keep_metadata: Keep = None,
    as_json: AsJson = False,
) -> None:
    """Give a file another content; the one before becomes a version of it."""
    given = {"media": media, "content": Incoming.of_file(file), "keep_metadata": keep_metadata}
    _told(perform_at("media.replace", site, given, as_json=as_json, title="Uploading"), as_json)


def versions(media: Name, site: SiteOption, as_json: AsJson = False) -> None:
    """List the contents that a file had before."""
    views = perform_at("media.versions", site, {"media": media}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (str(v.number), v.name, f"{v.size:,}", f"{v.at:%Y-%m-%d %H:%M}", v.actor) for v in views
    ]
    show_table(f"{len(rows)} versions", ("number", "name", "bytes", "until", "by"), rows)


def restore(media: Name, number: int, site: SiteOption, as_json: AsJson = False) -> None:
    """Bring back a content that a file had before."""
    given = {"media": media, "number": number}
    view = perform_at("media.restore", site, given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.name} is as in version {number}")


def forget_versions(
    media: Name,
    site: SiteOption,
    number: Annotated[int | None, typer.Option(help="This one alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Delete contents that a file had before, for good."""
    given = {"media": media, "number": number}
    done = perform_at("media.forget_versions", site, given, as_json=as_json)
    if as_json:
        print_json(done)
    else:
        say(f"[green]✓[/] {done.versions} versions are deleted")


def uploads(site: SiteOption, as_json: AsJson = False) -> None:
    """List files that are coming in parts, to go on with them."""
    views = perform_at("media.uploads", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (str(v.id), v.name, f"{v.size:,}", f"{v.parts - len(v.missing)} of {v.parts}")
        for v in views
    ]
    show_table(f"{len(rows)} uploads", ("upload", "name", "bytes", "parts"), rows)


def abort(
    upload: Annotated[str, typer.Argument(help="As 'uploads' shows it.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """End a file that comes in parts; nothing of it is left."""
    done = perform_at("media.abort_upload", site, {"upload": upload}, as_json=as_json)
    if as_json:
        print_json(done)
    else:
        say("[green]✓[/] it is ended, and nothing of it is left")


def _told(done: Any, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    say(f"[green]✓[/] {done.media.reference}: {done.media.name}")
    for note in done.notes:
        say(f"  {note}")
