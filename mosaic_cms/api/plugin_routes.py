"""Routes of plugins below ``/api/``: what is no action, such as another protocol.

A route does what it does by performing actions, in the name of whoever asks: so it has the rights,
the limits and the audit of every other face, and a check cannot be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from mosaic_cms.api.about import PREFIX, SAFETY
from mosaic_cms.api.callers import Caller, Callers, scope_of
from mosaic_cms.api.requests import body_of
from mosaic_cms.api.shown import forget_bad, require_good_cookie
from mosaic_cms.product import Product
from mosaic_core.errors import PluginConflict, PluginInvalid
from mosaic_core.tenants import TenantContext

_PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
#: Below which plugins have routes, each in a folder of its own.
ROOT = "/api/"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a plugin's route, and who sent it.

    Attributes:
        tenant: whom it is about; None on the platform's own hosts when nothing names one.
        site: the key of the site whose host it was sent to.
    """

    tenant: TenantContext | None
    site: str | None
    _product: Product
    _caller: Caller

    async def perform(self, name: str, given: dict[str, Any]) -> Any:
        """Performs an action for whoever asks.

        Raises:
            HttpError: it is about a tenant, and none is named.
            MosaicError: what :meth:`mosaic_cms.actions.Actions.perform` raises; a route that lets
                it pass answers with the problem that it is.
        """
        actions = self._product.actions
        scope = scope_of(self._product, actions.get(name), self._caller)
        return await actions.perform(name, scope, given)


def call_of(request: Request) -> Call:
    """Who sent a request to a plugin's route."""
    call: Call = request.state.call
    return call


class PluginRoutes:
    """What the selected plugins serve.

    Args:
        failed: what is answered for an error; it is logged, if it has to be.

    Raises:
        PluginInvalid: a route is none, or is elsewhere than below ``/api/``.
        PluginConflict: two plugins have one folder.
    """

    def __init__(
        self,
        product: Product,
        callers: Callers,
        failed: Callable[[Request, Exception, bool], Response],
    ) -> None:
        self._product = product
        self._callers = callers
        self._failed = failed
        self._owners: dict[str, str] = {}
        self._routes = [
            self._checked(offer.plugin.name, offer.value)
            for offer in product.platform.plugins.offers("mosaic_routes")
        ]

    def are_at(self, path: str) -> bool:
        """Whether a path is in a plugin's folder."""
        return path.startswith(ROOT) and path.split("/", 3)[2] in self._owners

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route(route.path, partial(self._answer, route.endpoint), methods=route.methods)
            for route in self._routes
        ]

    def asked(self, names: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
        """Methods and paths of all of them, with each name wherever a path has a parameter; without
        names, of those that are asked with ``GET`` and name nothing."""
        known = list(names)
        for route in self._routes:
            named = _PARAMETER.search(route.path) is not None
            paths = (_PARAMETER.sub(quote(name, safe=""), route.path) for name in known)
            for path in paths if named else (route.path,):
                for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                    if known or method == "GET":
                        yield method, path

    def _checked(self, plugin: str, route: Any) -> Route:
        if not isinstance(route, Route):
            raise PluginInvalid(
                f"mosaic_routes of {plugin} returns {route!r}, which is no route.",
                hint="Return starlette.routing.Route objects.",
            )
        folder = route.path.removeprefix(ROOT).partition("/")[0]
        if not route.path.startswith(ROOT) or not folder or f"/api/{folder}" == PREFIX:
            raise PluginInvalid(
                f"mosaic_routes of {plugin} has the route {route.path!r}.",
                hint=f"Routes of plugins are below {ROOT}, beside {PREFIX}, as in /api/{plugin}.",
            )
        owner = self._owners.setdefault(folder, plugin)
        if owner != plugin:
            raise PluginConflict(
                f"The plugins {owner!r} and {plugin!r} both serve /api/{folder}.",
                hint="Select one of them.",
            )
        return route

    async def _answer(self, endpoint: Callable[[Request], Any], request: Request) -> Response:
        known = True
        try:
            caller = await self._callers.of(request)
            known = caller.principal is not None
            require_good_cookie(request)
            content = await body_of(request)
            asked = Request(request.scope, partial(_sent, content))
            asked.state.call = Call(caller.tenant, caller.site, self._product, caller)
            response: Response = await endpoint(asked)
        except Exception as error:  # noqa: BLE001 - a caller gets a reference, the log the cause
            response = self._failed(request, error, known)
        for name, value in SAFETY.items():
            response.headers.setdefault(name, value)
        return forget_bad(request, response)


async def _sent(content: bytes) -> Message:
    """A body that is there."""
    return {"type": "http.request", "body": content, "more_body": False}
