"""Whether what is asked of a platform database could be asked of SQL Server, which is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest
from sqlalchemy import Boolean, Column, Connection, Engine, event
from sqlalchemy.dialects.mssql.aioodbc import dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement, Select
from sqlalchemy.sql.visitors import iterate

_DIALECT = dialect(paramstyle="qmark")
#: What other servers take: a truth as a value, or in the place of a comparison; other words.
_NEVER = re.compile(r"\bIS (NOT )?[01?]|\b(LIMIT|RETURNING|ON CONFLICT|TRUE|FALSE)\b|\|\|", re.I)


def refusals(statement: ClauseElement) -> Iterator[str]:
    """Why SQL Server would refuse a statement; nothing when it would not."""
    try:
        text = str(statement.compile(dialect=_DIALECT))
    except CompileError as error:
        yield f"{error}: {statement}"
        return
    if _NEVER.search(text):
        yield text
    if isinstance(statement, Select):
        for column in statement.selected_columns:
            if isinstance(column.type, Boolean) and not isinstance(column, Column):
                yield f"a condition is no value: {text}"


@pytest.fixture(scope="session")
def seen() -> WeakSet[Any]:
    """What was looked at, as it was compiled."""
    return WeakSet()


@pytest.fixture(autouse=True)
def fits_sql_server(seen: WeakSet[Any]) -> Iterator[None]:
    """Each statement on a platform table is looked at, once."""
    found: list[str] = []

    def look(
        connection: Connection, cursor: Any, text: str, values: Any, context: Any, many: bool
    ) -> None:
        compiled = getattr(context, "compiled", None)
        statement = getattr(compiled, "statement", None)
        if statement is None or compiled in seen:
            return
        seen.add(compiled)
        if any(getattr(one, "schema", None) == "platform" for one in iterate(statement)):
            found.extend(refusals(statement))

    event.listen(Engine, "before_cursor_execute", look)
    yield
    event.remove(Engine, "before_cursor_execute", look)
    assert not found, found
