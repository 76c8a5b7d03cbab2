"""A connection of ODBC's that answers by heart, under the real clients: what is sent is written
down. It knows nothing of SQL; what it answers is what a home of one toy would."""

from __future__ import annotations

from typing import Any

from mosaic_core.database import TenantSchema
from mosaic_core.tenants import TenantContext

Rows = list[tuple[Any, ...]]


class Scripted:
    """Stands in for the module's ``connect``."""

    def __init__(self, tenant: TenantContext, schema: TenantSchema) -> None:
        self.sent: list[str] = []
        revisions = schema.history.current.split(",")
        self.answers: dict[str, Rows] = {
            "SERVERPROPERTY": [("16.0.1000.6",)],
            "schema_name()": [("dbo",)],
            "sys.system_views": [("dm_exec_sessions",)],
            "transaction_isolation_level": [("READ COMMITTED",)],
            "test max support": [("test max support",)],
            "sp_getapplock": [(0,)],
            "COUNT(*) FROM sys.schemas": [(1,)],
            "SELECT version_num": [(one,) for one in revisions],
            "SELECT owner": [(tenant.tenant_id,)],
            "SELECT version, published": [(1, 1, "open", 1)],
            "OUTPUT inserted.version": [(2, 1, "open", 1, bytes(32))],
        }

    def __call__(self, *args: Any, **options: Any) -> Connection:
        return Connection(self)


class Connection:
    autocommit = False

    def __init__(self, script: Scripted) -> None:
        self._script = script

    def cursor(self) -> Cursor:
        return Cursor(self._script)

    def commit(self) -> None:
        self._script.sent.append("COMMIT")

    def rollback(self) -> None:
        self._script.sent.append("ROLLBACK")

    def close(self) -> None:
        self._script.sent.append("CLOSE")

    def add_output_converter(self, *args: Any) -> None:
        """There is nothing to convert."""


class Cursor:
    rowcount = 1
    arraysize = 1
    description: Any = None

    def __init__(self, script: Scripted) -> None:
        self._script = script
        self._rows: Rows = []

    def execute(self, sql: str, *values: Any) -> Cursor:
        self._script.sent.append(" ".join(sql.split()))
        answers = self._script.answers
        known = next((rows for text, rows in answers.items() if text in sql), None)
        self._rows = list(known or [])
        reads = known is not None or sql.lstrip().startswith("SELECT")
        width = len(self._rows[0]) if self._rows else 1
        self.description = [(f"c{at}", *[None] * 6) for at in range(width)] if reads else None
        return self

    def fetchall(self) -> Rows:
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def nextset(self) -> bool:
        return False

    def setinputsizes(self, sizes: Any) -> None:
        """They are the driver's business."""

    def close(self) -> None:
        self._rows = []
