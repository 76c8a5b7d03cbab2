"""``mosaic plugins`` and ``mosaic plugin new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosaic_cms.cli.running import (
    AsJson,
    config_path,
    counted,
    fail,
    print_json,
    reporting,
    say,
    show_table,
)
from mosaic_core.errors import MosaicError

maker = typer.Typer(no_args_is_help=True)


def show_plugins(as_json: AsJson = False) -> None:
    """List what is installed, selected and refused, with versions, hooks and reasons."""
    from mosaic_core.plugins import examine
    from mosaic_core.settings import load_settings

    with reporting(as_json=as_json):
        rows = examine(load_settings(config_path()).platform.plugins)
    if as_json:
        print_json(
            [
                {
                    "name": row.name,
                    "distribution": row.distribution,
                    "version": row.version,
                    "state": row.state,
                    "hooks": row.hooks,
                    "reason": row.reason,
                }
                for row in rows
            ]
        )
    else:
        show_table(
            "Plugins",
            ("name", "distribution", "version", "state", "hooks", "reason"),
            [
                (r.name, r.distribution, r.version, r.state, ", ".join(r.hooks), r.reason)
                for r in rows
            ],
        )
    if any(row.state == "refused" for row in rows):
        raise typer.Exit(1)


@maker.callback()
def making() -> None:
    """For those who write plugins."""


@maker.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Its name, such as storage_attic.")],
    kind: Annotated[str, typer.Option(help="resolver, storage or tables.")] = "storage",
    folder: Annotated[Path, typer.Option(help="Where to make its folder.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a working, tested, typed plugin distribution to start from."""
    from mosaic_cms.scaffold import write_plugin

    try:
        files = write_plugin(name, kind, folder)  # type: ignore[arg-type]
    except MosaicError as error:
        fail(error, as_json=as_json)
    if as_json:
        print_json([str(file) for file in files])
    else:
        made = counted(len(files), "file")
        say(f"[green]✓[/] {name} has {made} in [bold]{folder / name}[/]. Next:")
        say(f"  pip install -e {folder / name} && pytest {folder / name}")


def add_commands(app: typer.Typer) -> None:
    """Adds the selected plugins' command groups, when there is a configuration."""
    from mosaic_core.plugins import Plugins
    from mosaic_core.settings import load_settings

    if not config_path().exists():
        return
    with reporting(as_json=False):
        selected = Plugins(load_settings(config_path()).platform.plugins)
        for offer in selected.offers("mosaic_commands"):
            name, group = offer.value
            app.add_typer(group, name=name)
