"""What a move is, and the steps in which it is done or undone.

Each step can be done again: a process that is killed leaves the move at a step, and whoever takes
it up does that step anew. Nothing is lost or doubled by it.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import PlatformBase, derived


class Step(enum.StrEnum):
    """The steps of a move, in their order, and those that undo one that has not switched."""

    #: Make the new home, fenced, in the place of what an earlier try left.
    PROVISION = "provision"
    #: Have the old home's log say which derived rows change, and copy a snapshot.
    COPY = "copy"
    #: Copy the files.
    FILES = "files"
    #: Catch up, and compare everything.
    VERIFY = "verify"
    #: Catch up until the two are nearly level.
    FOLLOW = "follow"
    #: Where they are elsewhere, the files are made the same; whoever changes one waits.
    SETTLE = "settle"
    #: The old home takes no writes.
    FENCE = "fence"
    #: Catch up for the last time, so that both heads are equal; then the directory says the new
    #: home. From there on there is no way back but another move.
    SWITCH = "switch"
    #: The old home says that the tenant has moved, for ever.
    RETIRE = "retire"
    #: The new home takes writes.
    OPEN = "open"
    #: The end of a move.
    DONE = "done"
    #: The old home takes writes again.
    REOPEN = "reopen"
    #: Remove what was made of the new home.
    DISCARD = "discard"
    #: The end of what was undone.
    UNDONE = "undone"

    @property
    def next(self) -> Step:
        """The step after this one."""
        way = FORWARD if self in FORWARD else BACK
        return way[way.index(self) + 1]

    @property
    def ended(self) -> bool:
        return self in {Step.DONE, Step.UNDONE}

    @property
    def may_turn_back(self) -> bool:
        """Whether the move can still be undone."""
        return self in FORWARD[: FORWARD.index(Step.SWITCH) + 1]


BACK = (Step.REOPEN, Step.DISCARD, Step.UNDONE)
FORWARD = tuple(step for step in Step if step not in BACK)


class MoveRow(PlatformBase):
    """A move of a tenant, and how far it has come."""

    __tablename__ = "moves"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(types.Text(64), index=True)
    from_tier: Mapped[str] = mapped_column(types.Text(63))
    from_epoch: Mapped[int] = mapped_column(types.Integer())
    to_tier: Mapped[str] = mapped_column(types.Text(63))
    to_epoch: Mapped[int] = mapped_column(types.Integer())
    #: What is to be done next.
    step: Mapped[str] = mapped_column(types.Text(16), index=True)
    #: The lease of whoever did the last step.
    token: Mapped[int] = mapped_column(types.Integer())
    #: Somebody asked that it be undone.
    cancelled: Mapped[bool] = mapped_column(types.Boolean())
    actor: Mapped[str] = mapped_column(types.Text(200))
    began_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    changed_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: When the old home ceased to take writes, and for how many milliseconds nobody took any.
    fenced_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    pause: Mapped[int | None] = mapped_column(types.Integer())
    progress: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: Why it was undone, or why its last try failed.
    error: Mapped[str] = mapped_column(types.Text())
    #: Until when what it left is kept: the old home, or the new one of a move that was undone and
    #: could not be removed. None once nothing is left.
    kept_until: Mapped[datetime | None] = mapped_column(types.UTCDateTime(), index=True)


@dataclass(frozen=True, slots=True)
class Move:
    """A move as it stands (see :class:`MoveRow`)."""

    id: uuid.UUID
    tenant_id: str
    from_tier: str
    from_epoch: int
    to_tier: str
    to_epoch: int
    step: Step
    cancelled: bool
    actor: str
    began_at: datetime
    changed_at: datetime
    fenced_at: datetime | None
    pause: int | None
    progress: dict[str, Any]
    error: str
    kept_until: datetime | None

    @classmethod
    def of(cls, row: MoveRow) -> Move:
        return cls(
            id=row.id,
            tenant_id=row.tenant_id,
            from_tier=row.from_tier,
            from_epoch=row.from_epoch,
            to_tier=row.to_tier,
            to_epoch=row.to_epoch,
            step=Step(row.step),
            cancelled=row.cancelled,
            actor=row.actor,
            began_at=row.began_at,
            changed_at=row.changed_at,
            fenced_at=row.fenced_at,
            pause=row.pause,
            progress=dict(row.progress),
            error=row.error,
            kept_until=row.kept_until,
        )
