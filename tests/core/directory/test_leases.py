"""Leases: one works at a tenant as a whole at a time, and who was held up does no harm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy import select, update
from sqlalchemy.dialects import mssql, postgresql

from mosaic_core.database.clock import database_now
from mosaic_core.directory import Directory, TenantRow, Work
from mosaic_core.directory.leases import Lease, Leases
from mosaic_core.directory.tables import LeaseRow
from mosaic_core.errors import LeaseLost, LeaseTaken
from mosaic_core.head import Write
from tests.core.head.toys import toy_tenant
from tests.platforms import Place

ONE, TWO = toy_tenant(1), toy_tenant(2)
#: Seconds that a lease lasts; long enough for two slow cores to renew it.
LASTS = 1.5


def run(place: Place, *scenarios: Callable[[Directory], Awaitable[None]]) -> None:
    """Runs scenarios at the same time, each with a directory of its own, as processes have."""

    async def one(scenario: Callable[[Directory], Awaitable[None]]) -> None:
        database = place.database()
        try:
            await database.migrate()
            await scenario(Directory(database, "localhost", 3600.0, LASTS))
        finally:
            await database.close()

    async def main() -> None:
        await asyncio.gather(*(one(scenario) for scenario in scenarios))

    asyncio.run(main())


async def shift(directory: Directory, *, seconds: float) -> None:
    """The database's clock is set: what was noted before was noted so much earlier."""

    async def fn(write: Write) -> None:
        by = round(seconds * 1000)
        await write.session.execute(
            update(LeaseRow).values(since=LeaseRow.since - by, renewed=LeaseRow.renewed - by)
        )

    await directory.write(fn, actor="tester", action="test")


def moving(leases: Leases) -> Awaitable[Lease]:
    return leases.take(ONE, Work.MOVE, holder="the mover")


def test_whoever_comes_second_is_told_what_goes_on(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        leases = directory.leases
        lease = await moving(leases)
        for work in Work:
            with pytest.raises(LeaseTaken) as refused:
                await leases.take(ONE, work, holder="another")
            told = str(refused.value)
            assert "'toy-1' is being moved, since 20" in told
            assert "by the mover" in told
            assert "it is free in" in told
        await leases.take(TWO, Work.IMPORT, holder="another")  # of another tenant
        held = await leases.of(ONE.tenant_id)
        assert held is not None
        assert (held.work, held.holder, held.token) == (Work.MOVE, "the mover", lease.token)
        await leases.release(lease)
        assert await leases.of(ONE.tenant_id) is None
        await leases.take(ONE, Work.DELETION, holder="another")

    run(place, scenario)


def test_of_many_who_come_at_once_one_gets_it(place: Place) -> None:
    got: list[int] = []

    async def scenario(directory: Directory) -> None:
        try:
            got.append((await moving(directory.leases)).token)
        except LeaseTaken:
            got.append(0)

    run(place, *[scenario] * 6)
    assert sorted(map(bool, got)) == [False] * 5 + [True]


def test_each_taking_has_a_greater_token(place: Place) -> None:
    tokens = []

    async def scenario(directory: Directory) -> None:
        for tenant in (ONE, TWO, ONE):
            lease = await directory.leases.take(tenant, Work.MOVE, holder="x")
            tokens.append(lease.token)
            await directory.leases.release(lease)
            await directory.leases.release(lease)  # again does nothing

    run(place, scenario)
    run(place, scenario)
    assert tokens == sorted(set(tokens))


def test_what_is_worked_at_for_long_stays_held(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        async with directory.leases.held(ONE, Work.MOVE, holder="the mover") as lease:
            first = await directory.leases.of(ONE.tenant_id)
            await asyncio.sleep(1.2 * LASTS)
            then = await directory.leases.of(ONE.tenant_id)
            assert first is not None
            assert then is not None
            assert (then.token, then.since) == (lease.token, first.since)
            assert then.renewed > first.renewed
        assert await directory.leases.of(ONE.tenant_id) is None

    run(place, scenario)


def test_it_is_given_back_after_an_error(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        with pytest.raises(ZeroDivisionError):
            async with directory.leases.held(ONE, Work.MOVE, holder="the mover"):
                raise ZeroDivisionError
        assert await directory.leases.of(ONE.tenant_id) is None

    run(place, scenario)


def test_what_a_killed_process_held_is_free_after_a_while(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        killed = await moving(directory.leases)
        with pytest.raises(LeaseTaken):
            await moving(directory.leases)
        lease = await directory.leases.take(ONE, Work.MOVE, holder="next", patient=True)
        assert lease.token > killed.token

    run(place, scenario)


def test_patience_ends_when_somebody_is_seen_at_work(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        async with directory.leases.held(ONE, Work.MOVE, holder="the mover"):
            with pytest.raises(LeaseTaken):
                await directory.leases.take(ONE, Work.MOVE, holder="x", patient=True)

    run(place, scenario)


def test_whoever_lost_it_is_stopped_and_writes_nothing(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        others: list[Lease] = []

        async def move() -> None:
            async with directory.leases.held(ONE, Work.MOVE, holder="the mover") as lease:
                await shift(directory, seconds=LASTS)  # the machine slept
                others.append(await directory.leases.take(ONE, Work.DELETION, holder="other"))
                with pytest.raises(LeaseLost):
                    await directory.write(lease.require, actor="t", action="t")
                await directory.write(others[0].require, actor="t", action="t")
                await asyncio.sleep(60)
                raise AssertionError("it went on")

        with pytest.raises(LeaseLost, match="move of 'toy-1' was stopped"):
            await move()
        held = await directory.leases.of(ONE.tenant_id)
        assert held is not None
        assert held.token == others[0].token  # not given back by the other

    run(place, scenario)


def test_work_is_stopped_when_nobody_renews_its_lease_any_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(directory: Directory) -> None:
        async def broken(lease: Lease) -> None:
            raise ZeroDivisionError

        async def move() -> None:
            async with directory.leases.held(ONE, Work.MOVE, holder="the mover"):
                await asyncio.sleep(60)
                raise AssertionError("it went on")

        monkeypatch.setattr(directory.leases, "renew", broken)
        with pytest.raises(LeaseLost):
            await move()

    run(place, scenario)


def test_a_write_happens_with_the_newest_token_or_not_at_all(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        await directory.add(ONE, "r", actor="tester")
        lease = await moving(directory.leases)

        async def rename(write: Write) -> None:
            row = await write.session.get(TenantRow, ONE.tenant_id)
            assert row is not None
            row.name = "Moved"
            await lease.require(write)
            await directory.leases.end(write, lease)

        await directory.write(rename, actor="t", action="t")
        assert await directory.leases.of(ONE.tenant_id) is None
        with pytest.raises(LeaseLost):
            await directory.write(rename, actor="t", action="t")
        async with directory.database.session() as session:
            assert await session.scalar(select(TenantRow.name)) == "Moved"

    run(place, scenario)


def test_a_lease_that_ran_out_is_still_ones_own_while_nobody_takes_it(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        lease = await moving(directory.leases)
        await shift(directory, seconds=2 * LASTS)
        assert await directory.leases.of(ONE.tenant_id) is None
        await directory.leases.renew(lease)
        assert await directory.leases.of(ONE.tenant_id) is not None

    run(place, scenario)


def test_whoever_changes_something_elsewhere_holds_it_or_is_stopped(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        lease = await moving(directory.leases)
        await directory.leases.require(lease)
        await shift(directory, seconds=2 * LASTS)
        await directory.leases.require(lease)  # it ran out, and nobody took it
        with pytest.raises(LeaseTaken):
            await moving(directory.leases)
        await shift(directory, seconds=2 * LASTS)
        other = await directory.leases.take(ONE, Work.IMPORT, holder="another")
        for seconds in (0, 2 * LASTS):
            await shift(directory, seconds=seconds)
            with pytest.raises(LeaseLost):
                await directory.leases.require(lease)
        await directory.leases.release(other)
        with pytest.raises(LeaseLost):
            await directory.leases.require(lease)

    run(place, scenario)


def test_who_was_held_up_goes_on_when_nobody_took_it(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        async with directory.leases.held(ONE, Work.MOVE, holder="the mover") as lease:
            await shift(directory, seconds=5 * LASTS)
            time.sleep(1.2 * LASTS)
            await asyncio.sleep(0.5 * LASTS)
            assert await directory.leases.of(ONE.tenant_id) is not None
            await directory.write(lease.require, actor="t", action="t")

    run(place, scenario)


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_set_holds_nobody_up(place: Place, hours: int) -> None:
    async def scenario(directory: Directory) -> None:
        killed = await moving(directory.leases)
        await shift(directory, seconds=3600 * hours)
        lease = await moving(directory.leases)
        assert lease.token > killed.token
        with pytest.raises(LeaseTaken):
            await moving(directory.leases)

    run(place, scenario)


def test_the_clock_of_a_process_does_not_count(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        await moving(directory.leases)
        for jump in ("1999-01-01", "2099-01-01"):
            with time_machine.travel(jump, tick=True), pytest.raises(LeaseTaken):
                await moving(directory.leases)

    run(place, scenario)


def test_someone_elses_cancelling_is_no_lost_lease(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        async def work() -> None:
            async with directory.leases.held(ONE, Work.MOVE, holder="the mover"):
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        while await directory.leases.of(ONE.tenant_id) is None:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await directory.leases.of(ONE.tenant_id) is None

    run(place, scenario)


@pytest.mark.parametrize(
    ("dialect", "clock"),
    [(postgresql.dialect(), "clock_timestamp()"), (mssql.dialect(), "SYSUTCDATETIME()")],
    ids=["postgresql", "mssql"],
)
def test_every_database_is_asked_for_its_own_time(dialect: sa.Dialect, clock: str) -> None:
    assert clock in str(select(database_now()).compile(dialect=dialect))


def test_what_is_given_back_with_the_last_write_is_not_lost(place: Place) -> None:
    async def scenario(directory: Directory) -> None:
        async with directory.leases.held(ONE, Work.MOVE, holder="the mover") as lease:
            await directory.write(
                lambda write: directory.leases.end(write, lease), actor="t", action="t"
            )
            await asyncio.sleep(0.8 * LASTS)  # it would be renewed
        assert not lease.lost

    run(place, scenario)
