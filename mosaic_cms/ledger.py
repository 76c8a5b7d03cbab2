"""The ledger: what was tried and refused, and how much was used, written down now and then.

Both come with every request, and a request must not wait for the platform database, nor should
whoever sends a thousand bad ones make it write a thousand times. So they are counted in memory and
written every few seconds: after a ``kill -9`` the ledger is right up to then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    BigInteger,
    CursorResult,
    Unicode,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

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
#: Seconds for which this process trusts what it knows of a tenant's traffic, and adds to it without
#: looking what other processes added.
_TRUSTED = 20.0
#: Tenants that one statement is about: a sixth of a millisecond, in which nobody else is answered.
#: With more of them at once, the slowest hundredth of all visitors were those who waited for it.
_TOGETHER = 10
# Of the tables and made once: the unit of work takes ten times as long, and as many tenants may
# have used something as there are. What is looked for has plain types: it comes from the database,
# and to check each value again takes as long as to look for it.
_TENANTS, _USAGE = TenantRow.__table__.c, Usage.__table__.c
_WHOSE = bindparam("tenants", expanding=True, type_=Unicode())
#: A tenant was not removed: nothing of one that was is written any more, after the certificate said
#: what there was.
_PRESENT = _TENANTS.slug != "-" + _TENANTS.tenant_id
_THERE = select(_TENANTS.tenant_id).where(_TENANTS.tenant_id.in_(_WHOSE), _PRESENT)
#: The same, with what each used in some months, if it did.
_USED = _THERE.add_columns(_USAGE.what, _USAGE.month, _USAGE.amount).outerjoin(
    Usage.__table__,
    (_USAGE.tenant_id == _TENANTS.tenant_id)
    & _USAGE.month.in_(bindparam("months", expanding=True, type_=Unicode())),
)
_NEW = insert(Usage.__table__)  # type: ignore[arg-type]
_MORE = (
    update(Usage.__table__)  # type: ignore[arg-type]
    .where(
        _USAGE.tenant_id == bindparam("whose", type_=Unicode()),
        _USAGE.what == bindparam("used", type_=Unicode()),
        _USAGE.month == bindparam("within", type_=Unicode()),
        exists().where(_TENANTS.tenant_id == _USAGE.tenant_id, _PRESENT),
    )
    .values(amount=_USAGE.amount + bindparam("more", type_=BigInteger()))
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


class _Gone(Exception):
    """A tenant whose traffic was known has no row of it any more."""


class Ledger:
    """One process's part of it, on the platform database."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        #: When it was the first time, and how often.
        self._entries: dict[Entry, tuple[datetime, int]] = {}
        self._used: Counter[_Key] = Counter()
        #: What all processes had written when this one looked last.
        self._written: dict[_Key, int] = {}
        #: When it looked, in monotonic seconds.
        self._looked: dict[_Key, float] = {}
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

            async def put(known: Mapping[_Key, int]) -> dict[_Key, int]:
                async def fn(write: Write) -> dict[_Key, int]:
                    there = await _there(write, {entry.tenant_id for entry in entries})
                    rows = [_row(e, *seen) for e, seen in entries.items() if e.tenant_id in there]
                    async for some in some_of(rows):
                        await write.session.execute(insert(AuditEntry), some)
                    return await _add(write, used, known)

                return await self._directory.write(fn, actor="system", action="ledger.flush")

            known, now = self._trusted(used), time.monotonic()
            try:
                try:
                    written = await put(known)
                except _Gone:
                    self._looked.clear()
                    known = {}
                    written = await put(known)
            except BaseException:
                for entry, (at, times) in entries.items():
                    _, more = self._entries.get(entry, (at, 0))
                    self._entries[entry] = at, times + more
                self._used.update(used)  # also what was given back
                raise
            if any(key[2] != month for key in self._written):
                self._written = {key: n for key, n in self._written.items() if key[2] == month}
                self._looked = {key: at for key, at in self._looked.items() if key[2] == month}
            self._written |= written
            self._looked |= dict.fromkeys(written.keys() - known.keys(), now)
            self._lately.update(key[0] for key in written if key[1] == BANDWIDTH)

    def _trusted(self, used: Collection[_Key]) -> dict[_Key, int]:
        """What it knows well enough of what was used: of traffic, what it has looked at lately. A
        quota is exact, and looked at each time."""
        since = time.monotonic() - _TRUSTED
        return {
            key: self._written[key]
            for key in used
            if key[1] == BANDWIDTH and self._looked.get(key, since) > since
        }

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
    """Those that were not removed, and the platform."""
    there: set[str | None] = {None}
    async for some in some_of(tenant_ids - {None}):
        there.update(row[0] for row in await write.session.execute(_THERE, {"tenants": some}))
    return there


async def _add(
    write: Write, used: Mapping[_Key, int], known: Mapping[_Key, int]
) -> dict[_Key, int]:
    """Adds to what tenants used, and returns what that makes; of one that was removed, nothing.

    Raises:
        _Gone: something of what was known is not there.
    """
    if not write.session.get_bind().dialect.supports_sane_multi_rowcount:
        known = {}  # nobody says there whether all rows were found
    makes = {key: known[key] + used[key] for key in used.keys() & known.keys()}
    async for some in some_of(sorted(makes)):  # as they stand beside each other in the table
        if await _more(write, some, used) != len(some):
            raise _Gone
    async for some in some_of(sorted(used.keys() - makes.keys())):
        asked = {"tenants": list({key[0] for key in some}), "months": list({x[2] for x in some})}
        rows = (await write.session.execute(_USED, asked)).all()
        there = {row[0] for row in rows}
        before = {(tenant_id, what, month): amount for tenant_id, what, month, amount in rows}
        keys = [key for key in some if key[0] in there]
        makes |= {key: before.get(key, 0) + used[key] for key in keys}
        new = [
            {"tenant_id": key[0], "what": key[1], "month": key[2], "amount": makes[key]}
            for key in keys
            if key not in before
        ]
        if new:
            await write.session.execute(_NEW, new)
        if old := [key for key in keys if key in before]:
            await _more(write, old, used)
    return makes


async def _more(write: Write, keys: list[_Key], used: Mapping[_Key, int]) -> int:
    """Adds to rows that are there; returns how many were, where the driver counts them."""
    rows = [{"whose": key[0], "used": key[1], "within": key[2], "more": used[key]} for key in keys]
    done: CursorResult[Any] = await write.session.execute(_MORE, rows)  # type: ignore[assignment]
    return done.rowcount


async def some_of(values: Collection[T]) -> AsyncIterator[list[T]]:
    """Some of the values after the others; between them, visitors have their turn."""
    every = list(values)
    for start in range(0, len(every), _TOGETHER):
        yield every[start : start + _TOGETHER]
        await asyncio.sleep(0)
