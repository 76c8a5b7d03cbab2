"""The platform database: which tenants there are, under which hosts, and what is due."""

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.directory import (
    Directory,
    TenantRecord,
    open_directory,
)
from mosaic_core.directory.domains import (
    give_domain,
    require_foreign,
    require_free,
    take_domain,
)
from mosaic_core.directory.file import PlatformFile
from mosaic_core.directory.leases import Lease, Leases, Work
from mosaic_core.directory.slugs import slug_taken
from mosaic_core.directory.tables import DomainRow, HintRow, TenantRow

__all__ = [
    "Directory",
    "DomainRow",
    "HintRow",
    "Lease",
    "Leases",
    "PlatformDatabase",
    "PlatformFile",
    "TenantRecord",
    "TenantRow",
    "Work",
    "give_domain",
    "open_directory",
    "require_foreign",
    "require_free",
    "slug_taken",
    "take_domain",
]
