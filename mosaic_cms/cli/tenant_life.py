"""``mosaic tenant rename``, ``delete``, ``recover`` and ``certificate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, operator, print_json, run, say, show_table

if TYPE_CHECKING:
    from mosaic_cms.product import Product

Slug = Annotated[str, typer.Argument(help="The tenant's slug.")]
_DAY = "%Y-%m-%d %H:%M UTC"


def commands(app: typer.Typer) -> None:
    """Adds the commands to those about tenants."""
    app.command("rename")(rename)
    app.command("delete")(delete)
    app.command("recover")(recover)
    app.command("certificate")(certificate)


def rename(
    slug: Slug,
    new: Annotated[str, typer.Argument(help="The slug that it gets.")],
    as_json: AsJson = False,
) -> None:
    """Give a tenant another slug; its old address leads to the new one for 90 days."""
    view = _perform("tenants.rename", {"slug": slug, "new": new}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {slug} is {view.slug} now, at [bold]{view.host}[/].")


def delete(
    slug: Slug,
    now: Annotated[bool, typer.Option("--now", help="Remove all of it at once, for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a tenant. It can be had back for 30 days; then all of it is removed."""
    if now and not yes:
        typer.confirm(f"Remove all of {slug!r}, with its files, for good?", abort=True, err=True)

    async def work(product: Product) -> Any:
        perform, scope = product.actions.perform, product.platform_scope(operator())
        if not now:
            return await perform("tenants.delete", scope, {"slug": slug})
        if product.platform.directory.tenant_of_slug(slug) is not None:
            await perform("tenants.delete", scope, {"slug": slug})
        return (await perform("tenants.remove", scope, {"slug": slug, "confirm": slug})).content

    done = run(work, as_json=as_json)
    if as_json:
        print_json(done)
    elif now:
        if not done["found"].get("databases"):
            say(f"No database of {slug} was found. If it was given one, that is there still.")
        say(f"[green]✓[/] {slug} is removed. Its certificate:")
        say(f"  mosaic tenant certificate {done['tenant_id']}")
    else:
        say(f"[green]✓[/] {slug} is deleted. Until {done.due:{_DAY}} it can be had back:")
        say(f"  mosaic tenant recover {slug}")
        say(f"Then all of it is removed; its certificate goes by its id, {done.tenant_id}.")


def recover(slug: Slug, as_json: AsJson = False) -> None:
    """Have a deleted tenant back as it was."""
    view = _perform("tenants.recover", {"slug": slug}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.slug} is {view.status} again, at [bold]{view.host}[/].")


def certificate(
    tenant_id: Annotated[str, typer.Argument(help="The id of the tenant that was removed.")],
    as_json: AsJson = False,
) -> None:
    """Print what was removed of a tenant, as JSON."""
    found = _perform("tenants.certificate", {"tenant_id": tenant_id}, as_json=as_json)
    print_json([one.content for one in found])


def list_deleted(*, as_json: bool) -> None:
    """Shows the tenants that were deleted and are not removed yet."""
    views = _perform("tenants.deleted", {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (v.slug, v.name, f"{v.at:{_DAY}}", v.by, "begun" if v.begun else f"{v.due:{_DAY}}")
        for v in views
    ]
    show_table(f"{len(rows)} deleted tenants", ("slug", "name", "deleted", "by", "removed"), rows)


def _perform(name: str, given: dict[str, Any], *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        return await product.actions.perform(name, product.platform_scope(operator()), given)

    return run(work, as_json=as_json)
