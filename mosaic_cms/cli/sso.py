"""``mosaic sso``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, perform_at, print_json, say, show_table

app = typer.Typer(no_args_is_help=True)
OfTenant = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's slug.")]


@app.command("show")
def show(tenant: OfTenant, as_json: AsJson = False) -> None:
    """Show the issuer that a tenant's people sign in with."""
    view = perform_at("sso.show", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        _shown(view)


@app.command("set")
def set_issuer(
    issuer: Annotated[str, typer.Argument(help="Its address, exactly as it calls itself.")],
    tenant: OfTenant,
    client_id: Annotated[str, typer.Option(help="What it knows the tenant by.")],
    domain: Annotated[
        list[str], typer.Option(help="A proven domain, for whose addresses it vouches.")
    ],
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="MOSAIC_SSO_SECRET",
            help="The client's secret; better in the environment than here.",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="What people read.")] = "Single sign-on",
    as_json: AsJson = False,
) -> None:
    """Have a tenant's people sign in with an issuer of its own."""
    given: dict[str, Any] = {"issuer": issuer, "client_id": client_id, "title": title}
    given |= {"client_secret": secret, "domains": domain}
    view = perform_at("sso.set", tenant, given, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        _shown(view)


@app.command("remove")
def remove(tenant: OfTenant, as_json: AsJson = False) -> None:
    """Have nobody sign in with a tenant's issuer any more."""
    done = perform_at("sso.remove", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(done)
    else:
        say(f"[green]✓[/] {tenant} has no issuer of its own any more.")


def _shown(view: Any) -> None:
    facts = view.model_dump(mode="json")
    facts["domains"] = ", ".join(
        one.domain if one.proven else f"{one.domain} (not proven)" for one in view.domains
    )
    show_table(view.title, ("", ""), [(key, str(value)) for key, value in facts.items()])
