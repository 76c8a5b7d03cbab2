"""``mosaic member``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    counted,
    perform_at,
    print_json,
    run,
    say,
    show_table,
    site_scope,
)
from mosaic_core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
OfTenant = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's slug.")]
Email = Annotated[str, typer.Argument(help="The account's mail address.")]
RoleOption = Annotated[
    str | None, typer.Option(help="owner, admin, editor or viewer; 'none' for roles at sites only.")
]
SiteRole = Annotated[
    list[str] | None, typer.Option("--at", help="A role at a site, as in shop=editor.")
]


@app.command("list")
def list_all(tenant: OfTenant, as_json: AsJson = False) -> None:
    """List the members of a tenant."""
    views = perform_at("members.list", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(views)
        return
    rows = [
        (v.email, v.name, _roles(v), f"{v.joined_at:%Y-%m-%d}", "" if v.active else "inactive")
        for v in views
    ]
    show_table(counted(len(rows), "member"), ("address", "name", "role", "since", ""), rows)


@app.command("add")
def add(
    email: Email,
    tenant: OfTenant,
    role: RoleOption = None,
    at: SiteRole = None,
    as_json: AsJson = False,
) -> None:
    """Make an account a member, without asking it."""
    given = {"email": email, **_given(role, at, as_json=as_json)}
    view = perform_at("members.add", tenant, given, as_json=as_json, named=False)
    _shown(view, f"is a member of {tenant}: {_roles(view)}", as_json=as_json)


@app.command("change")
def change(
    email: Email,
    tenant: OfTenant,
    role: RoleOption = None,
    at: SiteRole = None,
    as_json: AsJson = False,
) -> None:
    """Give a member another role. What is not named stays; --at replaces all roles at sites."""
    given = _given(role, at, as_json=as_json)
    view = _perform("members.change", tenant, email, given, as_json=as_json)
    _shown(view, f"is a member of {tenant}: {_roles(view)}", as_json=as_json)


@app.command("remove")
def remove(email: Email, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Remove a member, and revoke their API keys and tokens for the tenant."""
    view = _perform("members.remove", tenant, email, {}, as_json=as_json)
    _shown(
        view,
        f"is no member of {tenant} any more; {counted(view.keys, 'key')} revoked",
        as_json=as_json,
    )


def _perform(name: str, tenant: str, email: str, given: dict[str, Any], *, as_json: bool) -> Any:
    """Performs an action on the member with an address."""

    async def work(product: Product) -> Any:
        scope, _ = site_scope(product, tenant)
        for member in await product.actions.perform("members.list", scope, {}):
            if member.email.lower() == email.lower():
                return await product.actions.perform(
                    name, scope, {"account": member.account, **given}
                )
        raise NotFound(
            f"{email} does not belong to {tenant}.", hint="'mosaic member list' shows who does."
        )

    return run(work, as_json=as_json)


def _given(role: str | None, at: Sequence[str] | None, *, as_json: bool) -> dict[str, Any]:
    from mosaic_cms.cli.running import reporting

    given: dict[str, Any] = {} if role is None else {"role": None if role == "none" else role}
    with reporting(as_json=as_json):
        if at is not None:
            pairs = [pair.partition("=") for pair in at]
            if not all(site and role for site, _, role in pairs):
                raise InvalidInput("--at needs a site and a role.", hint="As in --at shop=editor.")
            given["sites"] = {site: role for site, _, role in pairs}
    return given


def _roles(view: Any) -> str:
    parts = [] if view.role is None else [str(view.role)]
    return ", ".join(parts + [f"{role} at {site}" for site, role in view.sites.items()])


def _shown(view: Any, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.email} {what}.")
