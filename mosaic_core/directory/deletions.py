"""Deleting a tenant, in two steps: first nobody sees it any more, and it can be had back; later all
of it is removed, and a certificate says what that was."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.directory.leases import Lease
from mosaic_core.directory.remains import erase_images, remove_rows
from mosaic_core.directory.tables import DeletionRow, TenantRow
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.types import canonical_json, to_image

if TYPE_CHECKING:
    from mosaic_core.directory.directory import Directory

#: How long a deleted tenant can be had back.
PATIENCE = timedelta(days=30)
#: Versions of the change log that one write looks through.
_BATCH = 10_000
#: Where a deletion's row notes how far that has come.
_ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A tenant that was deleted and may still be there.

    Attributes:
        at: when, and ``actor`` by whom.
        due: when all of it is removed.
        status: that it had before.
        found: what there was, once its removal has begun.
    """

    tenant: TenantContext
    at: datetime
    actor: str
    due: datetime
    status: TenantStatus
    found: dict[str, Any] | None


class Deletions:
    """The tenants that were deleted, and the certificates of those that are gone."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def mark(self, tenant: TenantContext, lease: Lease, *, actor: str) -> Deletion:
        """The first step: from here on the tenant is not there, for anybody.

        Args:
            lease: for the tenant's deletion.
        """
        passed = await self._directory.clock.passed()

        async def fn(write: Write) -> None:
            await lease.require(write)
            row = await write.session.get(TenantRow, tenant.tenant_id)
            if row is None or row.status == TenantStatus.DELETED:
                raise NotFound(f"There is no tenant {tenant.slug!r}.")
            # By a clock that is behind, it would be over before it began.
            since = write.at if passed is None else max(write.at, passed)
            write.session.add(
                DeletionRow(
                    tenant_id=tenant.tenant_id,
                    at=write.at,
                    actor=actor,
                    due=since + PATIENCE,
                    status=row.status,
                )
            )
            row.status, row.changed = str(TenantStatus.DELETED), write.version

        await self._directory.write(fn, actor=actor, action="tenants.delete")
        return await self.named(tenant.slug)

    async def recover(
        self,
        deletion: Deletion,
        lease: Lease,
        *,
        actor: str,
        revision: str,
        beside: Callable[[Write], Awaitable[None]],
    ) -> None:
        """Has a tenant back as it was: the last step, since from here on everybody sees it.

        Args:
            revision: that its database is at.
            beside: notes more of it in the same write.

        Raises:
            Conflict: its removal has begun.
        """

        async def fn(write: Write) -> None:
            await lease.require(write)
            row, tenant = await _open(write.session, deletion)
            if row.found is not None:
                raise has_begun(deletion)
            tenant.status, tenant.changed = row.status, write.version
            tenant.revision = revision
            await beside(write)
            await write.session.delete(row)

        await self._directory.write(fn, actor=actor, action="tenants.recover")

    async def hasten(self, deletion: Deletion, *, actor: str) -> None:
        """Nobody waits any longer until it is removed."""

        async def fn(write: Write) -> None:
            row, _ = await _open(write.session, deletion)
            row.due = write.at

        await self._directory.write(fn, actor=actor, action="tenants.hasten")

    async def begin(self, deletion: Deletion, lease: Lease, found: dict[str, Any]) -> None:
        """Notes what there is before anything of it is removed; it cannot be had back then."""

        async def fn(write: Write) -> None:
            await lease.require(write)
            row, _ = await _open(write.session, deletion)
            row.found = found

        await self._directory.write(fn, actor="system", action="tenants.remove")

    async def erase(self, deletion: Deletion, lease: Lease) -> None:
        """Erases what the platform's change log has of a tenant, part by part, so that nobody waits
        for long; how far it came is noted with each."""

        async def fn(write: Write) -> bool:
            await lease.require(write)
            row, _ = await _open(write.session, deletion)
            images, after = _erased(row)
            to = min(after + _BATCH, write.version - 1)
            images += await erase_images(write, row.tenant_id, after=after, to=to)
            row.found = (row.found or {}) | {_ERASED: [images, to]}
            return to == write.version - 1

        while not await self._directory.write(fn, actor="system", action="tenants.erase"):
            pass

    async def finish(
        self,
        deletion: Deletion,
        lease: Lease,
        beside: Callable[[Write, str], Awaitable[dict[str, int]]],
    ) -> dict[str, Any]:
        """The last step: removes what the platform has of a tenant, what its log has since
        :meth:`erase`, and writes the certificate.

        Args:
            beside: removes what is not found by a column, in the same write; it tells how many rows
                of which tables.
        """

        async def fn(write: Write) -> dict[str, Any]:
            await lease.require(write)
            row, tenant = await _open(write.session, deletion)
            removed = await beside(write, row.tenant_id)
            for table, number in (await remove_rows(write.session, row.tenant_id)).items():
                removed[table] = removed.get(table, 0) + number
            images, after = _erased(row)
            images += await erase_images(write, row.tenant_id, after=after, to=write.version)
            found = {name: what for name, what in (row.found or {}).items() if name != _ERASED}
            facts = {
                "tenant_id": row.tenant_id,
                "slug": tenant.slug,
                "deleted_at": to_image(row.at),
                "deleted_by": row.actor,
                "removed_at": to_image(write.at),
                "found": found,
                "platform_rows": {name: n for name, n in sorted(removed.items()) if n},
                "erased_images": images,
            }
            digest = hashlib.sha256(canonical_json(facts).encode()).hexdigest()
            row.certificate = facts | {"sha256": digest}
            # It stays as the mark of one that was there: an instance that looks now and then has
            # to see that it went. No slug begins like this.
            tenant.slug, tenant.name, tenant.reason = f"-{row.tenant_id}", "", ""
            tenant.changed = write.version
            await self._directory.leases.end(write, lease)
            return row.certificate

        return await self._directory.write(fn, actor="system", action="tenants.removed")

    # What there is

    async def pending(self, by: datetime | None = None) -> list[Deletion]:
        """Tenants that are deleted and not yet removed, those first whose time comes first.

        Args:
            by: those alone that are due by then.
        """
        query = (
            select(DeletionRow, TenantRow)
            .join(TenantRow, TenantRow.tenant_id == DeletionRow.tenant_id)
            .where(DeletionRow.certificate.is_(None))
            .order_by(DeletionRow.due)
        )
        if by is not None:
            query = query.where(DeletionRow.due <= by)
        async with self._directory.database.session() as session:
            return [_deletion(row, tenant) for row, tenant in await session.execute(query)]

    async def named(self, slug: str) -> Deletion:
        """The deleted tenant of this slug.

        Raises:
            NotFound: there is none.
        """
        for deletion in await self.pending():
            if deletion.tenant.slug == slug:
                return deletion
        raise NotFound(
            f"There is no deleted tenant {slug!r}.",
            hint="'mosaic tenant list --deleted' shows those there are.",
        )

    async def again(self, deletion: Deletion) -> Deletion:
        """The same deletion as it is now.

        Raises:
            NotFound: the tenant was had back, or it is removed.
        """
        async with self._directory.database.session() as session:
            return _deletion(*await _open(session, deletion))

    async def certificates(self, tenant_id: str) -> list[dict[str, Any]]:
        """What was removed of a tenant.

        Raises:
            NotFound: nothing was.
        """
        query = select(DeletionRow.certificate).where(
            DeletionRow.tenant_id == tenant_id, DeletionRow.certificate.is_not(None)
        )
        async with self._directory.database.session() as session:
            found = list(await session.scalars(query.order_by(DeletionRow.at)))
        if not found:
            raise NotFound(
                f"No tenant {tenant_id!r} was removed.",
                hint="A certificate goes by the tenant's id, which 'mosaic tenant delete' shows.",
            )
        return found


def has_begun(deletion: Deletion) -> Conflict:
    """Says that a tenant cannot be had back any more."""
    return Conflict(
        f"The removal of {deletion.tenant.slug!r} has begun.",
        hint="Import a bundle of it, if there is one.",
    )


async def _open(session: AsyncSession, deletion: Deletion) -> tuple[DeletionRow, TenantRow]:
    key = (deletion.tenant.tenant_id, deletion.at)
    row = await session.get(DeletionRow, key)
    tenant = await session.get(TenantRow, deletion.tenant.tenant_id)
    if row is None or tenant is None or row.certificate is not None:
        raise _not_deleted(deletion)
    if tenant.status != TenantStatus.DELETED:
        raise _not_deleted(deletion)
    return row, tenant


def _not_deleted(deletion: Deletion) -> NotFound:
    return NotFound(f"{deletion.tenant.slug!r} is not deleted any more, or it is gone.")


def _erased(row: DeletionRow) -> tuple[int, int]:
    """How many images are erased, and up to which version."""
    images, to = (row.found or {}).get(_ERASED, (0, 0))
    return images, to


def _deletion(row: DeletionRow, tenant: TenantRow) -> Deletion:
    context = TenantContext(
        tenant.tenant_id,
        tenant.slug,
        tenant.name,
        tenant.tier,
        TenantStatus.DELETED,
        tenant.reason,
        tenant.epoch,
        tenant.database_schema,
    )
    return Deletion(context, row.at, row.actor, row.due, TenantStatus(row.status), row.found)
