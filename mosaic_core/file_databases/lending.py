"""Connections that are kept between two uses, each lent to one thread at a time.

Opening a file costs more than a search does: SQLite reads the whole schema first.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A connection of SQLAlchemy's, or of the driver's."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Lending(Generic[C]):
    """Keeps one connection to each of at most ``most`` files; the longest unused goes first.

    Args:
        connect: opens a file, for use in any thread.
        usable: whether a connection that was used may be used again.
    """

    def __init__(
        self, most: int, connect: Callable[[Path], C], usable: Callable[[C], bool] = lambda _: True
    ) -> None:
        self._most = most
        self._connect = connect
        self._usable = usable
        self._kept: OrderedDict[Path, tuple[C, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def lend(self, path: Path) -> Iterator[C]:
        """A connection to the file that has this path now, in autocommit mode before and after."""
        inode = inode_of(path)  # before it is opened: what comes in between is another file
        with self._lock:
            kept = self._kept.pop(path, None)
        if kept is not None and kept[1] != inode:
            kept[0].close()
            kept = None
        connection = self._connect(path) if kept is None else kept[0]
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._keep(path, connection, inode)

    def close(self, path: Path) -> None:
        """Closes what is kept of one file."""
        with self._lock:
            kept = self._kept.pop(path, None)
        if kept is not None:
            kept[0].close()

    def close_all(self) -> None:
        """Closes what is kept, and keeps nothing from now on."""
        self._most = 0
        while self._kept:
            self._kept.popitem()[1][0].close()

    def _keep(self, path: Path, connection: C, inode: int) -> None:
        with self._lock:
            same = inode == inode_of(path) != 0
            if same and path not in self._kept and self._usable(connection):
                self._kept[path] = (connection, inode)
                if len(self._kept) <= self._most:
                    return
                _, (connection, _) = self._kept.popitem(last=False)
        connection.close()


def inode_of(path: Path) -> int:
    """Which file has this path now; 0 when there is none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0
