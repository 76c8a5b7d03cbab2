"""Records every change of a row as the unit of work flushes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table, event, inspect
from sqlalchemy.orm import Session, UOWTransaction

from mosaic_core.database.schema import is_derived
from mosaic_core.errors import UnloggedWrite
from mosaic_core.head.chain import DELETE, INSERT, UPDATE, Change
from mosaic_core.head.guard import Permit
from mosaic_core.types import canonical_json, to_image


@contextmanager
def recording(session: Session, permit: Permit) -> Iterator[list[Change]]:
    """The list that the session's changes are added to, in the order of their flushes."""
    changes: list[Change] = []

    def before_flush(session: Session, context: UOWTransaction, instances: Any) -> None:
        permit.flushing = True

    def after_flush(session: Session, context: UOWTransaction) -> None:
        permit.flushing = False
        for row in session.new:
            _add(changes, INSERT, row)
        for row in session.dirty:
            if session.is_modified(row, include_collections=False):
                _add(changes, UPDATE, row)
        for row in session.deleted:
            _add(changes, DELETE, row)

    def before_commit(session: Session) -> None:
        if not permit.committing:
            raise UnloggedWrite(
                "The function of a write called commit().",
                hint="Return from it instead; the write commits.",
            )

    listeners = (
        ("before_flush", before_flush),
        ("after_flush", after_flush),
        ("before_commit", before_commit),
    )
    for name, listener in listeners:
        event.listen(session, name, listener)
    try:
        yield changes
    finally:
        for name, listener in listeners:
            event.remove(session, name, listener)


def _add(changes: list[Change], operation: str, row: object) -> None:
    mapper = inspect(type(row), raiseerr=True)
    table = mapper.local_table
    if not isinstance(table, Table) or is_derived(table):
        return
    image: dict[str, Any] = {}
    for attribute in mapper.column_attrs:
        value = getattr(row, attribute.key)
        image[attribute.columns[0].name] = to_image(value)
    identity = entity_id(table, image)
    before = inspect(row, raiseerr=True).identity
    if operation == UPDATE and tuple(before or ()) != tuple(mapper.primary_key_from_instance(row)):
        raise UnloggedWrite(f"The primary key of {table.name} {before} was changed.")
    changes.append(Change(operation, table.name, identity, None if operation == DELETE else image))


def entity_id(table: Table, image: dict[str, Any]) -> str:
    """A row's primary key as text: the value itself, or a JSON list of several."""
    key = [image[column.name] for column in table.primary_key.columns]
    return str(key[0]) if len(key) == 1 else canonical_json(key)
