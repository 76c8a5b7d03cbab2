"""Slugs that tenants had before they were renamed: kept for them for a while, so that links to the
old address lead to the new one and nobody else gets them."""

from __future__ import annotations

from datetime import timedelta

from mosaic_core.directory.tables import FormerSlugRow, TenantRow
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write
from mosaic_core.tenants import TenantStatus, check_slug

#: How long a tenant's old address leads to the new one.
KEPT = timedelta(days=90)


def slug_taken(slug: str) -> Conflict:
    """Says nothing about whose it is."""
    return Conflict(f"The slug {slug!r} is taken.", hint="Choose another one.")


async def require_not_kept(write: Write, tenant_id: str, slug: str) -> FormerSlugRow | None:
    """Raises Conflict when a slug is kept for another tenant; returns what is noted of it else."""
    former = await write.session.get(FormerSlugRow, slug)
    if former is not None and former.tenant_id != tenant_id and former.until > write.at:
        raise slug_taken(slug)
    return former


async def rename(write: Write, tenant_id: str, slug: str) -> None:
    """Gives a tenant another slug, in a write to the platform database.

    Raises:
        InvalidInput: it is none.
        Conflict: another tenant has it, or had it until a while ago.
        NotFound: the tenant is not there, or it is deleted.
    """
    check_slug(slug)
    row = await write.session.get(TenantRow, tenant_id)
    if row is None or row.status == TenantStatus.DELETED:
        raise NotFound(f"There is no tenant {tenant_id!r}.")
    if row.slug == slug:
        return
    former = await require_not_kept(write, tenant_id, slug)
    if former is not None:
        former.until, former.changed = write.at, write.version
    old = await write.session.get(FormerSlugRow, row.slug)
    if old is None:
        old = FormerSlugRow(slug=row.slug)
        write.session.add(old)
    old.tenant_id, old.until, old.changed = tenant_id, write.at + KEPT, write.version
    row.slug, row.changed = slug, write.version
