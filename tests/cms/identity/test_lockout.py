"""Who guesses waits; who is guessed at does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from mosaic_cms.identity.lockout import (
    FROM_NETWORK,
    OF_ACCOUNT,
    Lockout,
    Window,
)
from mosaic_cms.identity.tables import Attempts
from mosaic_core.errors import TooManyRequests, Unauthenticated
from tests.cms.identity.people import ADA, ELSEWHERE, HOME, PASSWORD, Meet, People

START = "2031-01-15T08:00Z"


async def guess(people: People, address: str, email: str = ADA) -> int:
    """A wrong password; how long the next one has to wait."""
    given = {"email": email, "password": "a wrong password"}
    try:
        await people.ask("sessions.create", address, **given)
    except Unauthenticated:
        return 0
    except TooManyRequests as refused:
        return refused.retry_after
    raise AssertionError("it was right")


def test_who_guesses_waits_longer_each_time(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False) as clock:
            await people.signed_up()
            waits = []
            for _ in range(12):
                wait = await guess(people, "203.0.113.1")
                waits.append(wait)
                clock.shift(timedelta(seconds=wait))
                if wait:
                    assert await guess(people, "203.0.113.1") == 0
            assert waits == [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900]
            # A day later, all is forgotten.
            clock.shift(timedelta(days=1, seconds=1))
            assert [await guess(people, "203.0.113.1") for _ in range(6)] == [0, 0, 0, 0, 0, 30]

    meet(scenario)


def test_who_waits_is_refused_whatever_they_know_and_counts_no_more(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False) as clock:
            await people.signed_up()
            for _ in range(5):
                await guess(people, HOME)
            version = people.product.platform.directory.version
            for _ in range(50):
                assert await guess(people, HOME) == 30
            with pytest.raises(TooManyRequests, match="too many tries"):
                await people.browser()
            assert people.product.platform.directory.version == version  # a flood writes nothing
            clock.shift(timedelta(seconds=30))
            await people.browser()
            assert [await guess(people, HOME) for _ in range(6)] == [0, 0, 0, 0, 0, 30]

    meet(scenario)


def test_guesses_at_one_time_are_all_counted(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        waits = await asyncio.gather(*(guess(people, "203.0.113.1") for _ in range(15)))
        assert sum(wait == 0 for wait in waits) == 5

    meet(scenario)


def test_nobody_is_locked_out_by_whoever_guesses_at_their_account(meet: Meet) -> None:
    """Many machines guess, until every stranger waits; the owner signs in from home, and from
    elsewhere after a reset."""

    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False):
            identity = people.product.identity
            identity.lockout = Lockout(identity.store, account=Window("few", 10, OF_ACCOUNT.lasts))
            await people.signed_up()
            await people.browser()
            for number in range(10):
                assert await guess(people, f"2001:db8:0:{number:x}::1") == 0
            assert await guess(people, "203.0.113.9") > 3600
            await people.browser()
            with pytest.raises(TooManyRequests):
                await people.browser(address="203.0.113.10")
            await people.ask("accounts.request_reset", "203.0.113.10", email=ADA)
            token = (await people.mails())[-1].text.partition("?token=")[2].split()[0]
            new = "four unlikely words together"
            await people.ask("accounts.reset", "203.0.113.10", token=token, password=new)
            await people.browser(password=new, address="203.0.113.10")
            assert await guess(people, "203.0.113.9") > 3600

    meet(scenario)


def test_who_tries_many_accounts_from_one_network_waits(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False) as clock:
            identity = people.product.identity
            identity.lockout = Lockout(identity.store, Window("few", 10, FROM_NETWORK.lasts))
            await people.signed_up()
            await people.signed_up("bob@example.com")
            await people.browser()
            await people.browser(address=ELSEWHERE)
            for number in range(10):
                assert await guess(people, ELSEWHERE, f"a{number}@example.com") == 0
            assert await guess(people, ELSEWHERE, "one.more@example.com") == 900
            with pytest.raises(TooManyRequests):  # an account that was never used from there
                await people.browser("bob@example.com", address=ELSEWHERE)
            await people.browser(address=ELSEWHERE)
            clock.shift(timedelta(minutes=15))
            await people.browser("bob@example.com", address=ELSEWHERE)

    meet(scenario)


def test_an_account_that_is_not_there_is_counted_like_one_that_is(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False):
            await people.signed_up()
            there = [await guess(people, "203.0.113.1") for _ in range(7)]
            nowhere = [await guess(people, "203.0.113.1", "eve@example.com") for _ in range(7)]
            assert there == nowhere

    meet(scenario)


def test_the_table_names_nobody_and_is_emptied(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False) as clock:
            await people.signed_up()
            await people.browser()
            for number in range(5):
                await guess(people, f"203.0.113.{number}")
            async with people.product.identity.store.session() as session:
                keys = list(await session.scalars(select(Attempts.key)))
            assert all(len(key) == 32 for key in keys)
            clock.shift(timedelta(days=91))
            await guess(people, "203.0.113.1", "eve@example.com")
            async with people.product.identity.store.session() as session:
                assert await session.scalar(select(func.count()).select_from(Attempts)) == 3

    meet(scenario)


def test_a_network_is_an_address_or_what_one_subscriber_has_of_ipv6(meet: Meet) -> None:
    """However a face writes it: as an address, or as the network that it made of one."""

    async def scenario(people: People) -> None:
        with time_machine.travel(START, tick=False):
            await people.signed_up()
            same = ("2001:db8:1:2::1", "2001:db8:1:2:aaaa::9", "2001:db8:1:2::/64")
            assert [await guess(people, same[number % 3]) for number in range(6)] == [0] * 5 + [30]
            for other in ("2001:db8:1:3::1", "2001:db8:1:4::/64", "", "x", "\ud800"):
                assert await guess(people, other) == 0

    meet(scenario)


def test_the_right_password_takes_a_try_back(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        identity = people.product.identity
        identity.lockout = Lockout(
            identity.store, Window("one", 1, FROM_NETWORK.lasts), Window("two", 2, OF_ACCOUNT.lasts)
        )
        await people.signed_up()
        for number in (1, 1, 2, 3, 4):
            given = {"email": ADA, "password": PASSWORD}
            await people.ask("sessions.create", f"203.0.113.{number}", **given)
        assert await guess(people, "203.0.113.5") == 0
        assert await guess(people, "203.0.113.5") > 0

    meet(scenario)
