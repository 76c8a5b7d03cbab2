"""What the files are called: ``<tenant id>.db``, and ``<tenant id>.<epoch>.db`` after a move."""

from __future__ import annotations

import re

from mosaic_core.errors import DatabaseMissing
from mosaic_core.tenants import TenantContext

_NAME = re.compile(r"([a-zA-Z0-9]{1,64})(?:\.([0-9]{1,6}))?\Z")


class FileNames:
    """Implements :class:`mosaic_core.file_databases.Names`."""

    def of(self, tenant: TenantContext) -> str:
        # Kept short: most looks at the heads of a large fleet begin with it.
        tenant_id = tenant.tenant_id
        if not tenant_id.isalnum() or not tenant_id.isascii():
            raise DatabaseMissing(f"{tenant_id!r} is not a tenant's id.")
        return tenant_id if tenant.epoch == 1 else f"{tenant_id}.{tenant.epoch}"

    def home(self, name: str) -> TenantContext | None:
        found = _NAME.match(name)
        if found is None:
            return None
        return TenantContext(found[1], name, name, "", epoch=int(found[2] or 1))
