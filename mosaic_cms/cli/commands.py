"""``mosaic``: the commands and where they are."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Annotated

import typer

from mosaic_cms.cli import (
    accounts,
    actions,
    audit,
    bundles,
    comments,
    content,
    deployment,
    domains,
    exports,
    forms,
    health,
    keys,
    mails,
    media,
    members,
    menus,
    moves,
    pages,
    plugins,
    redirects,
    releases,
    search,
    serving,
    shared,
    sites,
    sso,
    tenants,
    why,
)
from mosaic_cms.cli.running import CONFIG_VARIABLE

app = typer.Typer(
    name="mosaic",
    help="MOSAIC: a plugin-based, multi-tenant content platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
tenants.app.command("move")(moves.move)
tenants.app.command("move-status")(moves.move_status)
tenants.app.command("move-cancel")(moves.move_cancel)
app.add_typer(tenants.app, name="tenant", help="Make tenants, suspend, export, move them.")
app.add_typer(members.app, name="member", help="Who belongs to a tenant, and as what.")
app.add_typer(keys.app, name="key", help="API keys: make, list, revoke.")
app.add_typer(domains.app, name="domain", help="Domains of a tenant: name, prove, remove.")
app.add_typer(sso.app, name="sso", help="The issuer that a tenant's people sign in with.")
app.add_typer(accounts.app, name="account", help="Accounts of people: list, make, close.")
app.add_typer(pages.app, name="page", help="Edit, arrange, compare and publish pages.")
app.add_typer(releases.app, name="release", help="Publish several pages at once.")
app.add_typer(forms.app, name="form", help="What visitors sent: list, export, delete.")
app.add_typer(comments.app, name="comment", help="What imports kept: list, delete.")
app.add_typer(mails.app, name="mail", help="Mail that has not got out; trying again, a test.")
app.add_typer(sites.app, name="site", help="Make, set up and delete sites.")
app.add_typer(menus.app, name="menu", help="Show and change menus.")
app.add_typer(redirects.app, name="redirect", help="List, add, remove and import redirects.")
app.add_typer(media.app, name="media", help="The media library: files, folders, versions, the bin.")
app.add_typer(shared.app, name="shared", help="Make, edit and publish shared blocks.")
app.add_typer(content.app, name="import", help="Get content in.")
app.add_typer(exports.app, name="export", help="Get content out.")
app.add_typer(bundles.app, name="bundle", help="Look at bundles: whole tenants as files.")
app.add_typer(actions.app, name="action", help="Everything that can be done, by its name.")
app.add_typer(plugins.maker, name="plugin", help="Write a plugin.")
app.command("init")(deployment.init)
app.command("migrate")(deployment.migrate)
app.command("render")(sites.render)
app.command("search")(search.search)
app.command("serve")(serving.serve)
app.command("demo")(serving.demo)
app.command("plugins")(plugins.show_plugins)
app.command("doctor")(health.doctor)
app.command("why")(why.why)
app.command("audit")(audit.audit)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"mosaic {distribution_version('mosaic-cms')}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The mosaic.toml to use, or its folder."),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Shows the version."),
    ] = False,
) -> None:
    """Options before the command."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)


def run() -> None:
    """Runs the command of this process. Plugins' own are added when their name is asked for."""
    known = {command.name for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    if words and words[0] not in known:
        plugins.add_commands(app)
    elif words:  # to make all the other commands takes longer than most of them run
        app.registered_commands = [x for x in app.registered_commands if x.name == words[0]]
        app.registered_groups = [x for x in app.registered_groups if x.name == words[0]]
    app()
