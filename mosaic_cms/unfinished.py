"""What is left of imports that were given up: databases, files, and what was noted of them."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mosaic_cms.scope import SYSTEM
from mosaic_core.directory import Lease, Work
from mosaic_core.errors import DatabaseMissing, LeaseLost, LeaseTaken, MosaicError
from mosaic_core.persistence import HeadStatus
from mosaic_core.tenants import TenantContext

if TYPE_CHECKING:
    from mosaic_core.platform import Platform

#: What a folder of :func:`scratch_of` is called.
_ID = re.compile(r"[0-9a-f]{32}\Z")
_log = logging.getLogger("mosaic.imports")


async def give_up(platform: Platform, lease: Lease) -> None:
    """Removes what an import made, unless somebody else goes on with it or the tenant is known.
    What cannot be removed now is removed by :func:`remove_left`."""
    try:
        if await platform.directory.imports.give_up(lease):
            await _remove(platform, lease.tenant)
    except LeaseLost:
        return
    except Exception:  # noqa: BLE001 - what the import failed of says more
        _log.exception("what was made for %s stays for now", lease.tenant.slug)


async def remove_left(platform: Platform, now: datetime) -> int:
    """Removes what was given up, and what nobody went on with for a week; of how many imports."""
    imports, removed = platform.directory.imports, 0
    for tenant in [*await imports.given_up(), *await imports.abandoned(now)]:
        leases = platform.directory.leases
        try:
            async with leases.held(tenant, Work.IMPORT, holder=str(SYSTEM)) as lease:
                if await _may_go(platform, tenant) and await imports.give_up(lease):
                    await _remove(platform, tenant)
                    removed += 1
        except (LeaseTaken, LeaseLost):
            continue
        except MosaicError as error:
            _log.warning("what was made for %s stays: %s", tenant.slug, error)
        except Exception:  # noqa: BLE001 - it may be this one's alone
            _log.exception("what was made for %s stays", tenant.slug)
    return removed


async def _may_go(platform: Platform, tenant: TenantContext) -> bool:
    """Whether nobody can have lived there. Where the platform's database is from a backup, the
    import may have come to its end since: then the doctor tells of a home that nobody knows."""
    if tenant in await platform.directory.imports.given_up():
        return True
    try:
        head = await platform.persistence(tenant).head(tenant)
    except DatabaseMissing:
        return True
    return head.status is HeadStatus.FENCED


def scratch_of(platform: Platform, tenant: TenantContext) -> Path:
    """The folder in which an import works on this machine."""
    return _scratch(platform) / tenant.tenant_id


def _scratch(platform: Platform) -> Path:
    return platform.settings.data_dir / "imports"


async def clear_scratch(platform: Platform) -> int:
    """Removes what killed imports left of their folders on this machine, which may have the rows
    of an encrypted bundle; of how many. Whoever goes on with such an import begins its own anew."""
    folder, cleared = _scratch(platform), 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not _ID.match(path.name):
            continue
        whose = TenantContext(path.name, path.name, path.name, "")
        leases = platform.directory.leases
        try:
            # Patient: who was killed just now seems to be at work for as long as a lease lasts.
            async with leases.held(whose, Work.IMPORT, holder=str(SYSTEM), patient=True):
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
                cleared += 1
        except (LeaseTaken, LeaseLost):
            continue
    return cleared


async def _remove(platform: Platform, tenant: TenantContext) -> None:
    """Whoever is held up here removes nothing that is somebody's: the id is nobody's any more."""
    await asyncio.to_thread(shutil.rmtree, scratch_of(platform, tenant), ignore_errors=True)
    await platform.persistence(tenant).drop(tenant)
    await platform.storage(tenant).drop(tenant)
    platform.heads.forget(tenant.tenant_id)
    await platform.directory.imports.forget(tenant)
