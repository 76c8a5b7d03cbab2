"""Loading a bundle: making a tenant's database and files of it, in whichever home.

Nobody knows the tenant meanwhile, and its head is fenced, so nobody can write to it. Parts go in
one after the other; a load that was broken off is gone on with, since what is there says how far it
came.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, func, insert, select, update

from mosaic_core.bundle.checking import NO_ROW, Counted, values_of
from mosaic_core.bundle.form import MANIFEST, Manifest, Progress, Seal
from mosaic_core.bundle.reading import Bundle, Member, damaged, open_bundle
from mosaic_core.database.ordering import ROWS
from mosaic_core.database.schema import TenantSchema, logged_tables
from mosaic_core.errors import (
    BundleNewer,
    Conflict,
    DatabaseBehind,
    DatabaseNewer,
    FileMissing,
)
from mosaic_core.head.guard import Permit, permitted
from mosaic_core.head.tables import TENANT, first_head
from mosaic_core.persistence import HeadStatus, Persistence, Rows
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext

if TYPE_CHECKING:
    from mosaic_core.bundle.past import Past


@dataclass(frozen=True, slots=True)
class Target:
    """Where a bundle is loaded to: a tenant that nobody knows yet.

    Attributes:
        scratch: a folder of the import's own, for a file that takes the rows of an older bundle
            until they are migrated; it is gone afterwards.
        require: asked inside each change, when nobody else can make one: raises LeaseLost where
            somebody else has taken up the import.
    """

    tenant: TenantContext
    persistence: Persistence
    storage: Storage
    schema: TenantSchema
    scratch: Path
    require: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded."""

    manifest: Manifest
    seal: Seal


async def load(
    target: Target, path: Path, *, identity: str | None = None, progress: Progress
) -> Loaded:
    """Makes the database and the files of a tenant. When it fails or is stopped, what there is
    stays, and the next load of the same bundle goes on with it; with the rows of an older bundle,
    it begins anew. The caller sees to it that nobody knows the tenant, and that all that is there
    is an earlier load's of this bundle.

    Raises:
        BundleError, BundleDamaged, BundleNewer: of the file; see :func:`open_bundle`.
        DatabaseError, StorageError: of what is written, such as a tier's limit.
        LeaseLost: as ``require`` of the target raises it.
    """
    return await _Loading(target, path, identity, progress).run()


class _Loading:
    def __init__(
        self, target: Target, path: Path, identity: str | None, progress: Progress
    ) -> None:
        self._target = target
        self._path = path
        self._identity = identity
        self._progress = progress
        self._tables = {**logged_tables(target.schema.metadata), "changes": TENANT.changes}
        self._there: dict[str, int] = {}
        #: An earlier load came to its end; what was rendered since may stand above it.
        self._ended = False
        #: Takes the rows of an older bundle.
        self._past: Past | None = None

    async def run(self) -> Loaded:
        opening = open_bundle(self._path, self._identity)
        bundle = await asyncio.to_thread(opening.__enter__)
        try:
            older = self._is_older(bundle.manifest)
            await self._begin(anew=older)
            if older and not self._ended:
                seal = await self._upgraded(bundle)
            else:
                seal = await self._members(bundle)
                if not self._ended:
                    head = bundle.manifest.head
                    await self._end(head.model_dump() | {"digest": bytes.fromhex(head.digest)})
        except BaseException as error:
            await asyncio.to_thread(opening.__exit__, type(error), error, error.__traceback__)
            raise
        await asyncio.to_thread(opening.__exit__, None, None, None)
        return Loaded(bundle.manifest, seal)

    def _is_older(self, manifest: Manifest) -> bool:
        """Whether the rows are to be migrated.

        Raises:
            BundleNewer: nothing is known here of what the rows look like.
        """
        subject = f"The bundle {self._path.name!r}"
        try:
            self._target.schema.history.require_whole(manifest.revision, subject)
        except DatabaseNewer as error:
            raise BundleNewer(error.message, hint=error.hint) from error
        except DatabaseBehind:
            if not manifest.revision:
                raise damaged(MANIFEST, "it names no revision") from None
            return True
        if strange := [name for name in manifest.tables if name not in self._tables]:
            raise BundleNewer(f"{subject} has tables that are not known here: {strange}.")
        return False

    async def _begin(self, *, anew: bool) -> None:
        """Makes an empty, fenced database, or finds how far an earlier load came; ``anew``, an
        unfinished one is made again."""
        persistence, tenant = self._target.persistence, self._target.tenant
        await self._target.require()
        if anew:  # a killed process may have left it
            await asyncio.to_thread(shutil.rmtree, self._target.scratch, ignore_errors=True)
        head = first_head(tenant.tenant_id, tenant.epoch) | {"status": HeadStatus.FENCED}
        try:
            await persistence.provision(tenant, [Rows(TENANT.head, [head])])
        except Conflict:
            # An earlier release may have begun: then it is behind, and so is the bundle.
            found = await persistence.head(tenant, behind=True)
            self._ended = found.status is not HeadStatus.FENCED
            if self._ended:
                await persistence.migrate(tenant)
            elif anew:
                await persistence.drop(tenant)
                await persistence.provision(tenant, [Rows(TENANT.head, [head])])
                return
            async with persistence.session(tenant) as session:
                for name, table in self._tables.items():
                    query = select(func.count()).select_from(table)
                    self._there[name] = await session.scalar(query) or 0

    async def _upgraded(self, bundle: Bundle) -> Seal:
        """Loads an older bundle: its rows go through a file that is migrated, its files do not."""
        from mosaic_core.bundle.past import clear, past, present

        target, scratch = self._target, self._target.scratch
        try:
            async with past(scratch, target.schema, target.tenant, bundle.manifest) as before:
                self._past = before
                seal = await self._members(bundle)
                await asyncio.to_thread(before.end, target.tenant, bundle.manifest.head)
            async with present(scratch, target.schema, target.tenant) as now:
                done, rows = 0, sum(seal.rows.values()) + seal.changes
                async for table, values in now.rows():
                    await self._put(table, values)
                    done += len(values)
                    self._progress("rows", done, max(rows, done))
                await self._end(await now.head())
        finally:
            await asyncio.to_thread(clear, scratch)
        return seal

    async def _members(self, bundle: Bundle) -> Seal:
        counted = await asyncio.to_thread(Counted, bundle)
        members = bundle.members()
        size = self._path.stat().st_size
        while (member := await asyncio.to_thread(next, members, None)) is not None:
            rows = await asyncio.to_thread(counted.add, member)
            if member.table is not None:
                await self._rows(member, rows)
            else:
                await self._file(member)
            self._progress("bytes", min(member.ends, size), size)
        return counted.end()

    async def _rows(self, member: Member, rows: Sequence[Mapping[str, Any]]) -> None:
        assert member.table is not None
        if self._ended:
            return
        if self._past is not None:
            await asyncio.to_thread(self._past.put, member.name, member.table, rows)
            return
        table = self._tables[member.table]
        there = self._there.get(member.table, 0)
        self._there[member.table] = max(there - len(rows), 0)
        if there >= len(rows):  # a part is put in whole or not at all
            return
        try:
            values = await asyncio.to_thread(_values, table, rows)
        except NO_ROW as error:
            raise damaged(member.name, f"a row does not fit its table ({error!r})") from error
        await self._put(table, values)

    async def _put(self, table: Table | None, values: Any) -> None:
        """Puts rows into a table in one transaction, past the unit of work; without a table,
        values into the head. Their log is loaded too, and nobody can see them yet."""
        head = TENANT.head
        async with self._target.persistence.exclusive(self._target.tenant) as session:
            await self._target.require()
            permit = Permit()
            connection = await session.connection(execution_options=permitted(permit))
            with permit.kernel():
                if table is None:
                    await connection.execute(update(head).values(**values))
                else:
                    for start in range(0, len(values), ROWS):
                        await connection.execute(insert(table), values[start : start + ROWS])
                        # A file takes them without waiting: meanwhile nothing else gets a turn,
                        # not even what renews the import's lease.
                        await asyncio.sleep(0)
            permit.committing = True
            await session.commit()

    async def _file(self, member: Member) -> None:
        storage, tenant = self._target.storage, self._target.tenant
        try:
            there = await storage.stat(tenant, member.key)
        except FileMissing:
            there = None
        if there is None or there.digest != member.digest:
            await self._target.require()
            await storage.write(
                tenant, member.key, _chunks(member), size=member.size, digest=member.digest
            )

    async def _end(self, head: Mapping[str, Any]) -> None:
        """Puts what the head of the rows says into that of the tenant, which takes writes then."""
        said = {name: head[name] for name in ("version", "published", "digest", "base_version")}
        await self._put(None, said | {"status": HeadStatus.OPEN})


def _values(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [values_of(table, row) for row in rows]


async def _chunks(member: Member) -> AsyncIterator[bytes]:
    chunks = member.chunks()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
