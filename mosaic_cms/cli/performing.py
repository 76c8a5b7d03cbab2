"""``mosaic perform``: any action by its name, also those of plugins, which have no command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.media_content import content_of
from mosaic_cms.cli.running import AsJson, operator, print_json, run, say, show_table
from mosaic_core.errors import InvalidInput

if TYPE_CHECKING:
    from mosaic_cms.actions import Action
    from mosaic_cms.product import Product


def perform(
    name: Annotated[
        str | None, typer.Argument(metavar="ACTION", help="As in pages.publish; none lists all.")
    ] = None,
    given: Annotated[
        str, typer.Argument(metavar="INPUT", help="A JSON object; - reads one from the input.")
    ] = "{}",
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="The tenant's slug.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="What an action takes as bytes."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where a file is put that is made.")] = None,
    as_json: AsJson = False,
) -> None:
    """Perform an action, as the API does, and print what it answers."""

    async def work(product: Product) -> Any:
        if name is None:
            return list(product.actions)
        action = product.actions.get(name)
        command = _object(sys.stdin.read() if given == "-" else given)
        if file is not None:
            command[_takes_bytes(action)] = content_of(file)
        return await product.actions.perform(name, _scope(product, action, tenant), command)

    found = run(work, as_json=as_json)
    if name is None:
        _listed(found, as_json=as_json)
    elif hasattr(found, "chunks"):
        _saved(found, out, as_json=as_json)
    else:
        print_json(found)


def _scope(product: Product, action: Action, tenant: str | None) -> Any:
    from mosaic_cms.scope import PlatformScope

    if action.scope is PlatformScope:
        return product.platform_scope(operator())
    if tenant is None:
        raise InvalidInput(
            f"It is not said for which tenant {action.name} is.",
            hint="Add --tenant and its slug.",
        )
    return product.scope(product.platform.directory.named(tenant), operator())


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"The input is no JSON: {error}.", hint="""Write it as in '{"path": "/visit/"}'."""
        ) from error
    if not isinstance(found, dict):
        raise InvalidInput("The input is no object.", hint="""As in '{"path": "/visit/"}'.""")
    return found


def _takes_bytes(action: Action) -> str:
    from mosaic_cms.incoming import Incoming

    for name, field in action.input.model_fields.items():
        if field.annotation is Incoming:
            return name
    raise InvalidInput(f"{action.name} takes no file.", hint="Leave out --file.")


def _listed(actions: list[Action], *, as_json: bool) -> None:
    facts = [(one.name, str(one.needs), one.summary) for one in actions]
    if as_json:
        print_json([dict(zip(("name", "needs", "summary"), row, strict=True)) for row in facts])
    else:
        show_table(f"{len(facts)} actions", ("action", "needs", "what it does"), facts)


def _saved(made: Any, out: Path | None, *, as_json: bool) -> None:
    with made.file as source:
        path = out or Path(made.name)
        try:
            with path.open("xb") as target:
                while chunk := source.read(1024 * 1024):
                    target.write(chunk)
        except FileExistsError as error:
            raise typer.BadParameter(f"{path} is there already.") from error
    if as_json:
        print_json({"path": str(path), "size": made.size})
    else:
        say(f"[green]✓[/] {path}")
