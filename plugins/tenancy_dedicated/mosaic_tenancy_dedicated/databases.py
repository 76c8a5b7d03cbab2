"""The strategy itself: each tenant has a database of its own, in a place that the operator gave, or
one that is made for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.errors import DatabaseError
from mosaic_core.persistence import Capabilities, HeadState, Persistence, Problem, Rows, Stray
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.tenants import TenantContext


class TenantDatabases:
    """Implements :class:`mosaic_core.persistence.Persistence`.

    A tenant that gets another slug is looked for where the configuration has it under that one.

    Args:
        made: where a tenant's database is made that was given none.
        given: where the others are, by their slugs.
    """

    def __init__(self, made: Persistence, given: Mapping[str, Persistence]) -> None:
        self._made = made
        self._given = given
        every = [place.capabilities for place in (made, *given.values())]
        self.capabilities = Capabilities(
            single_host=any(one.single_host for one in every),
            verifies_pages=all(one.verifies_pages for one in every),
        )

    def _place(self, tenant: TenantContext) -> Persistence:
        return self._given.get(tenant.slug, self._made)

    def session(self, tenant: TenantContext) -> AbstractAsyncContextManager[AsyncSession]:
        return self._place(tenant).session(tenant)

    def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        return self._place(tenant).exclusive(tenant, reserve=reserve, deferred=deferred)

    async def head(self, tenant: TenantContext, *, behind: bool = False) -> HeadState:
        return await self._place(tenant).head(tenant, behind=behind)

    def glance(self, tenant: TenantContext) -> HeadState | None:
        return self._place(tenant).glance(tenant)

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        return await self._place(tenant).published(tenant, query, parameters)

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        return await self._place(tenant).search(tenant, query)

    async def size(self, tenant: TenantContext) -> int:
        return await self._place(tenant).size(tenant)

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        await self._place(tenant).provision(tenant, rows)

    async def revision(self, tenant: TenantContext) -> str:
        return await self._place(tenant).revision(tenant)

    async def migrate(self, tenant: TenantContext) -> str:
        return await self._place(tenant).migrate(tenant)

    async def compact(self, tenant: TenantContext) -> None:
        await self._place(tenant).compact(tenant)

    async def drop(self, tenant: TenantContext) -> None:
        await self._place(tenant).drop(tenant)

    async def check(self, tenant: TenantContext) -> list[Problem]:
        return await self._place(tenant).check(tenant)

    async def strays(self, known: Collection[str]) -> list[Stray]:
        """Those everywhere. A place that an operator gave and that cannot be looked at does not
        keep the others from being."""
        found = await self._made.strays(known)
        for slug, place in self._given.items():
            try:
                found += [_under(slug, stray) for stray in await place.strays(known)]
            except DatabaseError as error:
                problem = Problem(f"given.{slug}", error.message, error.hint)
                found.append(Stray(problem))
        return found


def _under(slug: str, stray: Stray) -> Stray:
    """A stray whose home is found, since a place is found by its slug."""
    home = stray.home and dataclasses.replace(stray.home, slug=slug)
    return dataclasses.replace(stray, home=home)
