"""``mosaic action``: everything that the product and its plugins can do, by its name."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    operator,
    print_json,
    progress_bar,
    reporting,
    run,
    say,
    show_table,
)
from mosaic_cms.incoming import Incoming
from mosaic_core.errors import InvalidInput

if TYPE_CHECKING:
    from mosaic_cms.declared import Action
    from mosaic_cms.download import Download
    from mosaic_cms.product import Product
    from mosaic_cms.scope import PlatformScope, TenantScope

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The action, as in pages.publish.")]


@app.command("list")
def list_all(
    text: Annotated[str, typer.Argument(help="What the name or the summary has in it.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the actions of the product and of the selected plugins."""

    async def work(product: Product) -> list[dict[str, Any]]:
        rows = [_described(found) for found in product.actions]
        return [row for row in rows if text.lower() in f"{row['name']} {row['summary']}".lower()]

    rows = run(work, as_json=as_json)
    if as_json:
        print_json(rows)
        return
    cells = [(r["name"], r["about"], r["needs"], r["summary"]) for r in rows]
    show_table(f"{len(rows)} actions", ("name", "about", "needs", "what it does"), cells)


@app.command("show")
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what an action takes."""

    async def work(product: Product) -> dict[str, Any]:
        found = product.actions.get(name)
        return {**_described(found), "input": found.input.model_json_schema()}

    shown = run(work, as_json=as_json)
    if as_json:
        print_json(shown)
        return
    say(f"[bold]{shown['name']}[/]  {shown['summary']}")
    say(f"about {shown['about']}, needs {shown['needs']}, {shown['http'] or 'no REST shape'}")
    required = shown["input"].get("required", [])
    fields = shown["input"].get("properties", {}).items()
    rows = [
        (field, _kind(kind), "yes" if field in required else json.dumps(kind.get("default")))
        for field, kind in fields
    ]
    show_table("", ("field", "kind", "required, or else"), rows)


@app.command("run")
def perform(
    name: Name,
    fields: Annotated[
        list[str] | None,
        typer.Argument(help="FIELD=VALUE; a value is JSON, or else a text as it stands."),
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Its slug.")] = None,
    given: Annotated[
        str | None, typer.Option("--input", "-i", help="A file with the input as JSON; - is stdin.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="The file that an action takes in, such as an upload's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where a file goes that it makes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Perform an action and print its result as JSON, with or without --json."""
    with reporting(as_json=as_json):
        whole = {**_read(given), **_fields(fields or [])}

    async def work(product: Product) -> Any:
        from mosaic_cms.download import Download

        found = product.actions.get(name)
        with progress_bar(name, quiet=as_json) as progress:
            scope = dataclasses.replace(_scope(product, found, tenant), progress=progress)
            if body is not None:
                whole[_taking(found)] = Incoming.of_file(body)
            result = await product.actions.perform(name, scope, whole)
            return await _saved(result, output) if found.output is Download else result

    print_json(run(work, as_json=as_json))


def _described(found: Action) -> dict[str, Any]:
    from mosaic_cms.scope import TenantScope

    return {
        "name": found.name,
        "about": "a tenant" if found.scope is TenantScope else "the platform",
        "needs": str(found.needs),
        "effect": found.effect,
        "http": found.http,
        "summary": found.summary,
    }


def _kind(schema: dict[str, Any]) -> str:
    """A field's kind in a word or two."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    named = schema.get("$ref", "").rpartition("/")[2]
    return named or schema.get("format") or schema.get("type") or "anything"


def _scope(product: Product, found: Action, tenant: str | None) -> PlatformScope | TenantScope:
    """Where it is performed.

    Raises:
        InvalidInput: a tenant is named that it is not about, or none that it is about.
    """
    from mosaic_cms.scope import TenantScope

    if found.scope is not TenantScope:
        if tenant is not None:
            raise InvalidInput(f"{found.name} is about no tenant.", hint="Leave --tenant out.")
        return product.platform_scope(operator())
    if tenant is None:
        raise InvalidInput(f"{found.name} is about a tenant.", hint="Add --tenant and its slug.")
    return product.scope(product.platform.directory.named(tenant), operator())


def _read(given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    try:
        text = sys.stdin.read() if given == "-" else Path(given).read_text("utf-8")
        read = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The input {given!r} cannot be read: {error}.") from error
    if not isinstance(read, dict):
        raise InvalidInput(f"The input {given!r} is no JSON object.", hint='As in {"path": "/"}.')
    return read


def _fields(texts: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{text!r} says no field's value.", hint="As in path=/about/.")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields


def _taking(found: Action) -> str:
    """The field that takes a file."""
    for name, field in found.input.model_fields.items():
        if field.annotation is Incoming:
            return name
    raise InvalidInput(f"{found.name} takes no file.", hint="Leave --body out.")


async def _saved(made: Download, output: Path | None) -> dict[str, Any]:
    """Puts a file where it was asked for, and never in another one's place."""
    path = Path(made.name) if output is None else output
    try:
        file = path.open("xb")
    except OSError as error:
        made.close()
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}.", hint="Name another with --output."
        ) from error
    try:
        with file:
            async for chunk in made.chunks():
                await asyncio.to_thread(file.write, chunk)
    except BaseException:
        path.unlink()
        raise
    return {"path": str(path), "size": made.size}
