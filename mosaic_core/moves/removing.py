"""Removing a home of a tenant: what is left of an old one, or what was made of the next."""

from __future__ import annotations

import asyncio

from mosaic_core.directory import Lease
from mosaic_core.errors import (
    DatabaseBehind,
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseNewer,
    WriteTimeout,
)
from mosaic_core.moves.home import Home
from mosaic_core.moves.store import Moves, lived_in
from mosaic_core.persistence import HeadStatus

#: Seconds for which the platform's other writes wait at most.
_PATIENCE = 10.0


async def remove_database(home: Home, moves: Moves, lease: Lease, said: HeadStatus) -> None:
    """Removes the database of a home that nobody lives in. Removing what is gone is no error.

    A process may be stopped for a while at any line of this. Others take the move up meanwhile, and
    the tenant may live here when it wakes: so it looks and removes while nobody can.

    Args:
        said: what its head says, if it can be read.

    Raises:
        LeaseLost: somebody else has taken up the move.
        Conflict: the tenant lives there.
    """

    async def remove() -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await _require(home, said)
                await home.persistence.drop(home.tenant)
        except TimeoutError:
            raise WriteTimeout(
                f"A home of {home.tenant.slug!r} could not be removed within {_PATIENCE:g} s.",
                hint="It is tried again later.",
            ) from None

    await home.require()
    await moves.at_unused(home.tenant, lease, remove)


async def _require(home: Home, said: HeadStatus) -> None:
    try:
        head = await home.persistence.head(home.tenant)
    except (DatabaseMissing, DatabaseDamaged, DatabaseBehind, DatabaseNewer):
        return  # nobody can live in it
    if head.status is not said:
        raise lived_in(home.tenant)
