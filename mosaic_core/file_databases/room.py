"""How large a tenant's file may get, and why one does not grow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mosaic_core.database import sqlite
from mosaic_core.errors import DatabaseError, DiskFull, QuotaExceeded
from mosaic_core.file_databases.reading import Reading, subject_of
from mosaic_core.tenants import TenantContext, Tier


class Room:
    """The limits of the tiers.

    Args:
        reserve: bytes beyond a tier's limit, so that deleting, exporting and compacting always
            work.
    """

    def __init__(self, tiers: Mapping[str, Tier], reserve: int, reading: Reading) -> None:
        self._tiers = tiers
        self._reserve = reserve
        self._reading = reading

    def pages(self, tenant: TenantContext, *, reserve: bool) -> int | None:
        """The most pages that a tenant's file may have; None for as many as there is room for."""
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.database is None:
            return None
        limit = int(tier.limits.database) + (self._reserve if reserve else 0)
        return max(limit // sqlite.PAGE_SIZE, 1)

    async def full(self, tenant: TenantContext, path: Path) -> DatabaseError:
        """Which of the two was it: the tier's limit, or the disk?"""
        try:
            pages, free = await self._reading.pages(tenant, path)
        except DatabaseError:  # there is none yet, or a full disk has no room for opening it
            pages, free = path.stat().st_size // sqlite.PAGE_SIZE if path.exists() else 0, 0
        limit = self.pages(tenant, reserve=False)
        disk = os.statvfs(path.parent)
        room = disk.f_bavail * disk.f_frsize // sqlite.PAGE_SIZE
        if limit is None or room < max(limit - pages, 1):
            return DiskFull(
                f"{subject_of(tenant)} cannot grow: the disk is full.",
                hint="Free some space; what was saved before is safe.",
            )
        used, most = ((n * sqlite.PAGE_SIZE / 1e6) for n in (pages - free, limit))
        return QuotaExceeded(
            f"{subject_of(tenant)} is at the {tenant.tier} tier's limit "
            f"({used:.1f} of {most:.1f} MB are in use).",
            hint="Delete something for good, which always works, or move up a tier; "
            f"'mosaic tenant compact {tenant.slug}' forgets older changes.",
        )
