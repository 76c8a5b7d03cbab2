"""``mosaic audit``: what was done, and what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, counted, operator, print_json, run, say, show_table

if TYPE_CHECKING:
    from mosaic_cms.operations.audit import AuditView
    from mosaic_cms.product import Product

_COLUMNS = ("when (UTC)", "who", "action", "", "what")


def audit(
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", "-t", help="The tenant's slug; without, what is about none."),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Of this one alone, as the list shows it.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="From before an instant, as in 2026-11-29T18:00:00Z.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on after an entry, whose id --json shows.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many, up to 200.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was done and what was refused, the newest first."""
    filters = {"actor": actor, "before": before, "after": after}
    given: dict[str, Any] = {key: value for key, value in filters.items() if value is not None}
    given["limit"] = limit

    async def work(product: Product) -> Any:
        if tenant is None:
            scope = product.platform_scope(operator())
            return await product.actions.perform("audit.platform", scope, given)
        found = product.platform.directory.named(tenant)
        scope_there = product.scope(found, operator())
        return await product.actions.perform("audit.list", scope_there, given)

    views = run(work, as_json=as_json)
    if as_json:
        print_json(views)
    elif views:
        show_table(
            counted(len(views), "entry", "entries"), _COLUMNS, [_row(view) for view in views]
        )
    else:
        say("There is nothing.")


def _row(view: AuditView) -> tuple[str, str, str, str, str]:
    told = " ".join(filter(None, (view.operation, view.entity, view.entity_id, view.reason)))
    if view.address:
        told += f" from {view.address}"
    if view.times > 1:
        told += f" ({view.times} times)"
    when = f"{view.at:%Y-%m-%d %H:%M:%S}"
    return when, view.actor, view.action, view.outcome, told.strip()
