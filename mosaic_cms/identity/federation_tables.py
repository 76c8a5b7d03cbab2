"""Which domains are a tenant's, and the issuer of its own; in the platform database.

Whom an issuer knows as which account is in
:class:`~mosaic_cms.identity.tables.ExternalIdentity`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import PlatformBase

_TENANT = "platform.tenants.tenant_id"


class DomainProof(PlatformBase):
    """That a tenant says a domain is its own, and when that was seen in the domain's records.

    Several tenants may say so of one, and even show it; a site is there for one of them only, which
    the directory knows.
    """

    __tablename__ = "domain_proofs"
    __table_args__ = ({"sqlite_strict": True},)

    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT), primary_key=True)
    #: In the form of ``normalise_host``.
    domain: Mapped[str] = mapped_column(types.Text(253), primary_key=True)
    #: What the domain's record has to say. No secret: everybody can read it there.
    token: Mapped[str] = mapped_column(types.Text(64))
    #: Whether the domain leads to a site, and to which; None for the tenant's first.
    serves: Mapped[bool] = mapped_column(types.Boolean())
    site: Mapped[str | None] = mapped_column(types.Text(63))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Since when it is proven; None while it is not, or not any more.
    proven_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    #: When the record was seen last.
    seen_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())


class TenantIssuer(PlatformBase):
    """The issuer that a tenant's people sign in with."""

    __tablename__ = "tenant_issuers"
    __table_args__ = ({"sqlite_strict": True},)

    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT), primary_key=True)
    title: Mapped[str] = mapped_column(types.Text(60))
    issuer: Mapped[str] = mapped_column(types.Text(300))
    client_id: Mapped[str] = mapped_column(types.Text(300))
    #: Sealed; None for a client without one.
    secret: Mapped[bytes | None] = mapped_column(types.Bytes())
    #: The domains below which addresses have to be that it vouches for.
    domains: Mapped[list[Any]] = mapped_column(types.Json())
    changed_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
