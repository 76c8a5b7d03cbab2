"""Custom domains: given to a site of a tenant, and taken back, inside a write."""

from __future__ import annotations

from mosaic_core.directory.tables import DomainRow
from mosaic_core.errors import Conflict
from mosaic_core.head import Write


def require_foreign(host: str, platform_domain: str) -> None:
    """Raises Conflict for the platform's own domain and all below it."""
    if f".{host}".endswith(f".{platform_domain}"):
        raise Conflict(f"{host} is below the platform's own domain.", hint="Use another one.")


async def require_free(write: Write, tenant_id: str, host: str) -> None:
    """Raises Conflict when another tenant has a domain; it does not say which."""
    row = await write.session.get(DomainRow, host)
    if row is not None and row.active and row.tenant_id != tenant_id:
        raise Conflict(f"The domain {host} is in use.", hint="Check the spelling.")


async def give_domain(write: Write, tenant_id: str, host: str, site: str | None) -> None:
    """Has a host lead to a tenant's site.

    Args:
        host: in the form of ``normalise_host``; site: its key, None for the tenant's first.

    Raises:
        Conflict: another tenant has it.
    """
    await require_free(write, tenant_id, host)
    row = await write.session.get(DomainRow, host)
    if row is None:
        row = DomainRow(host=host, created_at=write.at)
        write.session.add(row)
    row.tenant_id, row.site, row.active = tenant_id, site, True
    row.changed = write.version


async def take_domain(write: Write, tenant_id: str, host: str) -> bool:
    """Has a host lead to a tenant no more; False when it did not."""
    row = await write.session.get(DomainRow, host)
    if row is None or not row.active or row.tenant_id != tenant_id:
        return False
    row.active, row.changed = False, write.version
    return True
