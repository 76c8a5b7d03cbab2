"""Names on a server: made of a tenant's id and epoch, never of a text that somebody wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from mosaic_core.errors import DatabaseMissing
from mosaic_core.tenants import TenantContext

#: With a prefix of 12 and an epoch of 6 characters, within the 63 bytes of PostgreSQL's names.
_ID = re.compile(r"[a-z0-9]{1,40}\Z")
#: Stands for the schema in what is compiled once; no name has a capital letter.
MARK = "MOSAIC_SCHEMA"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a tenant's tables are: the name of the schema, which may be its role's name, too."""

    tenant: TenantContext
    name: str

    @property
    def subject(self) -> str:
        """What an error calls it."""
        return f"The database of {self.tenant.slug!r}"


class Names:
    """The names of homes that begin with one prefix: ``<prefix>_<tenant id>_<epoch>``."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._pattern = re.compile(rf"{prefix}_([a-z0-9]{{1,40}})_([0-9]{{1,6}})\Z")

    def of(self, tenant: TenantContext) -> str:
        """The name of a tenant's home; a tenant that moves away and back gets another.

        Raises:
            DatabaseMissing: no tenant has such an id.
        """
        if not _ID.match(tenant.tenant_id) or not 0 < tenant.epoch < 1_000_000:
            raise DatabaseMissing(f"{tenant.tenant_id!r} is not a tenant's id.")
        return f"{self.prefix}_{tenant.tenant_id}_{tenant.epoch}"

    def home(self, name: str) -> TenantContext | None:
        """The tenant whose home has this name, known by its id and epoch alone; None when it is
        not one of these names."""
        found = self._pattern.match(name)
        return TenantContext(found[1], name, name, "", epoch=int(found[2])) if found else None


def stamp(tenant: TenantContext) -> str:
    """What stands as a comment at a home, for whoever finds it: whose it is, and since when."""
    return f"MOSAIC, tenant {tenant.tenant_id}, made {datetime.now(UTC).isoformat('T', 'seconds')}"


def made_at(comment: str | None) -> datetime | None:
    """When a home was made, by its :func:`stamp`; None when it does not say."""
    try:
        return datetime.fromisoformat((comment or "").rpartition(" ")[2]).astimezone(UTC)
    except ValueError:
        return None
