"""Plugins for tests, made of functions instead of distributions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from importlib_metadata import EntryPoint

from mosaic_core.hooks import hookimpl
from mosaic_core.plugins import GROUP, Installed, Plugins, installed

SHIPPED = ("host_resolvers", "tenancy_sqlite", "storage_local")


def plugins_with(
    monkeypatch: pytest.MonkeyPatch, **hooks_of: dict[str, Callable[[], Any]]
) -> Plugins:
    """The shipped plugins, and one more for each keyword: its hooks by name."""
    available = installed()
    for name, hooks in hooks_of.items():
        module = ModuleType(f"plugin_{name}")
        module.HOOK_API = ">=1,<2"  # type: ignore[attr-defined]
        for hook, function in hooks.items():
            setattr(module, hook, _as_hook(hook, function))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        entry_point = EntryPoint(name, module.__name__, GROUP)
        available[name] = Installed(name, f"dist-{name}", "1.0", entry_point)
    return Plugins((*SHIPPED, *hooks_of), available)


def _as_hook(name: str, function: Callable[[], Any]) -> Callable[[], Any]:
    def hook() -> Any:
        return function()

    hook.__name__ = name
    return hookimpl(hook)
