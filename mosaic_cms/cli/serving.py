"""``mosaic serve`` and ``mosaic demo``."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosaic_cms.cli.running import (
    CONFIG_VARIABLE,
    AsJson,
    config_path,
    print_json,
    progress_bar,
    reporting,
    say,
)
from mosaic_core.errors import ConfigurationError

if TYPE_CHECKING:
    from mosaic_core.settings import ServeSettings, Settings

#: What makes the application that visitors are served by.
APPLICATION = "mosaic_cms.app:create_app"

Port = Annotated[int | None, typer.Option(envvar="PORT", help="The port; 0 takes a free one.")]


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Port = None,
    workers: Annotated[int | None, typer.Option(help="Processes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve every tenant's sites."""
    from mosaic_core.settings import load_settings

    with reporting(as_json=as_json):
        settings = load_settings(config_path())
        given = {"host": host, "port": port, "workers": workers}
        chosen = settings.serve.model_copy(
            update={key: value for key, value in given.items() if value is not None}
        )
        chosen = _free(chosen)
        asyncio.run(_opens(settings.model_copy(update={"serve": chosen})))
        os.environ[CONFIG_VARIABLE] = str(config_path().absolute())
        address = f"http://{chosen.host}:{chosen.port}/"
        if as_json:
            print_json({"address": address, "workers": chosen.workers})
        else:
            say(
                f"Serving *.{settings.platform.domain} on [bold]{address}[/] "
                f"with {chosen.workers} worker{'s' * (chosen.workers != 1)}. Ctrl-C stops."
            )
        run_server(APPLICATION, chosen)


def demo(
    port: Port = None,
    data: Annotated[Path, typer.Option(help="Where its data is kept.")] = Path("data/demo"),
    as_json: AsJson = False,
) -> None:
    """Serve three sites: a museum, a bakery and an engineering blog."""
    from mosaic_cms.demo import deployment, tenants_of

    os.environ["MOSAIC_PLATFORM__DATA"] = str(data.absolute())
    with reporting(as_json=as_json):
        settings, prepare = deployment()
        chosen = settings.serve.model_copy(update={"port": 8000 if port is None else port})
        chosen = _free(chosen)
        with progress_bar("Preparing", quiet=as_json) as progress:
            prepare(progress)
        os.environ[CONFIG_VARIABLE] = str(settings.root.absolute())
        sites = {
            slug: f"http://{slug}.{settings.platform.domain}:{chosen.port}/"
            for slug in tenants_of(settings)
        }
        if as_json:
            print_json({"data": str(data.absolute()), "sites": sites})
        else:
            say(f"Three sites, their data in [bold]{data}[/]:\n")
            for address in sites.values():
                say(f"  [bold cyan]{address}[/]")
            say(f"\nMail goes no further than {data}/mail. Ctrl-C stops.")
        run_server(APPLICATION, chosen)


def _free(chosen: ServeSettings) -> ServeSettings:
    """The settings with a port that can be listened on.

    Raises:
        ConfigurationError: the port or address is not to be had.
    """
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((chosen.host, chosen.port))
        except OSError as error:
            raise ConfigurationError(
                f"{chosen.host}:{chosen.port} cannot be listened on: {error.strerror}.",
                hint="Stop what uses it, or choose another with --port or PORT.",
            ) from error
        return chosen.model_copy(update={"port": probe.getsockname()[1]})


def run_server(target: str, chosen: ServeSettings) -> None:
    """Runs the web server until it is stopped. ``target`` names a function that makes the ASGI
    application, as ``module:function``."""
    import uvicorn

    # The processes that serve read it there: links in mail lead to it.
    os.environ["MOSAIC_SERVE__PORT"] = str(chosen.port)
    # The server ends by the signal that stopped it; to be asked to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        target,
        factory=True,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        loop="uvloop",
        http="mosaic_cms.web.server:Protocol",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        # Whom to believe about hosts and addresses is a setting of the application.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )


async def _opens(settings: Settings) -> None:
    """Raises what keeps the platform, or the whole product, from opening: here it is told as it
    should be, and no worker of several would be started again and again to say the same."""
    from mosaic_cms.identity.secrets import open_secrets
    from mosaic_cms.product import open_product, platform_schema, tenant_schema
    from mosaic_cms.themes import THEMES_CHECKED
    from mosaic_core.opening import open_platform
    from mosaic_core.plugins import Plugins

    if settings.serve.workers > 1:
        async with open_product(settings) as product:
            open_secrets(settings)
            product.themes.check(settings.data_dir / THEMES_CHECKED)
    else:
        plugins = Plugins(settings.platform.plugins)
        schema, history = tenant_schema(plugins), platform_schema()
        async with open_platform(settings, schema, plugins=plugins, history=history):
            open_secrets(settings)  # last: without a platform there is nowhere to keep one
