"""The audit log: what was done in a tenant, which its change log says, and what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.actions import Instant, Model, action
from mosaic_cms.identity.tables import AuditEntry
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import TENANT


class WhichEntries(Model):
    """Entries from before an instant, the newest first."""

    before: Instant | None = None
    actor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditView(Model):
    """One entry."""

    at: datetime
    actor: str
    action: str
    outcome: Literal["done", "refused", "failed"]
    #: What was changed, as in ``pages 0190…``; empty for what changed nothing.
    entity: str
    entity_id: str
    #: insert, update, delete, or what the log itself notes.
    operation: str
    #: Why it was refused; of what is not in the tenant's own database, what was done.
    reason: str
    #: From where, of what was refused.
    address: str
    times: int


@action("audit.list", needs=Permission("read", "audit"), effect="read", http="GET /audit")
async def list_audit(scope: TenantScope, command: WhichEntries) -> list[AuditView]:
    """What was done in the tenant and what was refused, the newest first."""
    await scope.product.ledger.flush()
    found = await _done(scope, command) + await _refused(scope, command)
    found.sort(key=lambda entry: entry.at, reverse=True)
    return found[: command.limit]


async def _done(scope: TenantScope, command: WhichEntries) -> list[AuditView]:
    log = TENANT.changes
    query = select(
        log.c.at, log.c.actor, log.c.action, log.c.entity, log.c.entity_id, log.c.operation
    ).order_by(log.c.version.desc(), log.c.seq.desc())
    if command.before is not None:
        query = query.where(log.c.at < command.before)
    if command.actor is not None:
        query = query.where(log.c.actor == command.actor)
    async with scope.read() as session:
        rows = await session.execute(query.limit(command.limit))
        return [
            AuditView(**row._mapping, outcome="done", reason="", address="", times=1)
            for row in rows
        ]


async def _refused(scope: TenantScope, command: WhichEntries) -> list[AuditView]:
    query = (
        select(AuditEntry)
        .where(AuditEntry.tenant_id == scope.tenant.tenant_id)
        .order_by(AuditEntry.id.desc())
        .limit(command.limit)
    )
    if command.before is not None:
        query = query.where(AuditEntry.at < command.before)
    if command.actor is not None:
        query = query.where(AuditEntry.actor == command.actor)
    async with scope.product.platform.directory.database.session() as session:
        return [
            AuditView(
                at=row.at,
                actor=row.actor,
                action=row.action,
                outcome=row.outcome,
                entity="",
                entity_id="",
                operation="",
                reason=row.reason,
                address=row.address,
                times=row.times,
            )
            for row in await session.scalars(query)
        ]
