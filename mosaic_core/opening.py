"""Opening a platform: its database, and what the selected plugins provide."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic import ValidationError

from mosaic_core.cache import Cache
from mosaic_core.database import History, TenantSchema
from mosaic_core.directory import open_directory
from mosaic_core.errors import ConfigurationError, InvalidMail, MosaicError, PluginInvalid
from mosaic_core.identity import ways_of
from mosaic_core.mail import Mailer
from mosaic_core.news import News
from mosaic_core.platform import Platform, platform_database, platform_history
from mosaic_core.plugins import Installed, Plugins
from mosaic_core.provider import PlatformServices, Provider
from mosaic_core.resolution import TenantResolver
from mosaic_core.settings import Settings
from mosaic_core.settings_problems import nearest, problems
from mosaic_core.shared_cache import SharedCache

#: Seconds that a plugin may take to close what it opened.
CLOSING = 10.0
_log = logging.getLogger("mosaic.plugins")


@asynccontextmanager
async def open_platform(
    settings: Settings,
    schema: TenantSchema,
    *,
    plugins: Plugins | None = None,
    history: History | None = None,
) -> AsyncIterator[Platform]:
    """Opens the selected providers in order and closes them in reverse.

    Args:
        history: the migrations of the platform database, when it has more than the kernel's tables.

    Raises:
        PluginError, ConfigurationError: naming the plugin and what to do.
        DatabaseMissing, DatabaseBehind, DatabaseNewer: of the platform database.
    """
    plugins = plugins or Plugins(settings.platform.plugins)
    _check_tables(settings, plugins)
    async with AsyncExitStack() as stack:
        common = settings.platform
        database = platform_database(settings, history or platform_history())
        stack.push_async_callback(database.close)
        directory = await stack.enter_async_context(
            open_directory(database, common.domain, common.freshness, common.lease)
        )
        platform = Platform(settings, plugins, schema, directory)
        services = PlatformServices(settings.data_dir, directory, schema, settings.tiers)
        resolvers: dict[str, TenantResolver] = {}
        mailers: dict[str, Mailer] = {}
        caches: dict[str, Cache] = {}
        opened: dict[str, dict[str, Any]] = {
            "mosaic_persistence": platform.strategies,
            "mosaic_storage": platform.storages,
            "mosaic_tenant_resolvers": resolvers,
            "mosaic_mail": mailers,
            "mosaic_identity": platform.identity,
            "mosaic_cache": caches,
        }
        mailer = _chosen_mailer(settings, plugins)
        _require_one_cache(plugins)
        for hook, target in opened.items():
            for name, (plugin, provider) in plugins.providers(hook).items():
                if target is mailers and name != mailer:
                    continue
                given = settings.plugins.get(plugin.name, {})
                try:
                    own = provider.settings.model_validate(given)
                except ValidationError as error:
                    raise ConfigurationError(
                        problems(error, f"[plugins.{plugin.name}]", provider.settings)
                    ) from error
                target[name] = await _open(stack, plugin, provider, own, services)
        for name in settings.platform.resolvers:
            if name not in resolvers:
                raise ConfigurationError(
                    f"There is no tenant resolver {name!r}{nearest(name, resolvers)}",
                    hint="Select the plugin that provides it, or take it out of resolvers.",
                )
            platform.resolvers.append(resolvers[name])
        platform.ways = ways_of(platform.identity)
        if mailer is not None:
            platform.mailer = mailers[mailer]
            _check_sender(platform)
        for name, cache in caches.items():
            platform.cache = standing_in = SharedCache(name, cache)
            platform.shared = standing_in.watched
            platform.news = News(platform.cache, platform.heads, directory)
            platform.writing.news = platform.news
            directory.moved = platform.news.tell
            await stack.enter_async_context(platform.news.telling())
        yield platform


async def _open(
    stack: AsyncExitStack,
    plugin: Installed,
    provider: Provider[Any],
    settings: Any,
    services: PlatformServices,
) -> Any:
    """What a provider opens, closed with the stack. Whatever it does, its name is told; one that
    cannot be closed, or does not come to an end with it, keeps no other open and no process up.

    Raises:
        PluginInvalid: it cannot be opened, and does not say why in an error of ours.
    """
    name = f"{provider.name!r} of the plugin {plugin.name!r} of {plugin.origin}"
    try:
        opening = provider.open(settings, services)
        opened = await opening.__aenter__()
    except MosaicError:
        raise
    except Exception as error:
        raise PluginInvalid(
            f"{name} cannot be opened: {type(error).__name__}: {error}.",
            hint=f"Look at its settings in [plugins.{plugin.name}], or take {plugin.name!r} out "
            "of plugins.",
        ) from error

    async def close(*error: Any) -> None:
        try:
            async with asyncio.timeout(CLOSING):
                await opening.__aexit__(*error)
        except TimeoutError:
            _log.error("%s was not closed within %g s, and is left as it is", name, CLOSING)
        except Exception as own:  # noqa: BLE001 - whatever it is, the rest is closed
            if own is not error[1]:
                _log.exception("%s cannot be closed", name)

    stack.push_async_exit(close)
    return opened


def _check_sender(platform: Platform) -> None:
    try:
        _ = platform.sender
    except InvalidMail as error:
        raise ConfigurationError(
            f"Mail cannot be sent in the platform's name: {error.message}",
            hint="Set address and name in [mail].",
        ) from error


def _chosen_mailer(settings: Settings, plugins: Plugins) -> str | None:
    """What sends mail, by name: what is configured, or the one that there is."""
    offered, wanted = plugins.providers("mosaic_mail"), settings.mail.provider
    if wanted is not None and wanted not in offered:
        raise ConfigurationError(
            f"There is no mail provider {wanted!r}{nearest(wanted, offered)}",
            hint="Select the plugin that provides it, or take provider out of [mail].",
        )
    if wanted is None and len(offered) > 1:
        raise ConfigurationError(
            f"Several of the selected plugins send mail: {', '.join(sorted(offered))}.",
            hint="Say which of them does, with provider in [mail].",
        )
    return wanted or next(iter(offered), None)


def _require_one_cache(plugins: Plugins) -> None:
    offered = plugins.providers("mosaic_cache")
    if len(offered) > 1:
        raise ConfigurationError(
            f"Several of the selected plugins share a cache: {', '.join(sorted(offered))}.",
            hint="Select one of them in [platform] plugins.",
        )


def _check_tables(settings: Settings, plugins: Plugins) -> None:
    for name in settings.plugins:
        if name not in plugins.names:
            raise ConfigurationError(
                f"There are settings for the plugin {name!r}, which is not selected"
                f"{nearest(name, plugins.names)}",
                hint="Add it to [platform] plugins, or remove the table.",
            )
