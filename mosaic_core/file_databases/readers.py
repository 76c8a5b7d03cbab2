"""Kept connections for reading what is published: one per tenant, in the event loop's thread.

A read through them takes some 30 µs, so it happens on the spot; a thread would cost more.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from mosaic_core.database import sqlite
from mosaic_core.file_databases.lending import inode_of


class Readers:
    """At most ``most`` open files; the least recently used is closed for the next.

    Args:
        check: called with each new connection; raises when the file must not be served.
    """

    def __init__(self, most: int, check: Callable[[sqlite3.Connection, Path], None]) -> None:
        self._most = most
        self._check = check
        self._open: OrderedDict[Path, tuple[sqlite3.Connection, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, path: Path, *, verify: bool = False) -> sqlite3.Connection:
        """The connection to a file; with ``verify``, to the file that has this path now."""
        kept = self._open.get(path)
        if kept is not None:
            if not verify or kept[1] == inode_of(path):
                self._open.move_to_end(path)
                return kept[0]
            self.close(path)
        connection = sqlite.connect(
            path, writable=False, cache_kib=256, timeout=sqlite.INLINE_TIMEOUT
        )
        try:
            self._check(connection, path)
            inode = inode_of(path)
        except BaseException:
            connection.close()
            raise
        self._open[path] = (connection, inode)
        while len(self._open) > self._most:
            _, (oldest, _) = self._open.popitem(last=False)
            oldest.close()
        return connection

    def close(self, path: Path) -> None:
        """Closes one file, if it is open."""
        kept = self._open.pop(path, None)
        if kept is not None:
            kept[0].close()

    def close_all(self) -> None:
        while self._open:
            self._open.popitem()[1][0].close()
