"""Sessions in the platform database: what is written for them, and when. What holds wherever they
are kept is in ``test_session_stores``."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from mosaic_cms.identity.secrets import digest_of
from mosaic_cms.identity.tables import SessionRow
from mosaic_core.errors import DatabaseReadOnly
from mosaic_core.types import new_id
from tests.cms.deployment import opened
from tests.cms.identity.people import ADA, Meet, People
from tests.platforms import place

__all__ = ["place"]  # of these, all run on each kind of server each time

START = "2031-01-15T08:00Z"


async def count(people: People) -> int:
    async with people.product.identity.store.session() as session:
        return int(await session.scalar(select(func.count()).select_from(SessionRow)) or 0)


def test_a_remembered_session_lasts_thirty_days_and_the_browser_keeps_it(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            await people.browser()
            given = {"email": ADA, "password": "correct horse battery staple"}
            short = await people.ask("sessions.create", **given)
            long = await people.ask("sessions.create", **given, remember=True)
            assert (short.max_age, long.max_age) == (None, 30 * 24 * 3600)
            clock.shift(timedelta(days=29))
            assert not await people.finds(short.cookie.get_secret_value())
            assert await people.finds(long.cookie.get_secret_value())
            await people.browser()  # who signs in takes the rows of expired sessions away
            assert await count(people) == 2

    meet(scenario)


def test_a_session_that_is_used_all_the_time_is_written_now_and_then(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            _, cookie = await people.browser()
            await people.finds(cookie)
            directory = people.product.platform.directory
            before = directory.version
            clock.shift(timedelta(minutes=4))
            for _ in range(20):
                assert await people.finds(cookie)
            assert directory.version == before
            clock.shift(timedelta(minutes=4))
            assert all(await asyncio.gather(*(people.finds(cookie) for _ in range(20))))
            for _ in range(3):
                await people.product.identity.session_store.flush()
            assert directory.version == before + 1

    meet(scenario)


def test_the_sessions_of_everybody_are_noted_in_one_write(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            cookies = [(await people.browser())[1] for _ in range(5)]
            clock.shift(timedelta(hours=7))
            assert all([await people.finds(cookie) for cookie in cookies])
            before = people.product.platform.directory.version
            await people.product.identity.session_store.flush()
            assert people.product.platform.directory.version == before + 1
            clock.shift(timedelta(hours=7))
            async with opened(people.product.platform.settings.root) as other:
                assert all([await People(other).finds(cookie) for cookie in cookies])

    meet(scenario)


def test_a_use_that_is_not_written_yet_counts_when_other_things_change(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            ada, cookie = await people.browser()
            clock.shift(timedelta(hours=7))
            assert await people.finds(cookie)
            await people.signed_up("bob@example.com")  # what is kept in memory is forgotten
            clock.shift(timedelta(minutes=50))
            assert [view.current for view in await people.ask("sessions.list", ada)] == [True]
            clock.shift(timedelta(hours=2))
            assert await people.finds(cookie)

    meet(scenario)


def test_what_a_browser_calls_itself_is_kept_within_bounds(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        odd = dataclasses.replace(ada, agent="x\x00\ud800\r\n" + "y" * 5_000, address="z" * 500)
        given = {"email": ADA, "password": "correct horse battery staple"}
        signed = await people.ask("sessions.create", odd, **given)
        view = (await people.ask("sessions.list", people.actor(signed)))[0]
        assert len(view.address) == 64
        assert len(view.agent) <= 200
        assert view.agent.startswith("x    y")

    meet(scenario)


def test_a_cookie_that_was_made_up_is_nobody_s_and_asks_no_database(
    meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        _, cookie = await people.browser()
        identifier, secret, signature = cookie.split(".")
        async with people.product.identity.store.session() as session:
            row = (await session.scalars(select(SessionRow))).one()
        assert row.digest == digest_of(secret)  # and nothing that signs in
        await people.finds(cookie)

        def asked() -> None:
            raise AssertionError("a database was asked")

        with monkeypatch.context() as patched:
            patched.setattr(people.product.identity.store, "session", asked)
            for made_up in (
                "",
                ".",
                "..",
                "x" * 100_000,
                "\ud800",
                "ü" * 86,
                f"{identifier}.{secret}.{'A' * 22}",
                f"{identifier}.{'A' * 32}.{signature}",
                f"{new_id().hex}.{secret}.{signature}",
                f"{cookie}\n",
                cookie.upper(),
            ):
                assert not await people.finds(made_up)
            assert await people.finds(cookie)

    meet(scenario)


def test_a_session_that_ends_while_it_is_looked_up_is_not_kept(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        for _ in range(5):
            ada, cookie = await people.browser()
            await asyncio.gather(
                *(people.finds(cookie) for _ in range(5)),
                people.ask("sessions.end", ada, id=ada.session),
                *(people.finds(cookie) for _ in range(5)),
            )
            assert not await people.finds(cookie)

    meet(scenario)


def test_a_database_that_cannot_be_written_signs_nobody_out(
    meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            _, cookie = await people.browser()
            store = people.product.identity.store

            async def full(*given: object, **more: object) -> None:
                raise DatabaseReadOnly("The disk is full.")

            with monkeypatch.context() as patched:
                patched.setattr(store, "write", full)
                clock.shift(timedelta(hours=7))
                assert await people.finds(cookie)
                with pytest.raises(DatabaseReadOnly):
                    await people.product.identity.session_store.flush()
                clock.shift(timedelta(hours=2))
                assert await people.finds(cookie)
            await people.product.identity.session_store.flush()
            clock.shift(timedelta(hours=7))
            async with opened(people.product.platform.settings.root) as other:
                assert await People(other).finds(cookie), "it is written once that is possible"

    meet(scenario)


def test_a_warm_lookup_costs_microseconds(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        _, cookie = await people.browser()
        find = people.product.identity.sessions.find
        await find(cookie)
        began = time.process_time()
        for _ in range(1_000):
            await find(cookie)
        assert (time.process_time() - began) / 1_000 < 0.0001

    meet(scenario)
