"""``If-Match``: nobody writes over what they have not seen (RFC 9110, 13.1.1).

Before a write, what it changes is looked at as a GET of the same path would. The write itself then
requires that nobody wrote between that look and itself, in the database that it writes to; if
somebody did, it is looked at again. So nothing comes in between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from mosaic_cms.api import answers, requests
from mosaic_cms.api.about import PREFIX
from mosaic_cms.api.callers import Caller, scope_of
from mosaic_cms.api.problems import HttpError
from mosaic_cms.api.shapes import Shape
from mosaic_cms.conditions import Conditions
from mosaic_cms.product import Product
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Stale

#: How often it is looked again, when others write all the time.
_LOOKS = 20
#: What a write may say of which one it changes, besides its path.
_WHICH = ("site", "language")


class Matching:
    """Looks whether something is still what a caller has seen."""

    def __init__(self, product: Product, shapes: Iterable[Shape]) -> None:
        self._product = product
        self._shown = {PREFIX + shape.path: shape for shape in shapes if shape.method == "GET"}

    async def begin(
        self, request: Request, caller: Caller, given: BaseModel, conditions: Conditions
    ) -> None:
        """Looks, where a request has ``If-Match``, and has its writes look again when they must.

        Raises:
            HttpError: nothing at the path has an entity tag.
            Stale: it is something else than the caller has seen.
        """
        wanted = request.headers.get("if-match")
        if wanted is None:
            return
        shape = self._shown.get(request.scope["route"].path)
        if shape is None or shape.downloads:
            raise HttpError(
                400, "no-entity-tag", "Nothing here has an entity tag.", hint="Leave out If-Match."
            )
        texts: dict[str, Any] = {n: requests.text(raw) for n, raw in request.path_params.items()}
        for name in _WHICH:
            value = getattr(given, name, None)
            if value is not None and name in shape.in_query:
                texts[name] = value
        looks = iter(range(_LOOKS))

        async def look() -> None:
            if next(looks, None) is None:
                raise HttpError(
                    503,
                    "busy",
                    "Others write all the time.",
                    hint="Try again in a moment.",
                )
            await self._look(shape, caller, wanted, dict(texts), conditions)

        conditions.look = look
        conditions.named = wanted.strip() != "*"
        await look()

    async def _look(
        self,
        shape: Shape,
        caller: Caller,
        wanted: str,
        texts: dict[str, Any],
        conditions: Conditions,
    ) -> None:
        platform = self._product.platform
        await platform.directory.refresh(now=True)
        conditions.platform = platform.directory.version
        if caller.tenant is not None:  # as it is now
            known = platform.directory.tenant(caller.tenant.tenant_id) or caller.tenant
            caller = dataclasses.replace(caller, tenant=known)
            home = await platform.at_home(known)
            if shape.action.scope is TenantScope:
                conditions.seen = (await platform.persistence(home).head(home)).version
        face = requests.first_page(shape, texts)
        scope = scope_of(self._product, shape.action, caller)
        result = await self._product.actions.perform(
            shape.action.name, scope, shape.command(texts, {})
        )
        value = answers.shaped(shape, result, face)
        if not answers.matches(wanted, answers.tag_of_value(value)):
            raise Stale("It is not any more what you have seen.", hint="Get it again, and merge.")
