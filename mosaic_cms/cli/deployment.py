"""``mosaic init`` and ``mosaic migrate``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    config_path,
    counted,
    escaped,
    operator,
    print_json,
    progress_bar,
    reporting,
    say,
)
from mosaic_core.errors import Conflict

_CONFIG = """\
# A MOSAIC deployment. Every key, with its default, is described in docs/configuration.md.

[platform]
name = "MOSAIC"
domain = "localhost"            # every tenant has <slug>.<domain>
data = "data"                   # relative to this file
plugins = ["host_resolvers", "tenancy_sqlite", "storage_local"]   # for mail: "mail_smtp"

[serve]
host = "127.0.0.1"
port = 8000
workers = 1
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the new deployment.")],
    as_json: AsJson = False,
) -> None:
    """Make a deployment: a mosaic.toml and an empty platform database."""
    from mosaic_cms.migrating import migrate_platform
    from mosaic_core.settings import CONFIG_NAME, load_settings

    path = folder / CONFIG_NAME
    with reporting(as_json=as_json):
        if path.exists():
            raise Conflict(f"{path} exists already.", hint="Choose another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_CONFIG, "utf-8")
        asyncio.run(migrate_platform(load_settings(path)))
    if as_json:
        print_json({"config": str(path)})
    else:
        say(f"[green]✓[/] A deployment in [bold]{folder}[/]. Next:")
        say(f"  cd {folder}\n  mosaic tenant create hello --name 'Hello'\n  mosaic serve")


def migrate(
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on although something went wrong before.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Ask every tenant's own database where it is.")
    ] = False,
    blocks: Annotated[
        bool,
        typer.Option("--blocks", help="Bring stored blocks forward to what their types are now."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the platform database and every tenant to the current revision, in waves.

    It pauses at the first failures."""
    from mosaic_cms.migrating import migrate_platform, migrate_tenants, upgrade_blocks
    from mosaic_core.settings import load_settings

    async def work() -> dict[str, Any]:
        settings = load_settings(config_path())
        revision = await migrate_platform(settings)
        with progress_bar("Migrating", quiet=as_json) as progress:
            done = await migrate_tenants(
                settings, progress, operator(), resume=resume, verify=verify
            )
            result: dict[str, Any] = {"platform": revision, **done}
            if blocks and not (done["failed"] or done["busy"]):
                result["blocks"] = await upgrade_blocks(settings, progress, operator())
        return result

    with reporting(as_json=as_json):
        result = asyncio.run(work())
    if as_json:
        print_json(result)
    else:
        _tell(result)
    if result["failed"] or result["busy"]:
        raise typer.Exit(1)


def _tell(result: dict[str, Any]) -> None:
    for what in result["corrected"]:
        say(f"[yellow]![/] {escaped(what)}")
    migrated = counted(len(result["migrated"]), "tenant")
    say(f"[green]✓[/] platform {result['platform']}; {migrated} migrated.")
    for slug in result["unrendered"]:
        say(f"  {slug} is suspended: run 'mosaic render -s {slug}' once it is open again.")
    for slug, reason in (result["failed"] | result["busy"]).items():
        say(f"[red]✗[/] {slug}: {escaped(reason)}")
    for slug, upgraded in result.get("blocks", {}).items():
        if upgraded.changed:
            say(f"  {slug}: the blocks of {upgraded.changed} pages and shared blocks came forward.")
        for notice in upgraded.left:
            say(f"[yellow]![/] {slug}: {escaped(notice.where)}: {escaped(notice.what)} stays.")
    if result["failed"]:
        say(
            f"[yellow]![/] Paused in the wave {result['wave']!r}; {result['waiting']} tenants wait."
            " Mend what is named, then run 'mosaic migrate --resume'."
        )
    elif result["busy"]:
        say("  Run 'mosaic migrate' again once that has ended.")
