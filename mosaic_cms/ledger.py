"""The ledger: what was tried and refused, and how much was used, written down now and then.

Both come with every request, and a request must not wait for the platform database, nor should
whoever sends a thousand bad ones make it write a thousand times. So they are counted in memory and
written every few seconds: after a ``kill -9`` the ledger is right up to then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from sqlalchemy import bindparam, delete, insert, select, update

from mosaic_cms.platform_tables import AuditEntry, Usage
from mosaic_cms.traffic import BANDWIDTH, Traffic
from mosaic_core.directory import Directory, TenantRow
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Seconds between two times that it is written, and that it is shortened.
EVERY, SHORTEN_EVERY = 2.0, 3600.0
#: Different entries that wait to be written; more are counted as one.
_MOST = 2_000
#: Entries of all tenants that are kept.
_KEPT = 1_000_000
#: Tenants that one statement is about: a few milliseconds, in which nobody else is answered.
_TOGETHER = 500
# Of the tables and made once: the unit of work takes ten times as long, and as many tenants may
# have used something as there are.
_TENANTS, _USAGE = TenantRow.__table__.c, Usage.__table__.c
_KNOWN = select(_TENANTS.tenant_id).where(
    _TENANTS.tenant_id.in_(bindparam("tenants", expanding=True)),
    _TENANTS.slug != "-" + _TENANTS.tenant_id,
)
_USED = select(_USAGE.tenant_id, _USAGE.what, _USAGE.month, _USAGE.amount).where(
    _USAGE.tenant_id.in_(bindparam("tenants", expanding=True)),
    _USAGE.month.in_(bindparam("months", expanding=True)),
)
_NEW = insert(Usage.__table__)  # type: ignore[arg-type]
_MORE = (
    update(Usage.__table__)  # type: ignore[arg-type]
    .where(
        _USAGE.tenant_id == bindparam("whose"),
        _USAGE.what == bindparam("used"),
        _USAGE.month == bindparam("within"),
    )
    .values(amount=bindparam("makes"))
)
T = TypeVar("T")
#: A tenant, what it used, and the month.
_Key = tuple[str, str, str]

Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody tried, and what came of it. ``tenant_id`` is None for the platform."""

    tenant_id: str | None
    actor: str
    action: str
    outcome: Outcome
    reason: str = ""
    address: str = ""


_OVERFLOW = Entry(None, "system", "audit.overflow", "refused", "more than can be told apart")


def month_of(instant: datetime) -> str:
    """The month in which something counts, as in ``2026-11``."""
    return f"{instant:%Y-%m}"


class Ledger:
    """One process's part of it, on the platform database."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        #: When it was the first time, and how often.
        self._entries: dict[Entry, tuple[datetime, int]] = {}
        self._used: Counter[_Key] = Counter()
        #: What all processes had written when this one looked last.
        self._written: dict[_Key, int] = {}
        #: Whose bytes were written since somebody asked last.
        self._lately: set[str] = set()
        self._turn = asyncio.Lock()
        #: What is served is counted here and taken with the rest.
        self.traffic = Traffic()

    def note(self, entry: Entry) -> None:
        """Notes what somebody tried. The same within a few seconds is one entry, with how often."""
        if entry not in self._entries and len(self._entries) >= _MOST:
            entry = _OVERFLOW
        at, times = self._entries.get(entry, (datetime.now(UTC), 0))
        self._entries[entry] = (at, times + 1)

    async def spend(self, tenant_id: str, what: str) -> int:
        """Counts one use of something; returns how much of it the tenant used in this month."""
        key = (tenant_id, what, month_of(datetime.now(UTC)))
        if key not in self._written:
            self._written[key] = await self._read(key)
        self._used[key] += 1
        return self._written[key] + self._used[key]

    def give_back(self, tenant_id: str, what: str) -> None:
        """Takes back one use that was counted just now and came to nothing."""
        self._used[tenant_id, what, month_of(datetime.now(UTC))] -= 1

    async def used(self, tenant_id: str, what: str) -> int:
        """How much of something a tenant used in this month, as all processes wrote it, and what
        this one has not written yet."""
        key = (tenant_id, what, month_of(datetime.now(UTC)))
        waiting = self.traffic.waiting(tenant_id) if what == BANDWIDTH else 0
        return await self._read(key) + self._used[key] + waiting

    def served(self, tenant_id: str) -> int:
        """The bytes that a tenant served in this month, as far as was written, when this process
        served some of them."""
        return self._written.get((tenant_id, BANDWIDTH, month_of(datetime.now(UTC))), 0)

    def served_lately(self) -> set[str]:
        """Whose bytes were written since this was asked last."""
        lately, self._lately = self._lately, set()
        return lately

    async def _read(self, key: _Key) -> int:
        query = select(Usage.amount).where(
            Usage.tenant_id == key[0], Usage.what == key[1], Usage.month == key[2]
        )
        async with self._directory.database.session() as session:
            return int(await session.scalar(query) or 0)

    async def flush(self) -> None:
        """Writes what was counted. What cannot be written waits."""
        async with self._turn:
            entries, self._entries = self._entries, {}
            month = month_of(datetime.now(UTC))
            for tenant_id, size in self.traffic.take().items():
                self._used[tenant_id, BANDWIDTH, month] += size
            used, self._used = self._used, Counter()
            if not entries and not used:
                return

            async def fn(write: Write) -> dict[_Key, int]:
                about = {entry.tenant_id for entry in entries} | {key[0] for key in used}
                there = await _there(write, about)
                rows = [_row(e, *seen) for e, seen in entries.items() if e.tenant_id in there]
                async for some in some_of(rows):
                    await write.session.execute(insert(AuditEntry), some)
                return await _add(write, {k: n for k, n in used.items() if k[0] in there})

            try:
                written = await self._directory.write(fn, actor="system", action="ledger.flush")
            except BaseException:
                for entry, (at, times) in entries.items():
                    _, more = self._entries.get(entry, (at, 0))
                    self._entries[entry] = at, times + more
                self._used.update(used)  # also what was given back
                raise
            if any(key[2] != month for key in self._written):
                self._written = {key: n for key, n in self._written.items() if key[2] == month}
            self._written |= written
            self._lately.update(key[0] for key in written if key[1] == BANDWIDTH)

    async def shorten(self) -> None:
        """Drops the oldest entries when there are more than are kept."""
        oldest = select(AuditEntry.id).order_by(AuditEntry.id.desc()).offset(_KEPT).limit(1)
        async with self._directory.database.session() as session:
            last = await session.scalar(oldest)
        if last is not None:

            async def fn(write: Write) -> None:
                await write.session.execute(delete(AuditEntry).where(AuditEntry.id <= last))

            await self._directory.write(fn, actor="system", action="ledger.shorten")


def _row(entry: Entry, at: datetime, times: int) -> dict[str, object]:
    return {
        "id": new_id(),
        "at": at,
        "tenant_id": entry.tenant_id,
        "actor": entry.actor[:200],
        "action": entry.action[:100],
        "outcome": entry.outcome,
        "reason": entry.reason[:1000],
        "address": entry.address[:64],
        "times": times,
    }


async def _there(write: Write, tenant_ids: Set[str | None]) -> set[str | None]:
    """Those that were not removed, and the platform: nothing of one that was is written any more,
    after the certificate said what there was."""
    there: set[str | None] = {None}
    async for some in some_of(tenant_ids - {None}):
        there.update(row[0] for row in await write.session.execute(_KNOWN, {"tenants": some}))
    return there


async def _add(write: Write, used: Mapping[_Key, int]) -> dict[_Key, int]:
    """Adds to what tenants used, and returns what that makes."""
    makes: dict[_Key, int] = {}
    async for keys in some_of(used):
        asked = {"tenants": list({key[0] for key in keys}), "months": list({x[2] for x in keys})}
        rows = await write.session.execute(_USED, asked)
        before = {(tenant_id, what, month): amount for tenant_id, what, month, amount in rows}
        makes |= {key: before.get(key, 0) + used[key] for key in keys}
        new = [
            {"tenant_id": key[0], "what": key[1], "month": key[2], "amount": makes[key]}
            for key in keys
            if key not in before
        ]
        old = [
            {"whose": key[0], "used": key[1], "within": key[2], "makes": makes[key]}
            for key in keys
            if key in before
        ]
        if new:
            await write.session.execute(_NEW, new)
        if old:
            await write.session.execute(_MORE, old)
    return makes


async def some_of(values: Collection[T]) -> AsyncIterator[list[T]]:
    """Some of the values after the others; between them, visitors have their turn."""
    every = list(values)
    for start in range(0, len(every), _TOGETHER):
        yield every[start : start + _TOGETHER]
        await asyncio.sleep(0)
