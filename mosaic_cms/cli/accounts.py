"""``mosaic account``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, counted, operator, print_json, run, say, show_table

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
Address = Annotated[str, typer.Argument(help="The account's mail address.")]


def _perform(name: str, given: dict[str, Any], *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        return await product.actions.perform(name, product.platform_scope(operator()), given)

    return run(work, as_json=as_json)


@app.command("list")
def list_all(
    after: Annotated[str, typer.Option(help="Those whose address comes after this one.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List accounts by address."""
    views = _perform("accounts.list", {"after": after, "limit": limit}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(view.email, view.name, _state(view)) for view in views]
    show_table(counted(len(rows), "account"), ("address", "name", "state"), rows)


@app.command("show")
def show(address: Address, as_json: AsJson = False) -> None:
    """Show the account of an address."""
    view = _perform("accounts.find", {"email": address}, as_json=as_json)
    if as_json:
        print_json(view)
        return
    facts = view.model_dump(mode="json")
    show_table(view.email, ("", ""), [(key, str(value)) for key, value in facts.items()])


@app.command("create")
def create(
    address: Address,
    name: Annotated[str | None, typer.Option(help="Its name; the address when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an account for somebody, who gets a mail to set a password with."""
    given = {"email": address, "name": name or address[:100]}
    view = _perform("accounts.create", given, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.email} has an account; a mail with a link is on its way.")


@app.command("deactivate")
def deactivate(address: Address, as_json: AsJson = False) -> None:
    """Close an account: it is signed out, and nobody signs in to it."""
    _shown(_perform("accounts.deactivate", {"email": address}, as_json=as_json), as_json=as_json)


@app.command("activate")
def activate(address: Address, as_json: AsJson = False) -> None:
    """Open a closed account again."""
    _shown(_perform("accounts.activate", {"email": address}, as_json=as_json), as_json=as_json)


@app.command("reset-factor")
def reset_factor(address: Address, as_json: AsJson = False) -> None:
    """Have the password alone sign in again, for who has lost their second factor."""
    view = _perform("accounts.reset_factor", {"email": address}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.email} signs in with the password alone.")


@app.command("end-sessions")
def end_sessions(address: Address, as_json: AsJson = False) -> None:
    """Sign an account out everywhere."""
    ended = _perform("accounts.end_sessions", {"email": address}, as_json=as_json)
    if as_json:
        print_json(ended)
    else:
        count = f"; {ended.count} sessions have ended" if ended.count else ""
        say(f"[green]✓[/] {address} is signed out everywhere{count}.")


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.email} is {_state(view)}.")


def _state(view: Any) -> str:
    if not view.active:
        return "closed"
    return "open" if view.verified else "not verified"
