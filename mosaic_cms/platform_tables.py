"""What the product keeps in the platform database beside people: what was refused, what was used,
what was answered, and from where a tenant is reached."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import PlatformBase, derived


class NetworkList(PlatformBase):
    """The networks from which a tenant is reached. A tenant without a row is reached from all."""

    __tablename__ = "network_lists"
    __table_args__ = ({"sqlite_strict": True},)

    tenant_id: Mapped[str] = mapped_column(
        types.Text(64), ForeignKey("platform.tenants.tenant_id"), primary_key=True
    )
    #: Networks in CIDR's notation; where there are any, no other is let in.
    allow: Mapped[list[str]] = mapped_column(types.Json())
    #: Those that are not let in, also when they are in the other list.
    block: Mapped[list[str]] = mapped_column(types.Json())


class AuditEntry(PlatformBase):
    """What somebody tried, and what came of it, where the change log of a tenant has nothing of
    it: refusals, and signing in."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "tenant_id", "id"),
        {"sqlite_strict": True, "info": derived()},
    )

    #: In the order of time.
    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    tenant_id: Mapped[str | None] = mapped_column(types.Text(64))
    actor: Mapped[str] = mapped_column(types.Text(200))
    action: Mapped[str] = mapped_column(types.Text(100))
    #: done, refused or failed.
    outcome: Mapped[str] = mapped_column(types.Text(16))
    reason: Mapped[str] = mapped_column(types.Text(1000))
    address: Mapped[str] = mapped_column(types.Text(64))
    #: How often the same was tried in the same while.
    times: Mapped[int] = mapped_column(types.Integer())


class Usage(PlatformBase):
    """How much of something a tenant used in a month, such as API requests."""

    __tablename__ = "usage"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    what: Mapped[str] = mapped_column(types.Text(32), primary_key=True)
    #: As in 2026-11.
    month: Mapped[str] = mapped_column(types.Text(7), primary_key=True)
    amount: Mapped[int] = mapped_column(types.Integer())


class ApiAnswer(PlatformBase):
    """What a write over the API was answered, for whoever sends it again."""

    __tablename__ = "api_answers"
    __table_args__ = (Index(None, "at"), {"sqlite_strict": True, "info": derived()})

    #: A digest of who sent it, and of the key that they gave it.
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), primary_key=True)
    #: A digest of what was asked.
    request: Mapped[bytes] = mapped_column(types.Bytes())
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: 0 while it is being done.
    status: Mapped[int] = mapped_column(types.Integer())
    #: Sealed: it may have a key that is shown once.
    content: Mapped[bytes | None] = mapped_column(types.Bytes())
