"""One of the two homes of a tenant that moves, as a move reaches it: past the unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.errors import DatabaseDamaged
from mosaic_core.head.guard import Permit, permitted
from mosaic_core.head.tables import TENANT
from mosaic_core.persistence import HeadStatus, Persistence
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext

#: Raises unless whoever writes may still do so.
Require = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Home:
    """Where a tenant lives, or is to live.

    Attributes:
        tenant: with the tier and the epoch of this home.
        require: asked inside each change, when nobody else can make one: raises LeaseLost where
            somebody else has taken up the move.
    """

    tenant: TenantContext
    persistence: Persistence
    storage: Storage
    require: Require

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that sees one snapshot."""
        return self.persistence.session(self.tenant)

    @asynccontextmanager
    async def putting(
        self, *, reserve: bool = False, deferred: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction that puts rows in as they are, and is committed at the end of the block."""
        opened = self.persistence.exclusive(self.tenant, reserve=reserve, deferred=deferred)
        async with opened as session:
            await self.require()
            permit = Permit()
            connection = await session.connection(execution_options=permitted(permit))
            with permit.kernel():
                yield connection
            permit.committing = True
            await session.commit()

    async def set_status(self, after: HeadStatus, *, before: Collection[HeadStatus]) -> HeadStatus:
        """Says whether this home takes writes, if it said one of ``before``; what it says then."""
        head = TENANT.head
        async with self.putting(reserve=True) as connection:
            await connection.execute(
                update(head).where(head.c.status.in_(before)).values(status=after)
            )
            found = await connection.scalar(select(head.c.status))
        return HeadStatus(str(found))


async def head_of(session: AsyncSession | AsyncConnection) -> RowMapping:
    """The head row of a home.

    Raises:
        DatabaseDamaged: there is none.
    """
    found: Any = (await session.execute(select(TENANT.head))).mappings().one_or_none()
    if found is None:
        raise DatabaseDamaged("The database has no head row.", hint="Run 'mosaic doctor'.")
    return found  # type: ignore[no-any-return]
