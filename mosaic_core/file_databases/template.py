"""The file that new tenants are copied from: made once by the migrations, then kept."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.file_databases import disk

#: Seconds after which nobody fills a draft any more: its process was killed.
_ABANDONED = 3600.0


def template_bytes(folder: Path, schema: TenantSchema) -> bytes:
    """An empty tenant database at the current revision, some 100 KB.

    It is kept in ``folder`` under a name that the revision determines, so that a process start does
    not run the migrations again.
    """
    revision = hashlib.sha256(schema.history.current.encode()).hexdigest()[:16]
    path = folder / f"template-{revision}.db"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    if not content.startswith(b"SQLite format 3\0"):
        content = _make(path, schema)
    return content


def _make(path: Path, schema: TenantSchema) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _fill(draft, schema)
        content = draft.read_bytes()
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:  # each start tries again: on a full disk, it would be fuller each time
        disk.remove(draft)
        raise
    return content


def _fill(draft: Path, schema: TenantSchema) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {sqlite.PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    engine = create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(draft, isolation_level=None),
        execution_options={"schema_translate_map": {"tenant": None}},
    )
    with engine.connect() as connected:
        schema.history.upgrade(connected, "the template")
        connected.commit()
    engine.dispose()


def _remove_abandoned(path: Path) -> None:
    for draft in path.parent.glob(f"{path.name}.*"):
        with suppress(FileNotFoundError):  # its process was quicker
            if time.time() - draft.stat().st_mtime > _ABANDONED:
                draft.unlink()
