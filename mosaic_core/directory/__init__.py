"""The platform database: which tenants there are, under which hosts, and what is due."""

from mosaic_core.directory.database import PlatformDatabase
from mosaic_core.directory.directory import (
    Directory,
    TenantRecord,
    open_directory,
    slug_taken,
)
from mosaic_core.directory.tables import DomainRow, HintRow, TenantRow

__all__ = [
    "Directory",
    "DomainRow",
    "HintRow",
    "PlatformDatabase",
    "TenantRecord",
    "TenantRow",
    "open_directory",
    "slug_taken",
]
