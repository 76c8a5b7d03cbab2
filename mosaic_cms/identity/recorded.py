"""What is done about a tenant in the platform database, for the tenant's audit log."""

from __future__ import annotations

from sqlalchemy import insert

from mosaic_cms.platform_tables import AuditEntry
from mosaic_core.head import Write
from mosaic_core.types import new_id


async def record(write: Write, tenant_id: str, what: str, address: str = "") -> None:
    """Adds an entry in the same write, under its action and actor.

    Args:
        what: was done to whom or to what; no secret.
        address: from where on the network.
    """
    await write.session.execute(
        insert(AuditEntry).values(
            id=new_id(),
            at=write.at,
            tenant_id=tenant_id,
            actor=write.info.actor[:200],
            action=write.info.action[:100],
            outcome="done",
            reason=what[:1000],
            address=address[:64],
            times=1,
        )
    )
