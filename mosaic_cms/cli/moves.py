"""``mosaic tenant move``, ``move-status`` and ``move-cancel``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    operator,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
)

if TYPE_CHECKING:
    from mosaic_cms.product import Product

Slug = Annotated[str, typer.Argument(help="The tenant's slug.")]


def _perform(name: str, slug: str, *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        scope = product.platform_scope(operator())
        return await product.actions.perform(name, scope, {"slug": slug})

    return run(work, as_json=as_json)


def move(
    slug: Slug,
    to: Annotated[str, typer.Option("--to", help="The tier.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look whether it fits there.")
    ] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave it to a server that runs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move a tenant to another tier while people read and write it."""
    given = {"slug": slug, "tier": to, "dry_run": dry_run, "wait": not background}

    async def work(product: Product) -> Any:
        scope = product.platform_scope(operator())
        with progress_bar("Moving", quiet=as_json or dry_run or background) as progress:
            scope = dataclasses.replace(scope, progress=progress)
            return await product.actions.perform("tenants.move", scope, given)

    view = run(work, as_json=as_json)
    if as_json:
        print_json(view)
    elif dry_run:
        _tell_fit(view)
    else:
        _tell_move(view)
    if view.misfits or view.state == "undone":
        raise typer.Exit(1)


def move_status(slug: Slug, as_json: AsJson = False) -> None:
    """Show how far a tenant's move has come, or how its last one ended."""
    view = _perform("tenants.move_status", slug, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        _tell_move(view)


def move_cancel(slug: Slug, as_json: AsJson = False) -> None:
    """Have a tenant's move undone; whoever does it turns back at the next step."""
    view = _perform("tenants.cancel_move", slug, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.slug} stays on the {view.from_tier} tier.")


def _tell_fit(view: Any) -> None:
    if not view.misfits:
        say(f"[green]✓[/] {view.slug} fits the {view.to_tier} tier.")
    for one in view.changes:
        say(f"  {one}")
    if not view.misfits:
        return
    rows = [(one.what, f"{one.has:,}", f"{one.most:,}", one.mend) for one in view.misfits]
    title = f"{view.slug} does not fit the {view.to_tier} tier"
    show_table(title, ("what", "has", "fits", "to do"), rows)


def _tell_move(view: Any) -> None:
    way = f"{view.slug}: {view.from_tier} → {view.to_tier}"
    if view.state == "done":
        pause = "" if view.pause is None else f"; writes waited {view.pause:,} ms"
        kept = (
            "" if view.kept_until is None else f" Its old home is kept until {view.kept_until:%F}."
        )
        say(f"[green]✓[/] {way}: it has moved{pause}.{kept}")
    elif view.state == "undone":
        say(f"[yellow]![/] {way}: it is where it was. {view.error}")
    else:
        say(f"{way}: {view.state}, {view.step}")
        for what, (done, of) in view.progress.items():
            say(f"  {what}: {done:,} of {of:,}")
        if view.seconds_left:
            say(f"  about {view.seconds_left:,.0f} s left of this")
        if view.error:
            say(f"  the last try: {view.error}")
