"""What the files of one folder are called: the strategy says."""

from __future__ import annotations

from typing import Protocol

from mosaic_core.tenants import TenantContext


class Names(Protocol):
    """The names of homes in a folder, each without its ending."""

    def of(self, tenant: TenantContext) -> str:
        """The name of a tenant's home; a tenant that moves away and back gets another.

        Raises:
            DatabaseMissing: no tenant has such an id.
        """
        ...

    def home(self, name: str) -> TenantContext | None:
        """The tenant whose home has this name, known by its id and epoch alone; None when it is
        not one of these names."""
        ...
