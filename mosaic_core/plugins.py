"""Loading plugins: name by name from an allow-list, loudly.

What configuration does not name is never imported; names and versions of what else is installed are
read from the distributions' metadata.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pluggy
from importlib_metadata import EntryPoint, distributions
from packaging.specifiers import InvalidSpecifier, SpecifierSet

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
from mosaic_core.settings import nearest

GROUP = "mosaic"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin as its distribution's metadata describe it; nothing was imported."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint


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
    """Every installed plugin by name, without importing any.

    Raises:
        PluginConflict: two distributions register one name.
    """
    found: dict[str, Installed] = {}
    for distribution in distributions():
        for entry_point in distribution.entry_points:
            if entry_point.group != GROUP:
                continue
            plugin = Installed(
                entry_point.name, distribution.name, distribution.version, entry_point
            )
            other = found.setdefault(plugin.name, plugin)
            if other.distribution != plugin.distribution:
                raise PluginConflict(
                    f"The plugin {plugin.name!r} is registered by two distributions: "
                    f"{other.distribution} and {plugin.distribution}.",
                    hint="Uninstall one of them.",
                )
    return found


class Plugins:
    """The selected plugins, loaded; one typed question for each hook.

    Args:
        selected: names, in the order of configuration.
        available: what is installed; by default, what the environment says.
    """

    def __init__(
        self, selected: Sequence[str], available: dict[str, Installed] | None = None
    ) -> None:
        self._available = installed() if available is None else available
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        for specification in hooks.SPECIFICATIONS:
            self._manager.add_hookspecs(specification())
        self._loaded: dict[str, Installed] = {}
        for name in selected:
            self._load(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._loaded)

    def providers(self, hook: str) -> dict[str, tuple[Installed, Provider[Any]]]:
        """What the selected plugins provide for a hook, by provider name.

        Raises:
            PluginConflict: two of them provide one name.
        """
        found: dict[str, tuple[Installed, Provider[Any]]] = {}
        for offer in self.offers(hook):
            provider: Provider[Any] = offer.value
            if provider.name in found:
                raise PluginConflict(
                    f"{hook} has two providers named {provider.name!r}: from "
                    f"{_origin(found[provider.name][0])} and from {_origin(offer.plugin)}.",
                    hint="Select one of the two plugins in [platform] plugins.",
                )
            found[provider.name] = (offer.plugin, provider)
        return found

    def offers(self, hook: str) -> list[Offer]:
        """Every declaration for a hook, in the order of configuration."""
        offers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            plugin = self._loaded[implementation.plugin_name]
            offers += [Offer(plugin, value) for value in _declared(hook, implementation, plugin)]
        order = list(self._loaded)
        return sorted(offers, key=lambda offer: order.index(offer.plugin.name))

    def report(self) -> Iterator[PluginReport]:
        """What is installed, and what of it is in use."""
        for name, plugin in sorted(self._available.items()):
            row = PluginReport(name, plugin.distribution, plugin.version, "available")
            if name in self._loaded:
                row.state = "selected"
                module = self._manager.get_plugin(name)
                row.hooks = [caller.name for caller in self._manager.get_hookcallers(module) or ()]
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
        module = _imported(plugin)
        _check_api(plugin, module)
        self._manager.register(module, name=name)
        self._loaded[name] = plugin
        _check_hooks(self._manager, plugin, module)


def examine(selected: Sequence[str]) -> list[PluginReport]:
    """Loads each selected plugin by itself and says of every installed one what became of it."""
    available = installed()
    rows: dict[str, PluginReport] = {row.name: row for row in Plugins((), available).report()}
    for name in selected:
        try:
            found = {row.name: row for row in Plugins((name,), available).report()}
            rows[name] = found[name]
            loaded = Plugins((name,), available)
            for hook in found[name].hooks:
                loaded.offers(hook)
        except PluginError as error:
            plugin = available.get(name)
            row = PluginReport(
                name,
                plugin.distribution if plugin else "",
                plugin.version if plugin else "",
                "refused",
                reason=str(error),
            )
            rows[name] = row
    return [rows[name] for name in sorted(rows)]


def _imported(plugin: Installed) -> ModuleType:
    try:
        module = importlib.import_module(plugin.entry_point.value)
    except Exception as error:
        raise PluginImportFailed(
            f"The plugin {plugin.name!r} of {_origin(plugin)} does not import: "
            f"{type(error).__name__}: {error}.",
            hint=f"Reinstall {plugin.distribution}, or take {plugin.name!r} out of plugins.",
        ) from error
    return module


def _check_api(plugin: Installed, module: ModuleType) -> None:
    supported = getattr(module, "HOOK_API", None)
    if not isinstance(supported, str):
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {_origin(plugin)} does not say which hook API it "
            f"supports.",
            hint=f'Add HOOK_API = ">={hooks.HOOK_API},<{int(hooks.HOOK_API) + 1}" to '
            f"{plugin.entry_point.value}.",
        )
    try:
        fits = SpecifierSet(supported).contains(hooks.HOOK_API)
    except InvalidSpecifier as error:
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {_origin(plugin)} has the HOOK_API {supported!r}, "
            f"which is no version range.",
            hint='Write it as in ">=1,<2".',
        ) from error
    if not fits:
        raise PluginIncompatible(
            f"The plugin {plugin.name!r} of {_origin(plugin)} supports the hook API {supported}; "
            f"this MOSAIC has {hooks.HOOK_API}.",
            hint=f"Install a version of {plugin.distribution} made for this MOSAIC.",
        )


def _check_hooks(manager: pluggy.PluginManager, plugin: Installed, module: ModuleType) -> None:
    known = {name for spec in hooks.SPECIFICATIONS for name in vars(spec) if name[:7] == "mosaic_"}
    for name, function in vars(module).items():
        if getattr(function, f"{hooks.PROJECT}_impl", None) is None:
            continue
        if name not in known:
            raise PluginInvalid(
                f"The plugin {plugin.name!r} of {_origin(plugin)} implements {name!r}, which is no "
                f"hook{nearest(name, known)}",
                hint="Rename the function or remove @hookimpl.",
            )
        if inspect.iscoroutinefunction(function):
            raise PluginInvalid(
                f"{name} of {_origin(plugin)} is async; a hook is called once, at start-up.",
                hint="Return a declaration, and do the work where it is opened.",
            )
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginInvalid(f"The plugin {plugin.name!r} of {_origin(plugin)}: {error}.") from error


def _declared(hook: str, implementation: Any, plugin: Installed) -> list[Any]:
    """Calls one implementation and checks what it returned against the specification."""
    try:
        value = implementation.function()
    except Exception as error:
        raise PluginInvalid(
            f"{hook} of {_origin(plugin)} failed: {type(error).__name__}: {error}."
        ) from error
    expected = _return_type(hook)
    many = get_origin(expected) is list
    element = get_args(expected)[0] if many else expected
    values = value if many else [value]
    if not isinstance(values, list) or not all(_fits(item, element) for item in values):
        raise PluginInvalid(
            f"{hook} of {_origin(plugin)} returned {type(value).__name__}; "
            f"it must return {_named(expected)}."
        )
    return values


def _return_type(hook: str) -> Any:
    for specification in hooks.SPECIFICATIONS:
        function: Callable[..., Any] | None = vars(specification).get(hook)
        if function is not None:
            return get_type_hints(function)["return"]
    raise LookupError(hook)


def _fits(value: Any, expected: Any) -> bool:
    origin = get_origin(expected) or expected
    if expected is Any:
        return True
    if origin is type:
        return isinstance(value, type)
    if origin is Callable or getattr(origin, "__name__", "") == "Callable":
        return callable(value)
    return isinstance(value, origin)


def _named(expected: Any) -> str:
    return str(expected).replace("mosaic_core.provider.", "").replace("mosaic_core.", "")


def _origin(plugin: Installed) -> str:
    return f"{plugin.distribution} {plugin.version}"
