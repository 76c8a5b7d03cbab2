"""How long the change log tells the past: what may be compacted by now, and what is erased before.

Erasing and compacting are two things. What is deleted for good is *erased* from the log at once:
that it was, and who changed it when, stays, and what it was like goes. What is older than the
retention is *compacted* (:func:`mosaic_core.head.log.compact`): of each row that lives, its newest
image stays, and nothing of how it came to be so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.head import chain
from mosaic_core.head.tables import HeadTables
from mosaic_core.head.write import Write
from mosaic_core.persistence import ERASED

#: Ids in one statement; SQL Server takes 2,100 values.
_TOGETHER = 500


async def outlived(
    session: AsyncSession, tables: HeadTables, before: datetime, most: int
) -> int | None:
    """The version up to which a log may be compacted next; None when nothing is left of it.

    All of it was written before an instant. What came after it stays, even where a clock that was
    set back says that it is older.

    Args:
        most: changes that are compacted in one write, about.
    """
    log = tables.changes
    row = (await session.execute(select(tables.head.c.version, tables.head.c.base_version))).one()
    kept = select(log.c.version).where(log.c.version > row.base_version)
    young = await session.scalar(kept.where(log.c.at >= before).order_by(log.c.version).limit(1))
    last = row.version if young is None else young - 1
    old = kept.where(log.c.version <= last).order_by(log.c.version)
    # A checkpoint of an earlier time alone is not worth another one.
    told = old.where(log.c.operation != chain.CHECKPOINT)
    if await session.scalar(told.limit(1)) is None:
        return None
    step: int | None = await session.scalar(old.offset(most).limit(1))
    return int(last if step is None else min(step, last))


async def erase(write: Write, tables: HeadTables, entity: str, ids: Sequence[str]) -> None:
    """Erases what rows were like, from all that the log has of them before this write.

    Args:
        entity: the name of their table.
        ids: as the log has them.
    """
    log = tables.changes
    with write.permit.kernel():
        for start in range(0, len(ids), _TOGETHER):
            await write.session.execute(
                update(log)
                .where(
                    log.c.entity == entity,
                    log.c.entity_id.in_(ids[start : start + _TOGETHER]),
                    log.c.salt.is_not(None),
                )
                .values(image=None, salt=None)
            )
    if ids:
        write.session.info[ERASED] = True
    if ids and write.permit.followed:  # a move has copied some of it
        write.permit.touched.setdefault(log.name, set()).add("")
