"""``mosaic mail``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import AsJson, counted, operator, print_json, run, say, show_table

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
OfTenant = Annotated[str | None, typer.Option("--tenant", "-t", help="Of this tenant alone.")]
_COLUMNS = ("tenant", "id", "to", "written", "what became of it")


def _perform(name: str, given: dict[str, Any], *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        return await product.actions.perform(name, product.platform_scope(operator()), given)

    return run(work, as_json=as_json)


@app.command("list")
def list_all(tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """List the mails that have not got out, and why."""
    views = _perform("mails.list", {"tenant": tenant}, as_json=as_json)
    if as_json:
        print_json(views)
    else:
        _show(views)


@app.command("retry")
def retry(
    mail: Annotated[str | None, typer.Argument(help="Its id; all that failed without.")] = None,
    tenant: OfTenant = None,
    as_json: AsJson = False,
) -> None:
    """Try mails again that failed or were given up, now and as if they were new."""
    result = _perform("mails.retry", {"id": mail, "tenant": tenant}, as_json=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"[green]✓[/] {counted(result.sent, 'mail')} got out.")
        if result.left:
            _show(result.left)
    if result.left:
        raise typer.Exit(1)


@app.command("drop")
def drop(
    mail: Annotated[str, typer.Argument(help="Its id, as 'list' shows it.")],
    tenant: OfTenant = None,
    as_json: AsJson = False,
) -> None:
    """Have a mail never sent."""
    view = _perform("mails.drop", {"id": mail, "tenant": tenant}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The mail of {view.at:%Y-%m-%d %H:%M} to {view.to} is not sent any more.")


@app.command("test")
def send_test(
    address: Annotated[str, typer.Argument(help="Where it goes.")], as_json: AsJson = False
) -> None:
    """Send a mail now, to see whether mail gets through."""
    sent = _perform("mails.test", {"to": address}, as_json=as_json)
    if as_json:
        print_json(sent)
    else:
        say(f"[green]✓[/] A mail is on its way to {sent.to}.")


def _show(views: list[Any]) -> None:
    rows = [
        (
            view.tenant or "(platform)",
            str(view.id),
            view.to,
            f"{view.at:%Y-%m-%d %H:%M}",
            _told(view),
        )
        for view in views
    ]
    show_table(f"{counted(len(rows), 'mail')} not out yet", _COLUMNS, rows)


def _told(view: Any) -> str:
    """Its state in words, and why it is that."""
    state = str(view.state)
    if view.error:
        state += f" after {view.attempts} tries: {view.error}"
    return state if view.state != "failed" else f"{state} Next: {view.due:%Y-%m-%d %H:%M} UTC."
