"""Records every change of a row as the unit of work flushes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table, event
from sqlalchemy.orm import InstanceState, Session, UOWTransaction
from sqlalchemy.orm.attributes import flag_modified, instance_state
from sqlalchemy.util import IdentitySet

from mosaic_core.database.schema import is_derived
from mosaic_core.errors import UnloggedWrite
from mosaic_core.head.chain import DELETE, DERIVE, INSERT, UPDATE, Change
from mosaic_core.head.guard import Permit
from mosaic_core.head.tables import LONGEST_ID
from mosaic_core.types import Json, canonical_json

_ORDER = {INSERT: 0, UPDATE: 1, DELETE: 2}


#: Where a session has its recorder, while it has one.
_KEY = "mosaic_recorder"


@contextmanager
def recording(session: Session, permit: Permit) -> Iterator[list[Change]]:
    """The list that the session's changes are added to, in the order of their flushes."""
    recorder = session.info[_KEY] = _Recorder(permit)
    try:
        yield recorder.changes
    finally:
        del session.info[_KEY]


def record(session: Session, change: Change) -> None:
    """Adds a change that the unit of work does not know, in its place among the others."""
    recorder: _Recorder = session.info[_KEY]
    recorder.changes.append(change)


class _Recorder:
    """What one session changes while it is recorded."""

    def __init__(self, permit: Permit) -> None:
        self.changes: list[Change] = []
        self._permit = permit
        self._modified = IdentitySet()

    def before(self, session: Session) -> None:
        self._permit.flushing = True
        # An SQL expression is no longer seen as a change once it was flushed, so look before, too.
        self._modified.clear()
        self._modified.update(row for row in session.dirty if session.is_modified(row))
        for row in self._modified:
            _write_json_again(row)

    def after(self, session: Session, context: UOWTransaction) -> None:
        self._permit.flushing = False
        flushed = []
        # The unit of work knows more than the session's lists: orphans that it deletes, and rows
        # that take the place of deleted ones.
        for state, (deleting, only_listed) in context.states.items():
            row = state.obj()
            if only_listed or row is None:
                continue
            if deleting:
                operation = DELETE
            elif row in session.new:
                operation = INSERT
            elif row in self._modified or session.is_modified(row):
                operation = UPDATE
            else:
                continue
            for change in _changes(operation, state, row, self._permit):
                flushed.append((_ORDER[operation], state.insert_order or 0, change))
        flushed.sort(key=lambda item: (*item[:2], item[2].entity, item[2].entity_id))
        self.changes.extend(change for *_, change in flushed)


# Of all sessions, most of which are not recorded: to tell each one that is takes as long as what it
# changes.
@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, context: UOWTransaction, instances: Any) -> None:
    recorder: _Recorder | None = session.info.get(_KEY)
    if recorder is not None:
        if instances is not None:
            raise UnloggedWrite(
                "The function of a write flushed some objects and not others.",
                hint="Call flush() without arguments.",
            )
        recorder.before(session)


@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, context: UOWTransaction) -> None:
    recorder: _Recorder | None = session.info.get(_KEY)
    if recorder is not None:
        recorder.after(session, context)


def _write_json_again(row: Any) -> None:
    """A JSON value that was changed in place is not seen as a change: the image would have it and
    the database would not. So whenever a row is written, its JSON is."""
    state = instance_state(row)
    for attribute in state.mapper.column_attrs:
        if isinstance(attribute.columns[0].type, Json) and attribute.key in state.dict:
            flag_modified(row, attribute.key)


def _changes(
    operation: str, state: InstanceState[Any], row: Any, permit: Permit
) -> Iterator[Change]:
    mapper = state.mapper
    table = mapper.local_table
    if not isinstance(table, Table):
        return
    if is_derived(table):
        if permit.followed:
            yield from _derived(table, state, row)
        return
    if operation == UPDATE and state.identity != tuple(mapper.primary_key_from_instance(row)):
        raise UnloggedWrite(
            f"The primary key of {table.name} {state.identity} was changed.",
            hint="Delete the row and add another one.",
        )
    image: dict[str, Any] = {}
    for column in table.columns:
        value = getattr(row, mapper.get_property_by_column(column).key)
        image[column.name] = column.type.to_image(value)
    identity = entity_id(table, image)
    yield Change(operation, table.name, identity, None if operation == DELETE else image)


def _derived(table: Table, state: InstanceState[Any], row: Any) -> Iterator[Change]:
    """Says that a derived row was changed, and not how: whoever follows looks at it, and at where
    it was if its key was changed."""
    keys = [tuple(state.mapper.primary_key_from_instance(row))]
    if state.identity is not None and tuple(state.identity) not in keys:
        keys.append(tuple(state.identity))
    types = [column.type for column in state.mapper.primary_key]
    for key in keys:
        images = [kind.to_image(value) for kind, value in zip(types, key, strict=True)]  # type: ignore[attr-defined]
        found = canonical_json(images)
        yield Change(DERIVE, table.name, found if len(found) <= LONGEST_ID else "", None)


def entity_id(table: Table, image: dict[str, Any]) -> str:
    """A row's primary key as text: the value itself, or a JSON list of several."""
    key = [image[column.name] for column in table.primary_key.columns]
    return str(key[0]) if len(key) == 1 else canonical_json(key)
