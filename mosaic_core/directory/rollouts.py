"""Where the migration of all tenants to a revision stopped, until somebody goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, literal, or_, select

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.tables import RolloutRow, TenantRow
from mosaic_core.head import Write, Writer
from mosaic_core.tenants import TenantStatus


@dataclass(frozen=True, slots=True)
class Paused:
    """A migration of all tenants that waits for somebody to look.

    Attributes:
        wave: the last one that was begun.
        failures: why, by the tenants' ids.
    """

    wave: str
    failures: Mapping[str, str]
    actor: str
    at: datetime


class Rollouts:
    """One note for each revision; none while nothing went wrong."""

    def __init__(self, database: PlatformDatabase, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def paused(self, revision: str) -> Paused | None:
        """What went wrong on the way to a revision."""
        query = select(RolloutRow).where(RolloutRow.revision == revision)
        async with self._database.session() as session:
            row = (await session.execute(query)).scalar_one_or_none()
        return None if row is None else Paused(row.wave, row.failures, row.actor, row.at)

    async def pause(
        self, revision: str, wave: str, failures: Mapping[str, str], *, actor: str
    ) -> None:
        """Notes that somebody has to look before it goes on."""

        async def fn(write: Write) -> None:
            await write.session.execute(delete(RolloutRow))
            await write.session.execute(
                insert(RolloutRow).values(
                    revision=revision,
                    wave=wave,
                    failures=dict(failures),
                    actor=actor[:200],
                    at=write.at,
                )
            )

        await self._writer.write(fn, actor=actor, action="rollouts.pause")

    async def end(self) -> None:
        """All tenants are where they should be."""

        async def fn(write: Write) -> None:
            await write.session.execute(delete(RolloutRow))

        await self._writer.write(fn, actor="system", action="rollouts.end")


async def anything_left(database: PlatformDatabase, revision: str) -> bool:
    """Whether any tenant is not noted at a revision, or something went wrong on the way to it: one
    query, and no directory is loaded."""
    behind = select(TenantRow.tenant_id).where(
        TenantRow.revision != revision, TenantRow.status != str(TenantStatus.DELETED)
    )
    paused = select(RolloutRow.revision).where(RolloutRow.revision == revision)
    async with database.session() as session:
        # A condition is no value to SQL Server.
        found = select(literal(1)).where(or_(behind.exists(), paused.exists()))
        return await session.scalar(found) is not None
