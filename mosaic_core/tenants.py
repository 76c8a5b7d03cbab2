"""Who is served: tenants, the tiers they run on and the plans they buy.

A *tier* is an isolation strategy plus limits; a *plan* is what is sold and points to a tier. Both
are configuration; the three tiers here are the defaults (figures: PRODUCT.md, "The tiers").
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from mosaic_core.errors import InvalidInput

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
#: Names that the platform's own hosts use or may come to use.
RESERVED_SLUGS = frozenset(
    {"www", "api", "portal", "admin", "app", "mail", "status", "static", "assets", "cdn", "auth"}
)


class TenantStatus(enum.StrEnum):
    """What a tenant takes: everything, reads only, or nothing."""

    ACTIVE = "active"
    READ_ONLY = "read-only"
    CLOSED = "closed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class TenantContext:
    """One tenant, as every contract receives it. Passed explicitly, never ambient."""

    tenant_id: str
    slug: str
    name: str
    tier: str
    status: TenantStatus = TenantStatus.ACTIVE
    #: Why it is read-only or closed, in words for its visitors.
    reason: str = ""
    #: Counts the tenant's homes: a tenant that moves gets the next one, and a new database name.
    epoch: int = 1
    database_schema: str | None = None
    blob_storage_prefix: str = field(default="")

    def __post_init__(self) -> None:
        if not self.blob_storage_prefix:
            object.__setattr__(self, "blob_storage_prefix", f"tenant-{self.tenant_id}")


def check_slug(slug: str) -> str:
    """The slug itself, when it can be a host label and is not the platform's own.

    Raises:
        InvalidInput: otherwise, saying what a slug is made of.
    """
    if not _SLUG.match(slug) or slug.startswith("xn--"):
        raise InvalidInput(
            f"{slug[:80]!r} cannot be a tenant's slug.",
            hint="Use 1 to 63 lower-case letters, digits and inner hyphens, such as 'blue-door'.",
        )
    if slug in RESERVED_SLUGS:
        raise InvalidInput(
            f"The slug {slug!r} is reserved for the platform's own hosts.",
            hint="Choose another one.",
        )
    return slug


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Frozen):
    """A tier's limits. ``None`` is unlimited. Sizes in bytes, decimal units (100 MB = 10⁸)."""

    database: ByteSize | None = None
    files: ByteSize | None = None
    #: Of one file that is uploaded.
    file: ByteSize | None = None
    bandwidth_per_month: ByteSize | None = None
    #: How fast pages and files go out once that is used up; None is as fast as before.
    throttled_bits_per_second: Annotated[int, Field(ge=1)] | None = None
    sites: Annotated[int, Field(ge=1)] | None = None
    api_requests_per_month: Annotated[int, Field(ge=0)] | None = None
    custom_domains: bool = True
    #: Whether its people may sign in with an issuer of the tenant's own.
    own_issuer: bool = True
    #: Whether a tenant says from which networks it is reached.
    network_lists: bool = True
    branding_required: bool = False
    #: Days for which the change log, and with it the audit log, tells how things came to be.
    history_days: Annotated[int, Field(ge=1, le=36_500)] | None = None

    def is_throttled(self, served: int) -> bool:
        """Whether who has served so many bytes in a month is slowed down."""
        included = self.bandwidth_per_month
        slows = self.throttled_bits_per_second is not None
        return slows and included is not None and served > included


class Tier(_Frozen):
    """An isolation strategy plus limits; ``persistence`` and ``storage`` name providers."""

    persistence: str
    storage: str
    limits: Limits = Limits()


class Plan(_Frozen):
    """What is sold: ``price`` per billing cycle, in ``currency``."""

    name: str
    tier: str
    price: Decimal = Decimal(0)
    currency: str = "USD"
    billing_cycle: str = "monthly"


def default_tiers() -> dict[str, Tier]:
    """The tiers that ship; one is enabled when its providers' plugins are selected."""
    mb, gb, tb = 10**6, 10**9, 10**12
    return {
        "free": Tier(
            persistence="tenancy_sqlite",
            storage="storage_local",
            limits=Limits(
                database=ByteSize(100 * mb),
                files=ByteSize(1 * gb),
                file=ByteSize(1 * gb),
                bandwidth_per_month=ByteSize(10 * gb),
                throttled_bits_per_second=1_000_000,
                sites=1,
                api_requests_per_month=1_000,
                custom_domains=False,
                own_issuer=False,
                network_lists=False,
                branding_required=True,
                history_days=30,
            ),
        ),
        "paid": Tier(
            persistence="tenancy_sqlschema",
            storage="storage_azureblob",
            limits=Limits(
                database=ByteSize(250 * gb),
                files=ByteSize(100 * gb),
                file=ByteSize(10 * gb),
                bandwidth_per_month=ByteSize(100 * gb),
                sites=5,
                api_requests_per_month=10_000,
                own_issuer=False,
                network_lists=False,
                history_days=90,
            ),
        ),
        "enterprise": Tier(
            persistence="tenancy_dedicated",
            storage="storage_azureblob",
            limits=Limits(database=ByteSize(1 * tb), file=ByteSize(100 * gb), history_days=365),
        ),
    }
