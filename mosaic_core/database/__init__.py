"""Tables, sessions and migrations, and all that is known of each database's dialect."""

from mosaic_core.database.migrations import History
from mosaic_core.database.schema import (
    PlatformBase,
    Tables,
    TenantBase,
    TenantSchema,
    TenantTables,
    derived,
    is_derived,
    kernel_table,
    metadata_faults,
    tenant_metadata,
)

__all__ = [
    "History",
    "PlatformBase",
    "Tables",
    "TenantBase",
    "TenantSchema",
    "TenantTables",
    "derived",
    "is_derived",
    "kernel_table",
    "metadata_faults",
    "tenant_metadata",
]
