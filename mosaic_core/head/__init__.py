"""One head per database: it orders writes, chains the log, and versions every cache."""

from mosaic_core.head.first import empty_rows, first_rows
from mosaic_core.head.freshness import Heads, Watched
from mosaic_core.head.guard import install as install_guard
from mosaic_core.head.tables import PLATFORM, TENANT, HeadTables, first_head
from mosaic_core.head.write import Write, WriteLimits, Writer, has_write

__all__ = [
    "PLATFORM",
    "TENANT",
    "HeadTables",
    "Heads",
    "Watched",
    "Write",
    "WriteLimits",
    "Writer",
    "empty_rows",
    "first_head",
    "first_rows",
    "has_write",
    "install_guard",
]
