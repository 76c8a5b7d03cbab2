"""What the platform notes about its tenants, so that nobody looks into all of them to find out:
when something is due next, that work waits in an outbox, and in which themes pages were rendered.

After ``platform.db`` was restored from an older backup, its notes are older than the tenants. So
they are compared with what each tenant's own database says, and put right.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.published import PublishedPage
from mosaic_cms.due import next_due
from mosaic_cms.scope import SYSTEM
from mosaic_core.head import TENANT, Write
from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product

#: What is due earlier than a tenant's rows say does no harm: whoever looks puts it right. But after
#: this, somebody should have looked.
_LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A note that is not what the tenant says: in words, and what puts it right."""

    what: str
    mend: Callable[[], Awaitable[None]]


class Reminders:
    """Compares the platform's notes with its tenants."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._directory = product.platform.directory

    async def compare(self, tenant: TenantContext, *, mend: bool = False) -> list[str]:
        """What is noted wrongly of a tenant, in words; ``mend`` puts it right.

        Notes are made inside writes to the tenant, so what looks wrong beside one counts only if it
        is wrong inside another.
        """
        async with self._product.platform.read(tenant) as session:
            found = await self._mistakes(session, tenant)

        async def again(write: Write) -> list[Mistake]:
            return await self._put_right(write.session, tenant, mend=mend)

        if found and tenant.status is TenantStatus.ACTIVE:
            scope = self._product.scope(tenant, SYSTEM).during("reminders.compare")
            found = await scope.write(again, reserve=True)
        elif mend:  # nobody writes to it
            for mistake in found:
                await mistake.mend()
        return [mistake.what for mistake in found]

    async def _put_right(
        self, session: AsyncSession, tenant: TenantContext, *, mend: bool
    ) -> list[Mistake]:
        found = await self._mistakes(session, tenant)
        for mistake in found if mend else ():
            await mistake.mend()
        return found

    async def _mistakes(self, session: AsyncSession, tenant: TenantContext) -> list[Mistake]:
        looks = (self._due, self._outbox, self._themes)
        found = [await look(session, tenant.tenant_id) for look in looks]
        return [mistake for mistake in found if mistake is not None]

    async def _due(self, session: AsyncSession, tenant_id: str) -> Mistake | None:
        upcoming = await next_due(session)
        noted = await self._directory.agenda.noted(tenant_id)
        mend = partial(self._directory.agenda.settle, tenant_id, upcoming)
        if upcoming is not None and (noted is None or noted > upcoming):
            known = "nothing" if noted is None else f"nothing before {_shown(noted)}"
            return Mistake(
                f"Something is due at {_shown(upcoming)}; the platform knows of {known}.", mend
            )
        late = noted is not None and noted < datetime.now(UTC) - _LATE
        if noted is not None and late and noted != upcoming:
            return Mistake(
                f"The platform knows of something due at {_shown(noted)}, which is not there.", mend
            )
        return None

    async def _outbox(self, session: AsyncSession, tenant_id: str) -> Mistake | None:
        outbox = TENANT.outbox.c
        query = select(outbox.topic, func.min(outbox.due)).where(outbox.due.is_not(None))
        waiting = await session.execute(query.group_by(outbox.topic))
        noted = await self._directory.hints.of(tenant_id)
        missing = {topic: due for topic, due in waiting if topic not in noted}
        if not missing:
            return None
        return Mistake(
            "Work waits in its outbox, of which the platform does not know.",
            partial(self._directory.hints.note, tenant_id, missing),
        )

    async def _themes(self, session: AsyncSession, tenant_id: str) -> Mistake | None:
        made = select(PublishedPage.theme, PublishedPage.theme_revision).distinct()
        used = {
            (row.theme, row.theme_revision)
            for row in await session.execute(made.where(PublishedPage.html.is_not(None)))
        }
        sets = self._directory.theme_sets
        needed = await sets.needed(tenant_id)
        kept = await sets.revisions()
        known = {theme for key in needed & kept.keys() for theme in kept[key].items()}
        if used <= known or "" in needed:
            return None
        return Mistake(
            "Pages of it were rendered in themes which the platform does not keep for it.",
            partial(sets.need, tenant_id, ""),
        )


def _shown(instant: datetime) -> str:
    return instant.isoformat(" ", "seconds")
