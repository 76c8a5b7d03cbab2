"""What plugins that add to the product import: actions, themes, blocks and routes.

Everything else of :mod:`mosaic_cms` may change from one version to the next; a provider of a
contract (tenancy, storage, …) needs :mod:`mosaic_core` alone. A plugin that adds an action::

    from mosaic_cms.sdk import Model, Permission, TenantScope, action, hookimpl

    HOOK_API = ">=1,<2"

    class Greet(Model):
        name: str

    class Greeting(Model):
        text: str

    @action("greetings.greet", needs=Permission("read", "content"), effect="read")
    async def greet(scope: TenantScope, command: Greet) -> Greeting:
        "Greets somebody in the tenant's name."
        return Greeting(text=f"{scope.tenant.name} greets {command.name}.")

    @hookimpl
    def mosaic_actions():
        return [greet]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mosaic_cms.actions import Model, action
from mosaic_cms.blocks.base import (
    Block,
    Line,
    Link,
    Markdown,
    Media,
    Nested,
    PageReference,
    Part,
    RawHtml,
    RichText,
    Shared,
    Text,
    Words,
)
from mosaic_cms.declared import Effect
from mosaic_cms.rights import Permission
from mosaic_cms.scope import Actor, PlatformScope, TenantScope
from mosaic_core.errors import Conflict, Denied, InvalidInput, MosaicError, NotFound
from mosaic_core.head import Write
from mosaic_core.hooks import HOOK_API, ThemeFolder, hookimpl
from mosaic_core.tenants import Limits, TenantContext
from mosaic_core.testing.asgi import Findings

if TYPE_CHECKING:
    from starlette.requests import Request

    from mosaic_cms.api.plugin_routes import Call


def call_of(request: Request) -> Call:
    """See :func:`mosaic_cms.api.plugin_routes.call_of`: who sent a request to a plugin's route."""
    from mosaic_cms.api import plugin_routes

    return plugin_routes.call_of(request)


def check_isolation(folder: Path, **options: Any) -> Findings:
    """See :func:`mosaic_cms.isolation.check_isolation`: tries whether, with a plugin, one tenant's
    people get anything of another's."""
    from mosaic_cms import isolation

    return isolation.check_isolation(folder, **options)


__all__ = [
    "HOOK_API",
    "Actor",
    "Block",
    "Conflict",
    "Denied",
    "Effect",
    "InvalidInput",
    "Limits",
    "Line",
    "Link",
    "Markdown",
    "Media",
    "Model",
    "MosaicError",
    "Nested",
    "NotFound",
    "PageReference",
    "Part",
    "Permission",
    "PlatformScope",
    "RawHtml",
    "RichText",
    "Shared",
    "TenantContext",
    "TenantScope",
    "Text",
    "ThemeFolder",
    "Words",
    "Write",
    "action",
    "call_of",
    "check_isolation",
    "hookimpl",
]
