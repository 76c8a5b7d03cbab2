"""Removes deleted tenants once their time has come: databases, files, and what the platform has of
them.

Each step may be done again, so a process that is killed leaves it to the next one. What there was
is noted before anything is removed, for the certificate.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from mosaic_cms.identity.tables import ApiKey, Invitation, KeyUse, SessionRow
from mosaic_cms.scope import SYSTEM
from mosaic_cms.unfinished import clear_scratch, remove_left
from mosaic_core.directory import Lease, Work
from mosaic_core.directory.deletions import Deletion
from mosaic_core.errors import (
    ConfigurationError,
    Conflict,
    DatabaseBehind,
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseNewer,
    LeaseTaken,
    NotFound,
)
from mosaic_core.head import PLATFORM, TENANT, Write
from mosaic_core.persistence import Persistence
from mosaic_core.storage import Storage

if TYPE_CHECKING:
    from mosaic_cms.product import Product
    from mosaic_core.tenants import TenantContext

#: Seconds between looks for tenants whose time has come.
LOOK = 60.0
#: Seconds until one is tried again that could not be removed, and between looks for what imports
#: left.
_PAUSE = 600.0
#: Nothing can be read there, and it can be removed all the same.
_UNREADABLE = (DatabaseBehind, DatabaseDamaged, DatabaseMissing, DatabaseNewer)
_log = logging.getLogger("mosaic.removal")


class Remover:
    """Any number of processes may run one: the lease says whose turn it is."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._deletions = product.platform.directory.deletions
        #: Tenants that could not be removed, and when they are tried again (monotonic seconds).
        self._troubled: dict[str, float] = {}

    async def run(self) -> None:
        """Removes what is due, for ever."""
        platform, looked = self._product.platform, float("-inf")
        while True:
            try:
                await self.remove_due()
                if time.monotonic() - looked > _PAUSE:
                    looked = time.monotonic()
                    await clear_scratch(platform)
                    await remove_left(platform, await platform.directory.clock.now())
            except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
                _log.exception("deleted tenants could not be looked for; trying again")
            await asyncio.sleep(LOOK)

    async def remove_due(self) -> int:
        """Removes every tenant whose time has come; returns how many."""
        done, now = 0, await self._product.platform.directory.clock.now()
        for deletion in await self._deletions.pending(now):
            tenant = deletion.tenant
            if self._troubled.get(tenant.tenant_id, 0.0) > time.monotonic():
                continue
            try:
                await self.remove(deletion)
                self._troubled.pop(tenant.tenant_id, None)
                done += 1
            except (LeaseTaken, NotFound):
                continue  # another process is at it, or was
            except Exception:  # noqa: BLE001 - it stays due
                self._troubled[tenant.tenant_id] = time.monotonic() + _PAUSE
                _log.exception("%s could not be removed; trying again", tenant.slug)
        return done

    async def remove(self, deletion: Deletion, *, patient: bool = False) -> dict[str, Any]:
        """Removes all of a deleted tenant; returns the certificate.

        Args:
            patient: waits for what a killed process was about.

        Raises:
            LeaseTaken: somebody is at it.
            NotFound: it was removed or had back meanwhile.
            Conflict: it left a home that the configuration does not name any more.
            DatabaseError, StorageError: something cannot be reached; what is left is removed next
                time.
        """
        leases, tenant = self._product.platform.directory.leases, deletion.tenant
        async with leases.held(tenant, Work.DELETION, holder=str(SYSTEM), patient=patient) as lease:
            await self._require_seen(tenant)
            certificate: dict[str, Any] = {}
            for step in self.steps:
                await leases.renew(lease)
                # What somebody else removed since it was looked for may have been made again.
                deletion = await self._deletions.again(deletion)
                certificate = await step(deletion, lease) or certificate
            return certificate

    async def _require_seen(self, tenant: TenantContext) -> None:
        """Where a tenant was moved from is looked through as well. What is kept there would stay
        for ever, since nobody would know of it any more."""
        platform = self._product.platform
        for move in await platform.moving.moves.keeping(tenant.tenant_id):
            for tier in (move.from_tier, move.to_tier):
                home = dataclasses.replace(tenant, tier=tier)
                try:
                    platform.persistence(home), platform.storage(home)
                except ConfigurationError as error:
                    raise Conflict(
                        f"{tenant.slug!r} has a home on the {tier} tier still, which would be left "
                        f"behind: {error.message}",
                        hint=error.hint,
                    ) from error

    @property
    def steps(self) -> tuple[Callable[[Deletion, Lease], Awaitable[dict[str, Any] | None]], ...]:
        """What is done, in this order."""
        return (
            self._survey,
            self._drop_databases,
            self._drop_files,
            self._deletions.erase,
            self._forget,
        )

    async def _survey(self, deletion: Deletion, lease: Lease) -> None:
        if deletion.found is None:
            tenant = deletion.tenant
            found = {
                "tier": tenant.tier,
                "epoch": tenant.epoch,
                "database": await self._database(tenant),
                "databases": [where async for where in self._there(tenant)],
                "files": await _files(self._product.platform.storage(tenant), tenant),
            }
            await self._deletions.begin(deletion, lease, found)

    async def _database(self, tenant: TenantContext) -> dict[str, Any]:
        """What is in the tenant's database: its rows by table, its size, and where its change log
        ended."""
        platform = self._product.platform
        persistence = platform.persistence(tenant)
        try:
            async with persistence.session(tenant) as session:
                head = (await session.execute(select(TENANT.head))).mappings().one()
                rows = {
                    table.name: await session.scalar(select(func.count()).select_from(table)) or 0
                    for table in (*platform.schema.metadata.sorted_tables, TENANT.changes)
                }
            return {
                "bytes": await persistence.size(tenant),
                "version": head["version"],
                "digest": head["digest"].hex(),
                "rows": dict(sorted((name, n) for name, n in rows.items() if n)),
            }
        except _UNREADABLE as error:
            return {"unreadable": error.message}

    async def _homes(
        self, tenant: TenantContext
    ) -> AsyncIterator[tuple[str, Persistence, TenantContext]]:
        """Every home that it may have or have had, wherever tenants are kept; and one that a move
        had just begun."""
        moves = await self._product.platform.moving.moves.all(tenant.tenant_id)
        last = max([tenant.epoch, *(move.to_epoch for move in moves)])
        for name, persistence in self._product.platform.strategies.items():
            for epoch in range(1, last + 2):
                yield name, persistence, dataclasses.replace(tenant, epoch=epoch)

    async def _there(self, tenant: TenantContext) -> AsyncIterator[dict[str, Any]]:
        """The homes in which there is something: a database that the configuration does not name
        any more is found nowhere, and stays."""
        async for name, persistence, home in self._homes(tenant):
            try:
                await persistence.head(home)
            except DatabaseMissing:
                continue
            except _UNREADABLE:
                pass
            yield {"persistence": name, "epoch": home.epoch}

    async def _drop_databases(self, deletion: Deletion, lease: Lease) -> None:
        async for _, persistence, home in self._homes(deletion.tenant):
            await persistence.drop(home)

    async def _drop_files(self, deletion: Deletion, lease: Lease) -> None:
        """Where each tier keeps them that it is on, or was."""
        tenant = deletion.tenant
        moves = await self._product.platform.moving.moves.all(tenant.tenant_id)
        tiers = {tenant.tier, *(tier for move in moves for tier in (move.from_tier, move.to_tier))}
        for storage in self._product.platform.storages.values():
            for tier in sorted(tiers):
                await storage.drop(dataclasses.replace(tenant, tier=tier))

    async def _forget(self, deletion: Deletion, lease: Lease) -> dict[str, Any]:
        certificate = await self._deletions.finish(deletion, lease, self._let_go)
        self._product.platform.heads.forget(deletion.tenant.tenant_id)
        await self._product.identity.store.refresh()
        _log.info("%s is removed", deletion.tenant.slug)
        if not certificate["found"].get("databases"):
            _log.warning("no database of %s was found to be removed", deletion.tenant.slug)
        return certificate

    async def _let_go(self, write: Write, tenant_id: str) -> dict[str, int]:
        """Whoever works in the tenant stays signed in. Keys' last uses go with the keys, and mails
        that wait with the invitations that they are about."""
        session = write.session
        theirs = update(SessionRow).where(SessionRow.tenant_id == tenant_id)
        await session.execute(theirs.values(tenant_id=None))
        keys = select(ApiKey.id).where(ApiKey.tenant_id == tenant_id)
        uses: Any = await session.execute(delete(KeyUse).where(KeyUse.key_id.in_(keys)))
        invitations = select(Invitation.id).where(Invitation.tenant_id == tenant_id)
        invited = {str(one) for one in await session.scalars(invitations)}
        outbox = PLATFORM.outbox
        waiting = await session.execute(select(outbox.c.id, outbox.c.payload))
        mails = [row.id for row in waiting if row.payload.get("invitation") in invited]
        with write.permit.kernel():
            await session.execute(delete(outbox).where(outbox.c.id.in_(mails)))
        await self._product.identity.store.changed(write)
        return {"key_uses": uses.rowcount, "mails": len(mails)}


async def _files(storage: Storage, tenant: TenantContext) -> dict[str, Any]:
    """How many files there are, their bytes, and a digest of all their names and digests."""
    number = size = 0
    digest = hashlib.sha256()
    async for file in storage.list(tenant):
        number, size = number + 1, size + file.size
        digest.update(f"{file.digest} {file.size} {file.key}\n".encode())
    return {"count": number, "bytes": size, "sha256": digest.hexdigest()}
