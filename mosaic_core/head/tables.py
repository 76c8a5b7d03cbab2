"""The kernel's own tenant tables: the head row, the change log, the outbox, the migrations."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    update,
)

from mosaic_core import types
from mosaic_core.database import PlatformBase, TenantBase, kernel_table
from mosaic_core.head.statements import KernelStatement

#: The digest before the first change, and the salt's and digests' size in bytes.
GENESIS = bytes(32)
SALT_BYTES = 16
#: Characters of an entity's id in the log.
LONGEST_ID = 200


def _head(metadata: MetaData) -> Table:
    """One row. ``owner`` says whose database this is, so that no write can land in another's."""
    return Table(
        "head",
        metadata,
        Column("owner", types.Text(64), primary_key=True),
        Column("status", types.Text(16), nullable=False),
        Column("epoch", types.Integer(), nullable=False),
        Column("version", types.Integer(), nullable=False),
        Column("published", types.Integer(), nullable=False),
        # The chain's value after the newest change.
        Column("digest", types.Bytes(), nullable=False),
        # Changes up to here were compacted: only the newest image of each living row is kept.
        Column("base_version", types.Integer(), nullable=False),
        info=kernel_table(),
        sqlite_strict=True,
    )


def _changes(metadata: MetaData) -> Table:
    return Table(
        "changes",
        metadata,
        Column("version", types.Integer(), primary_key=True, autoincrement=False),
        Column("seq", types.Integer(), primary_key=True, autoincrement=False),
        Column("write_id", types.Uuid(), nullable=False),
        Column("at", types.UTCDateTime(), nullable=False),
        Column("actor", types.Text(200), nullable=False),
        Column("action", types.Text(100), nullable=False),
        Column("operation", types.Text(16), nullable=False),
        Column("entity", types.Text(64), nullable=False),
        Column("entity_id", types.Text(LONGEST_ID), nullable=False),
        # Outside the chain, so that both can be erased.
        Column("salt", types.Bytes()),
        Column("image", types.Json()),
        # SHA-256 over salt and image.
        Column("image_digest", types.Bytes(), nullable=False),
        # SHA-256 over the previous chain value and everything above but salt and image.
        Column("chain", types.Bytes(), nullable=False),
        UniqueConstraint("write_id", "seq"),
        Index(None, "entity", "entity_id", "version"),
        info=kernel_table(),
        sqlite_strict=True,
    )


def _outbox(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("id", types.Uuid(), primary_key=True),
        Column("at", types.UTCDateTime(), nullable=False),
        Column("topic", types.Text(100), nullable=False),
        Column("payload", types.Json(), nullable=False),
        # When it is to be done or tried again; NULL once it was given up.
        Column("due", types.UTCDateTime(), index=True),
        Column("attempts", types.Integer(), nullable=False),
        Column("error", types.Text(), nullable=False),
        info=kernel_table(),
        sqlite_strict=True,
    )


def _migrations(metadata: MetaData) -> Table:
    return Table(
        "migrations",
        metadata,
        # What the database has, and whether code has to know it to serve it.
        Column("revision", types.Text(32), primary_key=True),
        Column("required", types.Boolean(), nullable=False),
        info=kernel_table(),
        sqlite_strict=True,
    )


class Moved(NamedTuple):
    """What a write finds when it has moved the head."""

    version: int
    published: int
    status: str
    epoch: int
    digest: bytes


class HeadTables:
    """The tables in one metadata; the platform database has a head too.

    The statements of every write are made once, here: to make one costs as much as to run it. Their
    parameters are ``whose``, the owner, and what the write puts into the head at its end.
    """

    def __init__(self, metadata: MetaData) -> None:
        self.head = head = _head(metadata)
        self.changes = _changes(metadata)
        self.outbox = _outbox(metadata)
        self.migrations = _migrations(metadata)
        owned = update(head).where(head.c.owner == bindparam("whose"))
        #: Moves the head: the lock, the order and the state in one statement.
        self.move = KernelStatement(
            owned.values(version=head.c.version + 1).returning(
                *(head.c[name] for name in Moved._fields)
            )
        )
        self.append = KernelStatement(insert(self.changes))
        #: Records the chain's new value in the head.
        self.seal = KernelStatement(
            owned.values(digest=bindparam("chain"), published=bindparam("shown"))
        )


TENANT = HeadTables(TenantBase.metadata)
PLATFORM = HeadTables(PlatformBase.metadata)


def first_head(owner: str, epoch: int) -> dict[str, Any]:
    """The values of a new database's head row."""
    return {
        "owner": owner,
        "status": "open",
        "epoch": epoch,
        "version": 0,
        "published": 0,
        "digest": GENESIS,
        "base_version": 0,
    }
