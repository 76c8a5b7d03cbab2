"""``mosaic page``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    print_json,
    run,
    say,
    show_table,
    site_scope,
)

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
PagePath = Annotated[str, typer.Argument(help="The page's path, such as /visit/hours/.")]


def _perform(name: str, site: str, given: dict[str, Any], *, as_json: bool) -> Any:
    async def work(product: Product) -> Any:
        scope, key = site_scope(product, site)
        return await product.actions.perform(name, scope, {**given, "site": key})

    return run(work, as_json=as_json)


@app.command("list")
def list_all(site: SiteOption, as_json: AsJson = False) -> None:
    """List a site's pages."""
    views = _perform("pages.list", site, {}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.path, v.title, v.layout, v.state, f"{v.updated_at:%Y-%m-%d %H:%M}") for v in views]
    show_table(f"{len(rows)} pages", ("path", "title", "layout", "state", "updated"), rows)


@app.command("show")
def show(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Show a page's draft."""
    view = _perform("pages.show", site, {"path": path}, as_json=as_json)
    if as_json:
        print_json(view)
        return
    facts = view.model_dump(mode="json", exclude={"body", "details"}) | view.details
    show_table(view.title, ("", ""), [(key, str(value)) for key, value in facts.items()])
    typer.echo(f"\n{view.body}")


@app.command("publish")
def publish(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Make a page's draft what visitors see."""
    view = _perform("pages.publish", site, {"path": path}, as_json=as_json)
    _shown(view, as_json=as_json)


@app.command("unpublish")
def unpublish(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Take a page from visitors; its draft stays."""
    view = _perform("pages.unpublish", site, {"path": path}, as_json=as_json)
    _shown(view, as_json=as_json)


@app.command("delete")
def delete(path: PagePath, site: SiteOption, as_json: AsJson = False) -> None:
    """Delete a page that no page stands below."""
    view = _perform("pages.delete", site, {"path": path}, as_json=as_json)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.path} is deleted.")


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] {view.path} is now: {view.state}.")
