"""What a bundle consists of: a tar archive whose members come in a fixed order.

``manifest.json``, then rows (``tables/<table>/<number>.jsonl.gz``), the change log
(``changes/<number>.jsonl.gz``), the stored files (``files/<key>``), and ``seal.json``. Each member
says its own SHA-256 in its header, and the seal vouches for all of them.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

#: The version of the format. A reader refuses what is newer.
FORMAT: Final = 1
MANIFEST, SEAL = "manifest.json", "seal.json"
TABLES, CHANGES, FILES = "tables/", "changes/", "files/"
#: The record of a member's extended header (POSIX pax) that has the SHA-256 of its content in hex.
DIGEST = "MOSAIC.sha256"
#: Bytes of rows after which a member ends; it has one row at least.
PART = 4 * 1024 * 1024
#: Bytes that a member of rows may unpack to, and that manifest and seal may have.
MOST_UNPACKED, MOST_FACTS = 256 * 1024 * 1024, 16 * 1024 * 1024

_ROWS = re.compile(r"(?:tables/([a-z][a-z0-9_]{0,62})|(changes))/([0-9]{6,9})\.jsonl\.gz")

#: Told of what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class _Facts(BaseModel):
    """Facts of a bundle; what a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TenantFacts(_Facts):
    """Whose bundle it is."""

    tenant_id: str
    slug: str
    name: str
    tier: str
    epoch: int


class HeadFacts(_Facts):
    """The head that the rows belong to.

    Attributes:
        digest: the change log's chain after its newest change, in hex.
        base_version: changes up to here were compacted.
        checkpoint: what vouches for the compacted part; None when there is none.
    """

    version: int
    published: int
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    base_version: int
    checkpoint: dict[str, Any] | None = None


class Manifest(_Facts):
    """The first member: what the bundle is.

    Attributes:
        bundle_id: of this export.
        made_by: the software, for people.
        revision: the migrations that the rows have the shape of.
        tables: the tables whose rows follow, in their order.
    """

    format: int
    bundle_id: uuid.UUID
    made_at: datetime
    made_by: str
    tenant: TenantFacts
    revision: str
    head: HeadFacts
    tables: tuple[str, ...]


class Seal(_Facts):
    """The last member: what was written before it.

    Attributes:
        members: how many, without the seal.
        digest: see :class:`Sum`.
        rows: of each table.
        size: bytes of all files.
    """

    members: int
    digest: str
    rows: dict[str, int]
    changes: int
    files: int
    size: int


class Sum:
    """The digest over all members: SHA-256 of ``<name> NUL <SHA-256 in hex> LF`` for each."""

    def __init__(self) -> None:
        self.members = 0
        self._sum = hashlib.sha256()

    def add(self, name: str, digest: str) -> None:
        self.members += 1
        self._sum.update(f"{name}\0{digest}\n".encode())

    def hex(self) -> str:
        return self._sum.hexdigest()


def table_of(name: str) -> str | None:
    """The table whose rows a member has; ``changes`` for the log, None for other members."""
    found = _ROWS.fullmatch(name)
    return None if found is None else found[1] or found[2]


def rows_name(table: str, number: int) -> str:
    """The name of a table's member of this number, counted from 1."""
    folder = CHANGES if table == "changes" else f"{TABLES}{table}/"
    return f"{folder}{number:06}.jsonl.gz"
