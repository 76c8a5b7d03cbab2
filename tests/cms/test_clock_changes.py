"""Clocks that are set: what was planned happens once and in its order, and nothing gets lost."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from mosaic_cms import timekeeper
from mosaic_cms.app import Application
from mosaic_cms.product import tenant_schema
from mosaic_core.directory.agenda import Agenda
from mosaic_core.errors import InvalidInput
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, rebuild, verify
from tests.cms.deployment import Deployment, Deployments, opened, settings_for
from tests.cms.test_restarts import leave_work
from tests.cms.test_schedules import PATH, assert_as_made_anew, keep, plan, state, versions

START = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock of this machine, as far as Python sees it; it goes on by itself."""
    with time_machine.travel(START) as traveller:
        yield traveller


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


# What is planned


def test_a_server_whose_clock_is_set_does_each_thing_once(
    deployments: Deployments, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = Agenda.next

    async def counted(self: Agenda, after: datetime | None = None) -> datetime | None:
        nonlocal looks
        looks += after is None
        return await look(self, after)

    async def several_looks() -> None:
        enough = looks + 3
        while looks < enough:
            await asyncio.sleep(0.01)

    async def scenario(deployment: Deployment) -> None:
        monkeypatch.setattr(Agenda, "next", counted)
        monkeypatch.setattr(timekeeper, "LOOK", 0.01)
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, at(2).isoformat())
        await plan(deployment, at(4).isoformat(), "unpublish")
        application = Application(settings_for(deployments.root))
        await application.start()
        try:
            seen: list[str] = []
            for hours in (-30, 1.9, 2, -3, 2, 3.9, 1, 4, -24 * 365, 4.5, 24 * 365 * 20):
                clock.move_to(at(hours))
                await several_looks()
                seen.append(await state(deployment))
        finally:
            await application.stop()
        assert seen == [*["changed"] * 2, *["published"] * 5, *["draft"] * 4]
        assert await versions(deployment) == 2
        assert await deployment.do("pages.schedules") == []
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_what_was_planned_is_kept_while_the_clock_is_back_and_by_the_next_process(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, at(2).isoformat())
        clock.move_to(at(-48))
        assert await keep(deployment) == 0
        with pytest.raises(InvalidInput, match="is past"):
            await plan(deployment, at(-49).isoformat(), "unpublish")
        await plan(deployment, at(-1).isoformat(), "unpublish")

    async def next_process() -> None:
        async with opened(deployments.root) as deployment:
            done = []
            for hours in (-2, -1, -48, 0, 3, 1, 3):
                clock.move_to(at(hours))
                done.append((await keep(deployment), await state(deployment)))
            assert done == [
                (0, "changed"),
                (1, "draft"),
                (0, "draft"),
                (0, "draft"),
                (1, "published"),
                (0, "published"),
                (0, "published"),
            ]
            await assert_as_made_anew(deployment)

    deployments(scenario)
    asyncio.run(next_process())


def test_what_is_due_at_one_instant_is_done_in_the_order_in_which_it_was_planned(
    deployments: Deployments, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_before = uuid.UUID("01900000-0000-7000-8000-000000000000")

    async def scenario(deployment: Deployment) -> None:
        await plan(deployment, at(2).isoformat(), "unpublish")
        monkeypatch.setattr("mosaic_cms.content.schedules.new_id", lambda: made_before)
        clock.move_to(at(-100))  # and a process with that clock plans the rest
        await plan(deployment, at(2).isoformat(), "unpublish", path="/visit/")
        await plan(deployment, at(2).isoformat(), "publish", path="/visit/")
        await plan(deployment, at(2).isoformat(), "unpublish", path="/news/")
        clock.move_to(at(2))
        assert await keep(deployment) == 4, "a page is unpublished before the one above it"
        states = [await state(deployment, path) for path in (PATH, "/visit/", "/news/")]
        assert states == ["draft", "published", "draft"]

    deployments(scenario)


@pytest.fixture(params=["UTC", "Europe/Berlin", "Pacific/Auckland"])
def machine_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The zone of the machine, which is not that of a site."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_zone")
def test_the_change_to_summer_time_skips_nothing(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", time_zone="Europe/Berlin")
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, "2031-03-30 01:59:59")
        await plan(deployment, "2031-03-30 03:00", "unpublish")
        await plan(deployment, "2031-03-30 12:00")
        done = []
        for utc in ("00:59:58", "00:59:59", "01:00:00", "09:59:59", "10:00:00"):
            clock.move_to(datetime.fromisoformat(f"2031-03-30T{utc}+00:00"), tick=False)
            done.append((await keep(deployment), await state(deployment)))
        assert done == [
            (0, "changed"),
            (1, "published"),
            (1, "draft"),
            (0, "draft"),
            (1, "published"),
        ]

    deployments(scenario)


@pytest.mark.usefixtures("machine_zone")
def test_the_hour_that_comes_twice_doubles_nothing(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", time_zone="Europe/Berlin")
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, "2031-10-26 02:30", which="first")
        await plan(deployment, "2031-10-26 02:30", "unpublish", which="second")
        done = []
        for utc in ("00:29:59", "00:30:00", "00:59:59", "01:00:00", "01:29:59", "01:30:00"):
            clock.move_to(datetime.fromisoformat(f"2031-10-26T{utc}+00:00"), tick=False)
            done.append((await keep(deployment), await state(deployment)))
        assert done == [
            (0, "changed"),
            (1, "published"),
            (0, "published"),
            (0, "published"),
            (0, "published"),
            (1, "draft"),
        ]
        assert await versions(deployment) == 2

    deployments(scenario)


def test_another_zone_of_the_site_moves_nothing_that_was_planned(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", time_zone="Europe/Berlin")
        before = await plan(deployment, "2031-06-01 09:00", "unpublish")
        await deployment.do("sites.configure", time_zone="Asia/Tokyo")
        assert await deployment.do("pages.schedules") == [before]
        after = await plan(deployment, "2031-06-01 09:00")
        assert before.due - after.due == timedelta(hours=7)
        clock.move_to(before.due - timedelta(seconds=1), tick=False)
        assert (await keep(deployment), await state(deployment)) == (1, "published")
        clock.move_to(before.due)
        assert (await keep(deployment), await state(deployment)) == (1, "draft")

    deployments(scenario)


# What was written


def test_log_and_versions_keep_their_order_and_say_what_the_clock_said(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        hours = (5, 2, 2, -40, 30, -1)
        for number, when in enumerate(hours):
            clock.move_to(at(when))
            await deployment.do("pages.edit", path=PATH, title=f"Hours {number}")
            await deployment.do("pages.publish", path=PATH)
            shown = await deployment.get(PATH)
            assert f"Hours {number}" in shown.text, "a visitor sees it at once"
        newest_first = await deployment.do("pages.versions", path=PATH)
        assert [version.title for version in newest_first[:-1]] == [
            f"Hours {number}" for number in reversed(range(len(hours)))
        ]
        assert [version.live for version in newest_first] == [True, *[False] * len(hours)]
        for version, when in zip(newest_first, reversed(hours), strict=False):
            assert timedelta(0) <= version.at - at(when) < timedelta(hours=1)
        assert await state(deployment) == "published"
        restored = await deployment.do("pages.restore", path=PATH, number=2)
        assert restored.title == "Hours 0"
        async with deployment.scope().read() as session:
            log = TENANT.changes.c
            rows = await session.execute(select(log.version, log.at).order_by(log.version, log.seq))
            numbers = [version for version, _ in rows]
            assert set(numbers) == set(range(1, numbers[-1] + 1))
            assert await verify(session, TENANT) == len(numbers)
            assert await rebuild(session, TENANT) == await content_of(
                session, tenant_schema().metadata
            )
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_what_a_stopped_process_left_is_done_though_the_clock_was_set_back(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await leave_work(deployment, "aurora", "Plan your visit")

    async def next_process() -> None:
        async with opened(deployments.root) as deployment:
            clock.move_to(at(-3))
            assert await deployment.product.settle_all(older_than=5.0) == 1
            assert "Plan your visit" in (await deployment.get(PATH)).text
            await assert_as_made_anew(deployment)

    deployments(scenario)
    asyncio.run(next_process())


def test_what_went_into_the_bin_apart_comes_out_apart_though_the_clock_stands(
    deployments: Deployments, clock: time_machine.Traveller
) -> None:
    async def scenario(deployment: Deployment) -> None:
        clock.move_to(START, tick=False)
        binned: list[Any] = []
        for path in (PATH, "/visit/", "/news/"):
            binned.append(await deployment.do("pages.delete", path=path))
        assert [page.below for page in await deployment.do("pages.bin")] == [0, 0, 0]
        pages = await deployment.do("pages.restore_from_bin", id=binned[1].id)
        assert [page.path for page in pages] == ["/visit/"]
        pages = await deployment.do("pages.restore_from_bin", id=binned[0].id)
        assert [page.path for page in pages] == [PATH]

    deployments(scenario)
