"""Loading plugins: name by name from an allow-list, loudly.

What configuration does not name is never imported; names and versions of what else is installed are
read from the distributions' metadata.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pluggy
from importlib_metadata import EntryPoint, distributions
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import BaseModel

from mosaic_core import hooks
from mosaic_core.errors import (
    PluginConflict,
    PluginError,
    PluginImportFailed,
    PluginIncompatible,
    PluginInvalid,
    PluginNotFound,
)
from mosaic_core.provider import Provider
from mosaic_core.settings_problems import nearest

GROUP = "mosaic"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin as its distribution's metadata describe it; nothing was imported."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint
    #: Other distributions that register the same name; one too many to choose from.
    rivals: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(slots=True)
class PluginReport:
    """A row of ``mosaic plugins``. ``state`` is selected, available or refused."""

    name: str
    distribution: str
    version: str
    state: str
    hooks: list[str] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One declaration, and the plugin that it came from."""

    plugin: Installed
    value: Any


def installed() -> dict[str, Installed]:
    """Every installed plugin by name, without importing any."""
    found: dict[str, Installed] = {}
    for distribution in distributions():
        for entry_point in distribution.entry_points.select(group=GROUP):
            name, version = distribution.name, distribution.version
            known = found.setdefault(
                entry_point.name, Installed(entry_point.name, name, version, entry_point)
            )
            if name not in (known.distribution, *known.rivals):
                found[known.name] = replace(known, rivals=(*known.rivals, name))
    return found


class Plugins:
    """The selected plugins, loaded; one typed question for each hook.

    Args:
        selected: names, in the order of configuration.
        available: what is installed; by default, what the environment says.

    Raises:
        PluginError: naming the plugin, its distribution and what to do.
    """

    def __init__(
        self, selected: Sequence[str], available: dict[str, Installed] | None = None
    ) -> None:
        self._available = installed() if available is None else available
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        for specification in hooks.SPECIFICATIONS:
            self._manager.add_hookspecs(specification())
        self._loaded: dict[str, Installed] = {}
        self._offers: dict[str, list[Offer]] = {hook: [] for hook in hook_types()}
        for name in selected:
            self._load(name)
        for hook, returned in hook_types().items():
            if _element(returned)[0] is Provider:
                self.providers(hook)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._loaded)

    def providers(self, hook: str) -> dict[str, tuple[Installed, Provider[Any]]]:
        """What the selected plugins provide for a hook, by provider name."""
        found: dict[str, tuple[Installed, Provider[Any]]] = {}
        for offer in self._offers[hook]:
            other = found.setdefault(offer.value.name, (offer.plugin, offer.value))
            if other[1] is not offer.value:
                raise PluginConflict(
                    f"{hook} has two providers named {offer.value.name!r}: from "
                    f"{other[0].origin} and from {offer.plugin.origin}.",
                    hint="Select one of the two plugins in [platform] plugins.",
                )
        return found

    def offers(self, hook: str) -> list[Offer]:
        """Every declaration for a hook, in the order of configuration."""
        return list(self._offers[hook])

    def report(self) -> Iterator[PluginReport]:
        """What is installed, and what of it is in use."""
        for name, plugin in sorted(self._available.items()):
            row = PluginReport(name, plugin.distribution, plugin.version, "available")
            if name in self._loaded:
                row.state = "selected"
                row.hooks = sorted(_implementations(self._manager.get_plugin(name)))
            elif plugin.rivals:
                row.state, row.reason = "refused", _rivalry(plugin)
            yield row

    def _load(self, name: str) -> None:
        if name in self._loaded:
            raise PluginConflict(
                f"The plugin {name!r} is selected twice.", hint="Name it once in plugins."
            )
        plugin = self._available.get(name)
        if plugin is None:
            raise PluginNotFound(
                f"The plugin {name!r} is not installed{nearest(name, self._available)}",
                hint="Install its distribution, or take the name out of [platform] plugins.",
            )
        if plugin.rivals:
            raise PluginConflict(_rivalry(plugin), hint="Uninstall all but one of them.")
        module = _imported(plugin)
        _check_api(plugin, module)
        _check_hooks(plugin, module)
        try:
            self._manager.register(module, name=name)
        except pluggy.PluginValidationError as error:
            raise PluginInvalid(
                f"The plugin {name!r} of {plugin.origin} does not fit its hook: {error}."
            ) from error
        self._loaded[name] = plugin
        for hook, function in _implementations(module).items():
            self._offers[hook] += [Offer(plugin, v) for v in _declared(hook, function, plugin)]


def examine(selected: Sequence[str]) -> list[PluginReport]:
    """Loads the selected plugins one after another, however many are refused, and says of every
    installed one what became of it."""
    available = installed()
    accepted: list[str] = []
    refused: dict[str, PluginReport] = {}
    for name in selected:
        try:
            Plugins((*accepted, name), available)
        except PluginError as error:
            plugin = available.get(name)
            origin = (plugin.distribution, plugin.version) if plugin else ("", "")
            refused[name] = PluginReport(name, *origin, "refused", reason=str(error))
        else:
            accepted.append(name)
    rows = {row.name: row for row in Plugins(accepted, available).report()} | refused
    return [rows[name] for name in sorted(rows)]


def hook_types() -> dict[str, Any]:
    """What each hook of the specifications returns, by the hook's name."""
    return {
        name: get_type_hints(function)["return"]
        for specification in hooks.SPECIFICATIONS
        for name, function in vars(specification).items()
        if hasattr(function, f"{hooks.PROJECT}_spec")
    }


def _rivalry(plugin: Installed) -> str:
    return (
        f"The plugin {plugin.name!r} is registered by two distributions: "
        f"{' and '.join((plugin.distribution, *plugin.rivals))}."
    )


def _imported(plugin: Installed) -> ModuleType:
    try:
        module = importlib.import_module(plugin.entry_point.value)
    except (Exception, SystemExit) as error:
        raise PluginImportFailed(
            f"The plugin {plugin.name!r} of {plugin.origin} does not import: "
            f"{type(error).__name__}: {error}.",
            hint=f"Reinstall {plugin.distribution}, or take {plugin.name!r} out of plugins.",
        ) from error
    return module


def _check_api(plugin: Installed, module: ModuleType) -> None:
    supported = getattr(module, "HOOK_API", None)
    if not isinstance(supported, str):
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {plugin.origin} does not say which hook API it "
            f"supports.",
            hint=f'Add HOOK_API = ">={hooks.HOOK_API},<{int(hooks.HOOK_API) + 1}" to '
            f"{plugin.entry_point.value}.",
        )
    try:
        fits = SpecifierSet(supported).contains(hooks.HOOK_API)
    except InvalidSpecifier as error:
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {plugin.origin} has the HOOK_API {supported!r}, "
            f"which is no version range.",
            hint='Write it as in ">=1,<2".',
        ) from error
    if not fits:
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {plugin.origin} supports the hook API {supported}; "
            f"this MOSAIC has {hooks.HOOK_API}.",
            hint=f"Install a version of {plugin.distribution} made for this MOSAIC.",
        )


def _implementations(module: ModuleType | None) -> dict[str, Callable[[], Any]]:
    """What a module marked with ``@hookimpl``, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isroutine(value) and hasattr(value, f"{hooks.PROJECT}_impl")
    }


def _check_hooks(plugin: Installed, module: ModuleType) -> None:
    known = hook_types()
    marked = _implementations(module)
    for name, function in vars(module).items():
        if name in known and name not in marked and inspect.isfunction(function):
            raise PluginInvalid(
                f"{name} of {plugin.origin} is not marked as a hook.",
                hint="Write @hookimpl above it, or rename it.",
            )
    for name, function in marked.items():
        if name not in known:
            raise PluginInvalid(
                f"The plugin {plugin.name!r} of {plugin.origin} implements {name!r}, which is no "
                f"hook{nearest(name, known)}",
                hint="Rename the function or remove @hookimpl.",
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginInvalid(
                f"{name} of {plugin.origin} is async; a hook is called once, at start-up.",
                hint="Return a declaration, and do the work where it is opened.",
            )


def _declared(hook: str, function: Callable[[], Any], plugin: Installed) -> list[Any]:
    """Calls one implementation and checks what it returned against the specification."""
    try:
        value = function()
    except (Exception, SystemExit) as error:
        raise PluginInvalid(
            f"{hook} of {plugin.origin} failed: {type(error).__name__}: {error}."
        ) from error
    expected = hook_types()[hook]
    origin, many = _element(expected)
    values = value if many else [value]
    if not isinstance(values, list) or not all(_fits(item, origin) for item in values):
        found = [type(item).__name__ for item in values] if isinstance(values, list) else values
        shown = f"a list of {', '.join(found)}" if many and isinstance(values, list) else ""
        raise PluginInvalid(
            f"{hook} of {plugin.origin} returned {shown or type(value).__name__}; "
            f"it must return {_named(expected)}.",
            hint="docs/hooks.md shows an example.",
        )
    for item in values:
        if isinstance(item, Provider):
            _check_provider(hook, item, plugin)
    return values


def _check_provider(hook: str, provider: Provider[Any], plugin: Installed) -> None:
    settings: Any = provider.settings
    wrong = {
        "name must be a text that is not empty": isinstance(provider.name, str) and provider.name,
        "settings must be a pydantic model": isinstance(settings, type)
        and issubclass(settings, BaseModel),
        "open must be a function": callable(provider.open),
    }
    for what, fits in wrong.items():
        if not fits:
            raise PluginInvalid(f"{hook} of {plugin.origin} returned a Provider whose {what}.")


def _element(expected: Any) -> tuple[Any, bool]:
    """The class that a declaration must have (``Any`` for whatever), and whether it is a list."""
    many = get_origin(expected) is list
    element = get_args(expected)[0] if many else expected
    return get_origin(element) or element, many


def _fits(value: Any, expected: Any) -> bool:
    if expected is collections.abc.Callable:
        return callable(value)
    return expected is Any or isinstance(value, expected)


def _named(expected: Any) -> str:
    return re.sub(r"\b(?:\w+\.)+", "", str(expected))
