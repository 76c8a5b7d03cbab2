"""The platform's own tables. Each row remembers the directory's version at which it changed, so
that an instance learns of news by reading what came after the version that it knows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import PlatformBase, derived


class TenantRow(PlatformBase):
    """A tenant: who it is, where it lives, whether it is served."""

    __tablename__ = "tenants"
    __table_args__ = ({"sqlite_strict": True},)

    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    slug: Mapped[str] = mapped_column(types.Text(63), unique=True)
    name: Mapped[str] = mapped_column(types.Text(200))
    tier: Mapped[str] = mapped_column(types.Text(63))
    status: Mapped[str] = mapped_column(types.Text(16))
    reason: Mapped[str] = mapped_column(types.Text(500))
    epoch: Mapped[int] = mapped_column(types.Integer())
    database_schema: Mapped[str | None] = mapped_column(types.Text(63))
    #: The migrations that its database stands at.
    revision: Mapped[str] = mapped_column(types.Text(500), index=True)
    subscription_status: Mapped[str] = mapped_column(types.Text(32))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    changed: Mapped[int] = mapped_column(types.Integer(), index=True)


class DomainRow(PlatformBase):
    """A custom domain, in the form of ``normalise_host``. ``active`` is False once given up."""

    __tablename__ = "domains"
    __table_args__ = ({"sqlite_strict": True},)

    host: Mapped[str] = mapped_column(types.Text(253), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(
        types.Text(64), ForeignKey("platform.tenants.tenant_id"), index=True
    )
    site: Mapped[str | None] = mapped_column(types.Text(63))
    active: Mapped[bool] = mapped_column(types.Boolean())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    changed: Mapped[int] = mapped_column(types.Integer(), index=True)


class HintRow(PlatformBase):
    """Says when a tenant's outbox may have messages about a topic that are due. Sometimes spurious
    or too early, never missing."""

    __tablename__ = "hints"
    __table_args__ = (
        Index(None, "topic", "due"),
        {"sqlite_strict": True, "info": derived()},
    )

    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    topic: Mapped[str] = mapped_column(types.Text(100), primary_key=True)
    due: Mapped[datetime] = mapped_column(types.UTCDateTime())


class DueRow(PlatformBase):
    """Says when something is due next at a tenant. Sometimes too early, never too late."""

    __tablename__ = "due"
    __table_args__ = (
        Index(None, "due"),
        {"sqlite_strict": True, "info": derived()},
    )

    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    due: Mapped[datetime] = mapped_column(types.UTCDateTime())


class ThemeSetRow(PlatformBase):
    """The themes of one version of the deployment, in which tenants' pages were rendered."""

    __tablename__ = "theme_sets"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    key: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    #: The state of each theme in it, by name.
    revisions: Mapped[dict[str, Any]] = mapped_column(types.Json())
    content: Mapped[bytes] = mapped_column(types.Bytes())
    #: When a server with it started, while those of another version were the newest.
    began: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    #: When a process that has it, or a page that needs it, was there, give or take an hour.
    seen: Mapped[datetime] = mapped_column(types.UTCDateTime())


class RenderedRow(PlatformBase):
    """Says that a tenant may have pages that were rendered in a set of themes. Sometimes spurious,
    never missing."""

    __tablename__ = "rendered"
    __table_args__ = (
        Index(None, "theme_set"),
        {"sqlite_strict": True, "info": derived()},
    )

    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    #: Empty where nobody knows which.
    theme_set: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    #: From when on the tenant's pages may be rendered in the newest themes instead.
    again: Mapped[datetime] = mapped_column(types.UTCDateTime())


class LeaseRow(PlatformBase):
    """Who works at a tenant as a whole (see :mod:`mosaic_core.directory.leases`)."""

    __tablename__ = "leases"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    #: Of a tenant that may not be known yet, or not any more.
    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    #: The version of the platform's head at which it was taken.
    token: Mapped[int] = mapped_column(types.Integer())
    work: Mapped[str] = mapped_column(types.Text(16))
    holder: Mapped[str] = mapped_column(types.Text(200))
    #: Milliseconds of the database's clock: when it was taken, when it was renewed, and for how
    #: long it is held from then on.
    since: Mapped[int] = mapped_column(types.Integer())
    renewed: Mapped[int] = mapped_column(types.Integer())
    lasts: Mapped[int] = mapped_column(types.Integer())


class RolloutRow(PlatformBase):
    """Where the migration of all tenants paused (see :mod:`mosaic_core.directory.rollouts`)."""

    __tablename__ = "rollouts"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    #: To which the tenants are to come.
    revision: Mapped[str] = mapped_column(types.Text(500), primary_key=True)
    wave: Mapped[str] = mapped_column(types.Text(16))
    #: Why, by the ids of the tenants that failed.
    failures: Mapped[dict[str, Any]] = mapped_column(types.Json())
    actor: Mapped[str] = mapped_column(types.Text(200))
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class FormerSlugRow(PlatformBase):
    """A slug that a tenant had, until when it is kept for it."""

    __tablename__ = "former_slugs"
    __table_args__ = ({"sqlite_strict": True},)

    slug: Mapped[str] = mapped_column(types.Text(63), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(
        types.Text(64), ForeignKey("platform.tenants.tenant_id"), index=True
    )
    until: Mapped[datetime] = mapped_column(types.UTCDateTime())
    changed: Mapped[int] = mapped_column(types.Integer(), index=True)


class ImportRow(PlatformBase):
    """A tenant that is made of a bundle (see :mod:`mosaic_core.directory.imports`)."""

    __tablename__ = "imports"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    #: Of a tenant that is not known yet.
    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    bundle_id: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    slug: Mapped[str] = mapped_column(types.Text(63))
    tier: Mapped[str] = mapped_column(types.Text(63))
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Nobody goes on with it, and what there is of it is removed.
    given_up: Mapped[bool] = mapped_column(types.Boolean())


class DeletionRow(PlatformBase):
    """A tenant that was deleted; once it is gone, what there was of it."""

    __tablename__ = "deletions"
    __table_args__ = ({"sqlite_strict": True},)

    #: Without a foreign key: it outlives the tenant.
    tenant_id: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(types.UTCDateTime(), primary_key=True)
    actor: Mapped[str] = mapped_column(types.Text(200))
    #: When all of it is removed.
    due: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: That it had before.
    status: Mapped[str] = mapped_column(types.Text(16))
    #: What there was, noted before anything was removed.
    found: Mapped[dict[str, Any] | None] = mapped_column(types.Json())
    certificate: Mapped[dict[str, Any] | None] = mapped_column(types.Json())
