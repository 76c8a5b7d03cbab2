"""``mosaic domain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)
OfTenant = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's slug.")]
Domain = Annotated[str, typer.Argument(help="The domain, as in www.example.com.")]


@app.command("add")
def add(
    domain: Domain,
    tenant: OfTenant,
    site: Annotated[str | None, typer.Option(help="The key of the site it leads to.")] = None,
    addresses_only: Annotated[
        bool, typer.Option("--addresses-only", help="It leads to no site: it is for sign-ins.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Name a domain of a tenant's; it says which record proves it."""
    given = {"domain": domain, "site": site, "serves": not addresses_only}
    view = perform_at("domains.add", tenant, given, as_json=as_json, named=False)
    if as_json:
        print_json(view)
        return
    say(f"[green]✓[/] {view.domain} is named. Set this record, then verify it:")
    print(f"{view.record.name} TXT {view.record.value}")  # noqa: T201 - for whoever copies it


@app.command("list")
def list_all(tenant: OfTenant, as_json: AsJson = False) -> None:
    """List the domains of a tenant, with their records."""
    views = perform_at("domains.list", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(views)
        return
    columns = ("domain", "site", "state", "TXT record", "that says")
    show_table(f"{len(views)} domains", columns, [_row(view) for view in views])


@app.command("verify")
def verify(domain: Domain, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Look for a domain's record; when it is there, the domain leads to its site."""
    view = perform_at("domains.verify", tenant, {"domain": domain}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        leads = f" and leads to {tenant}" if view.leads else ""
        say(f"[green]✓[/] {view.domain} is proven{leads}.")


@app.command("remove")
def remove(domain: Domain, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Have a domain lead nowhere, and be the tenant's no more."""
    view = perform_at("domains.remove", tenant, {"domain": domain}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.domain} is none of {tenant}'s domains any more.")


def _row(view: Any) -> tuple[str, ...]:
    state = f"proven {view.proven_at:%Y-%m-%d}" if view.proven_at else "waits for its record"
    if view.record is None:
        state = "given by operators"
    where = (view.site or "the first") if view.serves else "none"
    record = ("", "") if view.record is None else (view.record.name, view.record.value)
    return (view.domain, where, state, *record)
