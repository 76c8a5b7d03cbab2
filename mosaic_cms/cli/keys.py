"""``mosaic key``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, counted, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)
OfTenant = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's slug.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    tenant: OfTenant,
    role: Annotated[str, typer.Option(help="owner, admin, editor or viewer.")] = "viewer",
    action: Annotated[
        list[str] | None, typer.Option(help="Actions that it is for, as in 'pages.*'.")
    ] = None,
    site: Annotated[list[str] | None, typer.Option(help="A site that it is for.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it counts.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown this once."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    given: dict[str, Any] = {"name": name, "role": role, "expires_at": expires}
    given |= {"actions": action or (), "sites": site or ()}
    made = perform_at("keys.create", tenant, given, as_json=as_json, named=False)
    if as_json:
        print_json(made)
        return
    say(f"[green]✓[/] The key {made.name!r} of {tenant}; keep it, it is not shown again:")
    print(made.key)  # noqa: T201 - alone in its line, for whoever copies it


@app.command("list")
def list_all(tenant: OfTenant, as_json: AsJson = False) -> None:
    """List the API keys of a tenant, also those that count no more."""
    views = perform_at("keys.list", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(views)
        return
    columns = ("id", "begins with", "name", "role", "for", "made by", "last used", "")
    show_table(counted(len(views), "key"), columns, [_row(view) for view in views])


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, as 'list' shows it.")],
    tenant: OfTenant,
    as_json: AsJson = False,
) -> None:
    """Have an API key count no more."""
    view = perform_at("keys.revoke", tenant, {"id": key}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The key {view.name!r} ({view.prefix}…) counts no more.")


def _row(view: Any) -> tuple[str, ...]:
    reach = ", ".join((*view.actions, *(f"at {site}" for site in view.sites)))
    used = f"{view.used_at:%Y-%m-%d %H:%M} {view.used_from}" if view.used_at else "never"
    state = f"revoked {view.revoked_at:%Y-%m-%d}" if view.revoked_at else ""
    if not state and view.expires_at:
        ended = view.expires_at <= datetime.now(UTC)
        state = f"{'expired' if ended else 'until'} {view.expires_at:%Y-%m-%d}"
    made = (str(view.id), view.prefix, view.name, str(view.role), reach or "everything")
    return (*made, view.created_by, used, state)
