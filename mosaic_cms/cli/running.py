"""What every command shares: opening the product, showing results, saying what went wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from mosaic_core.errors import InvalidInput, MosaicError

if TYPE_CHECKING:
    from rich.progress import Progress

    from mosaic_cms.product import Product
    from mosaic_cms.scope import Actor, TenantScope

T = TypeVar("T")

CONFIG_VARIABLE = "MOSAIC_CONFIG"
#: Characters that stay in one line in the first column of a table.
_WHOLE = 24
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SiteOption = Annotated[
    str, typer.Option("--site", "-s", help="The tenant's slug, or slug/site for another site.")
]


def config_path() -> Path:
    """The mosaic.toml in use: --config, the environment, or the one in this folder."""
    return Path(os.environ.get(CONFIG_VARIABLE, "mosaic.toml"))


def operator() -> Actor:
    """Whoever runs this command."""
    from mosaic_cms.scope import Actor

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Actor("operator", name)


def run(work: Callable[[Product], Awaitable[T]], *, as_json: bool) -> T:
    """Opens the product for one command; errors are shown and end it with status 1."""

    async def opened() -> T:
        from mosaic_cms.product import open_product
        from mosaic_core.settings import load_settings

        async with open_product(load_settings(config_path())) as product:
            return await work(product)

    with reporting(as_json=as_json):
        return asyncio.run(opened())


@contextmanager
def reporting(*, as_json: bool) -> Iterator[None]:
    """Shows an error of ours as a message, never as a traceback."""
    try:
        yield
    except MosaicError as error:
        fail(error, as_json=as_json)


def fail(error: MosaicError, *, as_json: bool) -> NoReturn:
    """Shows an error and ends the command with status 1."""
    from mosaic_cms.cli import conflicts

    if as_json:
        shown: dict[str, Any] = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        if isinstance(error, InvalidInput) and error.problems:
            shown["problems"] = [list(problem) for problem in error.problems]
        shown |= conflicts.facts_of(error)
        print_json({"error": shown})
    else:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]error:[/] {escaped(error.message)}", soft_wrap=True)
        conflicts.show(error, console)
        if error.hint:
            console.print(f"       {escaped(error.hint)}", soft_wrap=True)
    raise typer.Exit(1)


def print_json(value: Any) -> None:
    """Prints a value as JSON; models become objects."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; plain text when nobody looks."""
    table = Table(title=title, title_justify="left", header_style="bold blue", box=None)
    used = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    for place in used or range(len(columns)):  # one that is empty takes the room of the others
        # What a row is known by is typed elsewhere: it stays in one piece where that can be.
        whole = place == 0 and all(len(row[0]) <= _WHOLE for row in rows)
        table.add_column(columns[place], overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(escaped(row[place]) for place in used))
    Console(highlight=False).print(table)


def say(text: str) -> None:
    """A line for people, with Rich's markup."""
    Console(highlight=False).print(text, soft_wrap=True)


def counted(number: int, what: str, several: str | None = None) -> str:
    """``1 page``, ``2 pages``, ``0 entries``."""
    return f"{number} {what if number == 1 else several or what + 's'}"


def escaped(text: str) -> str:
    """Text in which nothing is Rich's markup."""
    from rich.markup import escape

    return escape(text)


def site_scope(product: Product, site: str) -> tuple[TenantScope, str | None]:
    """The scope and site key that ``--site slug`` or ``--site slug/key`` names."""
    slug, _, key = site.partition("/")
    tenant = product.platform.directory.named(slug)
    return product.scope(tenant, operator()), key or None


def perform_at(
    name: str,
    site: str,
    given: dict[str, Any],
    *,
    as_json: bool,
    named: bool = True,
    title: str | None = None,
    seen: tuple[str, dict[str, Any]] | None = None,
) -> Any:
    """Performs an action for the site that ``--site`` names.

    Args:
        named: the action's input has the site's key.
        title: of a bar, for what may take over a second.
        seen: the action that shows what is changed, and its input, where the change is typed and
            not in a file: it is based on what is there at this moment, if on nothing else.
    """

    async def work(product: Product) -> Any:
        scope, key = site_scope(product, site)
        own = {"site": key} if named else {}
        whole = given | own
        if seen is not None and whole.get("based_on") is None:
            show, which = seen
            view = await product.actions.perform(show, scope, which | own)
            whole["based_on"] = view.revision
        with progress_bar(title or "", quiet=as_json or title is None) as progress:
            return await product.actions.perform(
                name, dataclasses.replace(scope, progress=progress), whole
            )

    return run(work, as_json=as_json)


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for what may take over a second; its function takes what, done, of how many."""
    if quiet:
        yield lambda what, done, of: None
        return
    tasks: dict[str, Any] = {}
    with ExitStack() as shown:
        bar: Progress | None = None

        def told(what: str, done: int, of: int) -> None:
            nonlocal bar
            if bar is None:  # what takes no time has nothing to tell, and waits for no bar
                bar = shown.enter_context(_bar())
            if what not in tasks:
                tasks[what] = bar.add_task(f"{title}: {what}", total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield told


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    # Where nobody looks it would leave an empty line.
    return Progress(*columns, transient=True, console=console, disable=not console.is_interactive)
