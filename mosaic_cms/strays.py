"""Databases of no tenant: which there are, and removing those that are nobody's for certain.

A process that is killed while it makes a tenant may leave one. It looks like a tenant that the
platform database has forgotten, such as after an older backup of it was restored. So what somebody
may have lived in is left to an operator's own hands, as is what cannot be read, and what somebody
may still be making.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mosaic_core.directory import Work
from mosaic_core.errors import DatabaseBehind, DatabaseMissing, LeaseTaken, MosaicError
from mosaic_core.persistence import HeadState, HeadStatus, Persistence, Problem, Stray

if TYPE_CHECKING:
    from mosaic_core.platform import Platform
    from mosaic_core.tenants import TenantContext

#: Nobody is still at making what is so old: it takes seconds, and a write ends by itself.
OLD_ENOUGH = timedelta(hours=1)
_log = logging.getLogger("mosaic.strays")


@dataclass(frozen=True, slots=True)
class Found:
    """A stray, and why it is not removed; nothing when it may be.

    Attributes:
        strategy: the name of that which keeps it.
    """

    strategy: str
    stray: Stray
    refusal: str = ""

    @property
    def problem(self) -> Problem:
        """What is wrong, with why it stays."""
        problem = self.stray.problem
        return dataclasses.replace(problem, what=f"{problem.what} {self.refusal}".strip())


async def known(platform: Platform) -> set[str]:
    """The ids of whom a database may belong to: tenants, those that are deleted and may be had
    back, and those that an import makes. All homes of one are its own, also those it has left."""
    directory = platform.directory
    found = {record.tenant.tenant_id for record in await directory.records()}
    found |= {deleted.tenant.tenant_id for deleted in await directory.deletions.pending()}
    # Those that are gone on with, or removed in a while.
    return found | set(await directory.imports.going(await directory.clock.now()))


async def find(platform: Platform) -> list[Found]:
    """Every stray, wherever tenants are kept. A place that cannot be looked at is a problem of its
    own, and does not keep the others from being."""
    ids, now = await known(platform), await platform.directory.clock.now()
    found: list[Found] = []
    for name, persistence in platform.strategies.items():
        try:
            for stray in await persistence.strays(ids):
                found.append(Found(name, stray, await _refusal(persistence, stray, now)))
        except MosaicError as error:
            found.append(Found(name, Stray(Problem(name, error.message, error.hint)), "Not seen."))
    return found


async def remove(platform: Platform, found: Found, *, actor: str) -> str:
    """Removes a stray for good, unless it is somebody's by now; returns why it stays."""
    home, persistence = found.stray.home, platform.strategies[found.strategy]
    if found.refusal or home is None:
        return found.refusal
    leases = platform.directory.leases
    try:
        # Who imports, moves or removes a tenant holds its lease.
        async with leases.held(home, Work.DELETION, holder=actor):
            if home.tenant_id in await known(platform):
                return "It is a tenant's now."
            now = await platform.directory.clock.now()
            if refusal := await _refusal(persistence, found.stray, now):
                return refusal
            await persistence.drop(home)
    except LeaseTaken as error:
        return error.message
    _log.info("%s of no tenant is removed, by %s", found.stray.problem.subject, actor)
    return ""


async def _refusal(persistence: Persistence, stray: Stray, now: datetime) -> str:
    """Why a stray is not removed; nothing when it may be."""
    if stray.home is None:
        return "It is removed by hand."
    if stray.since is None or now - stray.since < OLD_ENOUGH:
        return "Somebody may still be making it."
    return await _lived_in(persistence, stray.home)


async def _head(persistence: Persistence, home: TenantContext) -> HeadState:
    try:
        return await persistence.head(home)
    except DatabaseBehind:  # an earlier release left it
        return await persistence.head(home, behind=True)


async def _lived_in(persistence: Persistence, home: TenantContext) -> str:
    """Whether somebody may have lived there. Who was made there and nothing more has the first
    write; what was imported is fenced until somebody lives there."""
    try:
        head = await _head(persistence, home)
    except DatabaseMissing:
        return ""
    except MosaicError as error:
        return f"It cannot be read: {error.message}"
    unused = head.status is HeadStatus.OPEN and head.version <= 1
    if unused or head.status is HeadStatus.FENCED:
        return ""
    return (
        "Somebody has written to it since it was made: the platform database may be from an older "
        "backup."
    )
