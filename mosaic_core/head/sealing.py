"""What the kernel itself does in a write: it moves the head first, and logs and seals at the end.

Each is one turn of the write's session, however many statements it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, update
from sqlalchemy.orm import Session

from mosaic_core.errors import DatabaseDamaged
from mosaic_core.head import chain
from mosaic_core.head.guard import Permit, permitted
from mosaic_core.head.tables import HeadTables, Moved
from mosaic_core.persistence import HeadState, HeadStatus


class Sealing:
    """The head and the log of one database.

    Args:
        tables: the head's tables in that database.
        owner: whose database it must be.
    """

    def __init__(self, tables: HeadTables, owner: str) -> None:
        self._tables = tables
        self._owner = owner

    def move(self, session: Session, permit: Permit) -> Moved:
        """Begins a write's transaction by moving the head.

        Raises:
            DatabaseDamaged: there is no head of this owner.
        """
        connection = session.connection(execution_options=permitted(permit))
        with permit.kernel():
            moved = self._tables.move.one(connection, {"whose": self._owner})
        if moved is None:
            raise DatabaseDamaged(
                f"The database has no head row of {self._owner!r}: it is not this tenant's.",
                hint="Run 'mosaic doctor'; nothing was written.",
            )
        return Moved(*moved)

    def seal(
        self,
        session: Session,
        info: chain.WriteInfo,
        permit: Permit,
        head: Moved,
        changes: Sequence[chain.Change],
        *,
        coalesce: bool,
    ) -> HeadState:
        """Logs the changes and records the chain's new value in the head.

        Args:
            head: as it was moved.
            coalesce: drop the images that this write supersedes.
        """
        rows = chain.rows(info, changes, head.digest)
        published = head.published + 1 if permit.published else head.published
        connection = session.connection()
        with permit.kernel():
            if coalesce:
                keys = {(change.entity, change.entity_id) for change in changes}
                self._erase_previous(connection, info, keys)
            self._tables.append.run(connection, *rows)
            sealed = {"whose": self._owner, "chain": rows[-1]["chain"], "shown": published}
            self._tables.seal.run(connection, sealed)
        return HeadState(info.version, published, HeadStatus(head.status), head.epoch)

    def _erase_previous(
        self, connection: Connection, info: chain.WriteInfo, keys: set[tuple[str, str]]
    ) -> None:
        """Erases images of the write before, of the same action by the same actor."""
        log = self._tables.changes
        for entity, entity_id in sorted(keys):
            connection.execute(
                update(log)
                .where(
                    log.c.entity == entity,
                    log.c.entity_id == entity_id,
                    log.c.version == info.version - 1,
                    log.c.operation == chain.UPDATE,
                    log.c.actor == info.actor,
                    log.c.action == info.action,
                )
                .values(image=None, salt=None)
            )
