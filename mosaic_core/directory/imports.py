"""Tenants that are made of bundles and that nobody knows yet.

Each is noted before anything of it is made, with an id that no tenant had before, in this
installation or another. So an import that was broken off is found again, what it left is known to
be its own, and an id that was given up is never somebody's: what there is of it may be removed at
any time.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnExpressionArgument, or_, select

from mosaic_core.directory.leases import Lease, lost
from mosaic_core.directory.remains import remove_rows
from mosaic_core.directory.slugs import require_not_kept, slug_taken
from mosaic_core.directory.tables import ImportRow, TenantRow
from mosaic_core.errors import Conflict
from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.types import new_id

if TYPE_CHECKING:
    from mosaic_core.directory.directory import Directory

#: For how long somebody may go on with an import that was broken off.
PATIENCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a bundle is to become; the same wish again is the same import."""

    bundle_id: uuid.UUID
    slug: str
    name: str
    tier: str


class Imports:
    """The imports that have not come to their end."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def begin(self, wish: Wish, *, actor: str) -> TenantContext:
        """The tenant that a bundle becomes: the one that an earlier try began, or a new one. Who
        works at it takes its lease first.

        Raises:
            Conflict: the slug is taken, maybe by a tenant that is deleted or that was renamed, or
                somebody makes a tenant of another bundle under it at the moment.
        """

        async def fn(write: Write) -> str:
            there = select(TenantRow).where(TenantRow.slug == wish.slug)
            if (row := await write.session.scalar(there)) is not None:
                raise _in_the_way(row)
            await require_not_kept(write, "", wish.slug)
            there_too = (ImportRow.slug == wish.slug, ~ImportRow.given_up)
            begun = select(ImportRow.tenant_id).where(
                ImportRow.bundle_id == wish.bundle_id, ImportRow.tier == wish.tier, *there_too
            )
            others = select(ImportRow.tenant_id).where(*there_too)
            tenant_id = await write.session.scalar(begun)
            for other in await write.session.scalars(others):
                if other != tenant_id and await self._directory.leases.held_in(write, other):
                    raise slug_taken(wish.slug)
            if tenant_id is None:
                tenant_id = new_id().hex
                write.session.add(
                    ImportRow(
                        tenant_id=tenant_id,
                        bundle_id=wish.bundle_id,
                        slug=wish.slug,
                        tier=wish.tier,
                        at=write.at,
                        given_up=False,
                    )
                )
            return tenant_id

        tenant_id = await self._directory.note(fn, actor=actor, action="imports.begin")
        return TenantContext(tenant_id, wish.slug, wish.name, wish.tier)

    async def require(self, lease: Lease) -> None:
        """Raises LeaseLost when somebody ended it, or took the lease; asked before each effect."""
        await self._directory.leases.require(lease)
        async with self._directory.database.session() as session:
            row = await session.get(ImportRow, lease.tenant.tenant_id)
        if row is None or row.given_up:
            raise lost(lease)

    async def end(self, write: Write, lease: Lease) -> None:
        """In the write that makes the tenant known."""
        await lease.require(write)
        row = await write.session.get(ImportRow, lease.tenant.tenant_id)
        if row is None or row.given_up:
            raise lost(lease)
        await write.session.delete(row)

    async def give_up(self, lease: Lease) -> bool:
        """From here on nobody goes on with it, and what there is of it is removed without asking.
        False when that is too late: the tenant is known.

        Raises:
            LeaseLost: somebody else goes on with it.
        """

        async def fn(write: Write) -> bool:
            await lease.require(write)
            row = await write.session.get(ImportRow, lease.tenant.tenant_id)
            if row is None:
                return False
            row.given_up = True
            return True

        return await self._directory.note(fn, actor="system", action="imports.give_up")

    async def forget(self, tenant: TenantContext) -> None:
        """There is nothing left of one that was given up; what was noted of it goes as well."""

        async def fn(write: Write) -> None:
            await remove_rows(write.session, tenant.tenant_id)

        await self._directory.note(fn, actor="system", action="imports.forget")

    async def going(self, now: datetime) -> list[str]:
        """The ids of the tenants of imports that somebody may go on with, or that were given up."""
        query = select(ImportRow.tenant_id).where(
            or_(ImportRow.given_up, ImportRow.at >= now - PATIENCE)
        )
        async with self._directory.database.session() as session:
            return list(await session.scalars(query))

    async def given_up(self) -> list[TenantContext]:
        """The tenants of imports that were given up, and of which something may be left."""
        return await self._tenants(ImportRow.given_up)

    async def abandoned(self, now: datetime) -> list[TenantContext]:
        """The tenants of imports that nobody ended in a week."""
        return await self._tenants(~ImportRow.given_up, ImportRow.at < now - PATIENCE)

    async def _tenants(self, *where: ColumnExpressionArgument[bool]) -> list[TenantContext]:
        async with self._directory.database.session() as session:
            rows = await session.scalars(select(ImportRow).where(*where))
            return [TenantContext(row.tenant_id, row.slug, row.slug, row.tier) for row in rows]


def _in_the_way(row: TenantRow) -> Conflict:
    if row.status != TenantStatus.DELETED:
        return Conflict(
            f"The tenant {row.slug!r} is there already.",
            hint="Import the bundle under another slug, with --as.",
        )
    return Conflict(
        f"The tenant {row.slug!r} is deleted, and not removed yet.",
        hint=f"Have it back with 'mosaic tenant recover {row.slug}', or import the bundle under "
        "another slug, with --as.",
    )
