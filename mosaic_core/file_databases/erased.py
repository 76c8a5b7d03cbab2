"""Nothing of what was erased stays in a file: SQLite puts zeros over what it deletes
(``secure_delete``), and the write-ahead log, in which the pages stand as they were before, is
emptied."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database import sqlite
from mosaic_core.persistence import ERASED

#: Seconds to wait for those who read, while others wait to write.
_PATIENCE = 0.1
_log = logging.getLogger("mosaic.files")


class Emptying:
    """Empties the write-ahead logs of files from which something was erased. One that somebody
    reads for long cannot be emptied; it is tried again after each later write to that file, and
    whoever closes a file last takes its log away."""

    def __init__(self) -> None:
        self._left: set[Path] = set()

    async def after(self, session: AsyncSession, path: Path) -> None:
        """Looks after a write that was committed, in its turn."""
        erased = ERASED in session.info
        if not erased and path not in self._left:
            return
        self._left.add(path)
        try:
            emptied = await asyncio.to_thread(_empty, path, _PATIENCE if erased else 0.0)
        except sqlite3.Error as error:  # what was written is written
            _log.warning("the write-ahead log of %s could not be emptied: %s", path.name, error)
            return
        if emptied:
            self._left.discard(path)


def _empty(path: Path, timeout: float) -> bool:
    connection = sqlite.connect(path, writable=True, timeout=timeout)
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy
    finally:
        connection.close()
