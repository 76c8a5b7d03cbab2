"""Where things are used: what content refers to, noted in the very write that changes it.

A page, a shared block or a menu *uses* what its draft or its live content names: ``page:<id>``,
``media:<id>`` or ``shared:<id>``, in whatever block, field or text that stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import bindparam, delete, event, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mosaic_cms.content.models import Menu, Page, PageVersion, SharedBlock
from mosaic_cms.content.published import ContentReference
from mosaic_cms.content.references import in_chunks, references_in
from mosaic_core.types import canonical_json

State = Literal["draft", "live", "both"]
#: What a source refers to: in its draft, and in what is live of it.
Ends = tuple[set[str], set[str]]

#: Where a session has what it touched, while somebody watches.
_KEY = "mosaic_touched"
_KINDS: dict[type, str] = {Page: "page", SharedBlock: "shared", Menu: "menu"}
_NOTED = select(ContentReference).where(
    ContentReference.source.in_(bindparam("sources", expanding=True))
)


@dataclass(slots=True)
class Touched:
    """The sources that a write changed: what they refer to may be other things now.

    Attributes:
        rows: the changed rows, by ``page:<id>``, ``shared:<id>`` or ``menu:<id>``.
        new: those that were not there before.
        live: pages whose live version is another one.
        gone: those that are there no more.
        versions: new ones; the session finds them without asking while somebody holds them.
    """

    rows: dict[str, Any] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    versions: list[PageVersion] = field(default_factory=list)

    def saw(self, session: Session) -> None:
        """Takes what a session has flushed."""
        for row in session.deleted:
            if type(row) in _KINDS:
                self.gone.add(_source(row))
                self.rows.pop(_source(row), None)
        for row in session.new:
            if isinstance(row, PageVersion):
                self.versions.append(row)
            elif type(row) in _KINDS:
                self.rows[_source(row)] = row
                self.new.add(_source(row))
                self.live.add(_source(row))
        for row in session.dirty:
            if type(row) in _KINDS and session.is_modified(row):
                self.rows[_source(row)] = row
                if not isinstance(row, Page) or _has_other_live(row):
                    self.live.add(_source(row))


@contextmanager
def watching(session: Session) -> Iterator[Touched]:
    """Sees which sources are flushed, whoever changed them."""
    touched = session.info[_KEY] = Touched()
    try:
        yield touched
    finally:
        del session.info[_KEY]


# Of all sessions (see mosaic_core.head.recorder).
@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, context: Any) -> None:
    touched: Touched | None = session.info.get(_KEY)
    if touched is not None:
        touched.saw(session)


async def note_references(session: AsyncSession, touched: Touched) -> None:
    """Brings the table of references to what the touched sources refer to now."""
    ends: dict[str, Ends] = {}
    for source, row in touched.rows.items():
        draft = named_in(_draft(row))
        live = await _live(session, row, draft) if source in touched.live else set()
        ends[source] = draft, live
    there: dict[str, dict[str, ContentReference]] = {}
    for row in await _noted(session, (ends.keys() - touched.new) | touched.gone):
        there.setdefault(row.source, {})[row.target] = row
    for source, (_, live) in ends.items():
        if source not in touched.live:
            kept = there.get(source, {}).values()
            live |= {row.target for row in kept if row.state != "draft"}
    for source in touched.gone - ends.keys():
        ends[source] = set(), set()
    for source, both in ends.items():
        await _put(session, source, _states(both), there.get(source, {}))


async def note_again(session: AsyncSession, rows: Iterable[Any]) -> None:
    """Brings the table to what some pages, shared blocks or menus refer to, changed or not."""
    every = {_source(row): row for row in rows}
    await note_references(session, Touched(rows=every, live=set(every)))


async def forget_gone(session: AsyncSession) -> None:
    """Takes out what points from things that are there no more."""
    noted = set(await session.scalars(select(ContentReference.source).distinct()))
    tables: tuple[Any, ...] = tuple(_KINDS)
    for table in tables:
        ids = await session.scalars(select(table.id))
        noted -= {f"{_KINDS[table]}:{key}" for key in ids}
    for chunk in in_chunks(sorted(noted)):
        await session.execute(delete(ContentReference).where(ContentReference.source.in_(chunk)))


def named_in(value: Any) -> set[str]:
    """All that a JSON value refers to, as ``page:<id>``, ``media:<id>`` and ``shared:<id>``."""
    if not value:
        return set()
    return {f"{kind}:{key}" for kind, key in references_in(canonical_json(value))}


def _source(row: Any) -> str:
    return f"{_KINDS[type(row)]}:{row.id}"


def _has_other_live(page: Page) -> bool:
    history = inspect(page).attrs.live_version_id.history
    return bool(history.has_changes())


def _draft(row: Any) -> Any:
    if isinstance(row, Page):
        return [row.regions, row.details]
    return row.blocks if isinstance(row, SharedBlock) else row.items


async def _live(session: AsyncSession, row: Any, draft: set[str]) -> set[str]:
    """What the live content of a source refers to; ``draft`` is what its draft does."""
    if isinstance(row, Menu):
        return named_in(row.items)
    if isinstance(row, SharedBlock):
        return named_in(row.live)
    if row.live_version_id is None:
        return set()
    version = await session.get_one(PageVersion, row.live_version_id)
    live = [version.regions, version.details]
    return set(draft) if live == _draft(row) else named_in(live)


def _states(ends: Ends) -> dict[str, State]:
    draft, live = ends
    states: dict[str, State] = dict.fromkeys(draft - live, "draft")
    states |= dict.fromkeys(live - draft, "live")
    states |= dict.fromkeys(draft & live, "both")
    return states


async def _put(
    session: AsyncSession,
    source: str,
    states: dict[str, State],
    there: dict[str, ContentReference],
) -> None:
    for target, row in there.items():
        if target in states:
            row.state = states[target]
        else:
            await session.delete(row)
    for target in sorted(states.keys() - there.keys()):
        session.add(ContentReference(source=source, target=target, state=states[target]))


async def _noted(session: AsyncSession, sources: Collection[str]) -> list[ContentReference]:
    found: list[ContentReference] = []
    for chunk in in_chunks(sources):
        found += await session.scalars(_NOTED, {"sources": chunk})
    return found
