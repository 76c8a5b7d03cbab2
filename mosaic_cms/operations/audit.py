"""The audit log: what was done, which the change logs of tenants and of the platform say, and what
was refused."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Instant, Model, action
from mosaic_cms.platform_tables import AuditEntry
from mosaic_cms.rights import Permission
from mosaic_cms.scope import SYSTEM, PlatformScope, TenantScope
from mosaic_core.head import PLATFORM, TENANT, HeadTables
from mosaic_core.head.chain import DERIVE

_AFTER = r"^([0-9]{1,15}\.[0-9]{1,9})?-([0-9a-f]{32})?$"


class WhichEntries(Model):
    """Entries from before an instant, the newest first; those after one of them."""

    #: The ``id`` of an entry.
    after: Annotated[str, Field(pattern=_AFTER)] = "-"
    before: Instant | None = None
    actor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditView(Model):
    """One entry."""

    #: Where the list goes on after it: how far it has come in the change log, and in what was
    #: refused, each in its own order. So nothing is left out or told twice, whatever clocks do.
    id: str
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


@action(
    "audit.list",
    needs=Permission("read", "audit"),
    effect="read",
    http="GET /audit",
    cursor="id",
)
async def list_audit(scope: TenantScope, command: WhichEntries) -> list[AuditView]:
    """What was done in the tenant and what was refused, the newest first."""
    await scope.product.ledger.flush()
    async with scope.read() as session:
        done = await _done(session, TENANT, command)
    return _merged(command, done, await _noted(scope, scope.tenant.tenant_id, command))


@action(
    "audit.platform",
    needs=Permission("read", "platform_audit"),
    effect="read",
    http="GET /platform-audit",
    cursor="id",
)
async def platform_audit(scope: PlatformScope, command: WhichEntries) -> list[AuditView]:
    """What was done in the platform database, such as to accounts and tenants, and what was refused
    that is about no tenant, such as credentials that were none; the newest first."""
    await scope.product.ledger.flush()
    async with scope.product.platform.directory.database.session() as session:
        done = await _done(session, PLATFORM, command)
    return _merged(command, done, await _noted(scope, None, command))


def _merged(
    command: WhichEntries,
    done: list[tuple[str, AuditView]],
    noted: list[tuple[str, AuditView]],
) -> list[AuditView]:
    """Both lists as one, each entry with how far it has come in either."""
    position, _, before = command.after.partition("-")
    found: list[AuditView] = []
    while len(found) < command.limit and (done or noted):
        if not noted or (done and done[0][1].at >= noted[0][1].at):
            position, view = done.pop(0)
        else:
            before, view = noted.pop(0)
        found.append(view.model_copy(update={"id": f"{position}-{before}"}))
    return found


async def _done(
    session: AsyncSession, tables: HeadTables, command: WhichEntries
) -> list[tuple[str, AuditView]]:
    """What comes after a position of a change log (``<version>.<number in it>``), with its own
    positions; without what the platform notes for itself all the time."""
    log, position = tables.changes, command.after.partition("-")[0]
    query = select(
        log.c.version,
        log.c.seq,
        log.c.at,
        log.c.actor,
        log.c.action,
        log.c.entity,
        log.c.entity_id,
        log.c.operation,
    ).order_by(log.c.version.desc(), log.c.seq.desc())
    if tables is PLATFORM:
        query = query.where((log.c.actor != str(SYSTEM)) | (log.c.operation != DERIVE))
    if position:
        version, seq = map(int, position.split("."))
        earlier = (log.c.version == version) & (log.c.seq < seq)
        query = query.where((log.c.version < version) | earlier)
    if command.before is not None:
        query = query.where(log.c.at < command.before)
    if command.actor is not None:
        query = query.where(log.c.actor == command.actor)
    rows = await session.execute(query.limit(command.limit))
    return [
        (
            f"{version}.{seq}",
            AuditView(
                id="",
                at=at,
                actor=actor,
                action=action,
                outcome="done",
                entity=entity,
                entity_id=entity_id,
                operation=operation,
                reason="",
                address="",
                times=1,
            ),
        )
        for version, seq, at, actor, action, entity, entity_id, operation in rows
    ]


async def _noted(
    scope: PlatformScope | TenantScope, tenant_id: str | None, command: WhichEntries
) -> list[tuple[str, AuditView]]:
    """What was refused before the entry that the list goes on after, and what was done about a
    tenant outside it, with the ids."""
    before = command.after.partition("-")[2]
    query = (
        select(AuditEntry)
        .where(AuditEntry.tenant_id == tenant_id)
        .order_by(AuditEntry.id.desc())
        .limit(command.limit)
    )
    if before:
        query = query.where(AuditEntry.id < uuid.UUID(before))
    if command.before is not None:
        query = query.where(AuditEntry.at < command.before)
    if command.actor is not None:
        query = query.where(AuditEntry.actor == command.actor)
    async with scope.product.platform.directory.database.session() as session:
        return [
            (
                row.id.hex,
                AuditView(
                    id="",
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
                ),
            )
            for row in await session.scalars(query)
        ]
