"""``mosaic tenant``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.bundles import IdentityOption, identity_in, told
from mosaic_cms.cli.running import (
    AsJson,
    counted,
    operator,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
    site_scope,
)
from mosaic_cms.cli.tenant_life import commands, list_deleted
from mosaic_core.errors import InvalidInput

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
commands(app)
Slug = Annotated[str, typer.Argument(help="The tenant's slug.")]


def _perform(name: str, given: dict[str, Any], *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        return await product.actions.perform(name, product.platform_scope(operator()), given)

    return run(work, as_json=as_json)


@app.command("create")
def create(
    slug: Slug,
    name: Annotated[str | None, typer.Option(help="Its name; the slug when left out.")] = None,
    tier: Annotated[str | None, typer.Option(help="Its tier.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="A custom domain.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a tenant with a site and a published home page."""
    given = {"slug": slug, "name": name or slug, "tier": tier, "domains": tuple(domain or ())}
    view = _perform("tenants.create", given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.slug} is open at [bold]{view.host}[/] on the {view.tier} tier.")


@app.command("list")
def list_all(
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Those that were deleted and can be had back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List every tenant."""
    if deleted:
        list_deleted(as_json=as_json)
        return
    views = _perform("tenants.list", {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.slug, v.name, v.tier, v.status, v.host, ", ".join(v.domains)) for v in views]
    show_table(
        counted(len(rows), "tenant"), ("slug", "name", "tier", "status", "host", "domains"), rows
    )


@app.command("show")
def show(slug: Slug, as_json: AsJson = False) -> None:
    """Show one tenant."""
    view = _perform("tenants.show", {"slug": slug}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        facts = view.model_dump(mode="json") | {"domains": ", ".join(view.domains)}
        rows = [(key, "" if value is None else str(value)) for key, value in facts.items()]
        show_table(view.name, ("", ""), rows)


@app.command("export")
def export(
    slug: Slug,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle to make.")],
    recipient: Annotated[
        list[str] | None, typer.Option(help="Encrypt it for this age public key.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write all of a tenant into one file, a bundle."""
    given = {"file": output, "recipients": tuple(recipient or ()), "force": force}

    async def work(product: Product) -> Any:
        scope, _ = site_scope(product, slug)
        with progress_bar("Exporting", quiet=as_json) as progress:
            scope = dataclasses.replace(scope, progress=progress)
            return await product.actions.perform("tenants.export", scope, given)

    report = run(work, as_json=as_json)
    if as_json:
        print_json(report)
        return
    say(f"[green]✓[/] {told(report)} in {report.path}.")
    for key in report.missing:
        say(f"[yellow]![/] {key} was deleted meanwhile and is not in it.")


@app.command("import")
def import_bundle(
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    slug: Annotated[str | None, typer.Option("--as", help="Another slug: a clone.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    tier: Annotated[str | None, typer.Option(help="Another tier.")] = None,
    identity: IdentityOption = None,
    as_json: AsJson = False,
) -> None:
    """Make a new tenant of a bundle."""
    given: dict[str, Any] = {"file": file, "slug": slug, "name": name, "tier": tier}

    async def work(product: Product) -> Any:
        given["identity"] = identity_in(identity)
        scope = product.platform_scope(operator())
        with progress_bar("Importing", quiet=as_json) as progress:
            scope = dataclasses.replace(scope, progress=progress)
            return await product.actions.perform("tenants.import", scope, given)

    view = run(work, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.slug} is open at [bold]{view.host}[/]: {told(view.bundle)}.")


@app.command("compact")
def compact(
    slug: Slug,
    days: Annotated[
        int | None, typer.Option(help="Days of its past to keep; those of its tier if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forget older changes, and give back the room that is free."""

    async def work(product: Product) -> Any:
        with progress_bar("Compacting", quiet=as_json) as progress:
            scope = dataclasses.replace(product.platform_scope(operator()), progress=progress)
            return await product.actions.perform(
                "tenants.compact", scope, {"slug": slug, "days": days}
            )

    done = run(work, as_json=as_json)
    if as_json:
        print_json(done)
        return
    say(
        f"[green]✓[/] {done.changes:,} older changes of {done.slug} are forgotten. "
        f"{done.before / 1e6:.1f} MB were in use, and {done.after / 1e6:.1f} MB are now."
    )


@app.command("suspend")
def suspend(
    slug: Slug,
    reason: Annotated[str, typer.Option(help="Why, for its visitors.")] = "",
    closed: Annotated[bool, typer.Option("--closed", help="Close it to visitors too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a tenant read-only, or close it."""
    given = {"slug": slug, "reason": reason, "status": "closed" if closed else "read-only"}
    _shown(_perform("tenants.suspend", given, as_json=as_json), as_json=as_json)


@app.command("resume")
def resume(slug: Slug, as_json: AsJson = False) -> None:
    """Open a suspended tenant again."""
    _shown(_perform("tenants.resume", {"slug": slug}, as_json=as_json), as_json=as_json)


@app.command("networks")
def networks(
    slug: Slug,
    allow: Annotated[
        list[str] | None, typer.Option(help="Nobody comes from elsewhere; may be repeated.")
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="Nobody comes from there; may be repeated.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Take the lists away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show from which networks a tenant is reached, or say so; a list that is not given stays."""

    async def work(product: Product) -> Any:
        scope, _ = site_scope(product, slug)
        if not (allow or block or everybody):
            return await product.actions.perform("networks.show", scope, {})
        if everybody and (allow or block):
            raise InvalidInput(
                "Everybody, and some networks: that is not one of both.",
                hint="Give --everybody alone, or the networks.",
            )
        there = await product.actions.perform("networks.show", scope, {})
        given = {
            "allow": tuple(allow or () if allow or everybody else there.allow),
            "block": tuple(block or () if block or everybody else there.block),
        }
        return await product.actions.perform("networks.set", scope, given)

    view = run(work, as_json=as_json)
    if as_json:
        print_json(view)
        return
    say(f"allowed: {', '.join(view.allow) or 'all'}")
    say(f"blocked: {', '.join(view.block) or 'none'}")


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.slug} is {view.status}.")
