"""Schedules: what is due is done at its instant, once, whoever is stopped, whatever clocks do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mosaic_cms import timekeeper
from mosaic_cms.app import Application
from mosaic_cms.content.publishing import Publisher
from mosaic_cms.timekeeper import Timekeeper
from mosaic_core.errors import DatabaseBusy, InvalidInput, NotFound
from tests.cms.anywhere import deployments, place_of_many
from tests.cms.deployment import Deployment, Deployments, opened, settings_for
from tests.cms.projection import projected, rebuilt

__all__ = ["deployments", "place_of_many"]

#: A winter morning.
START = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)
PATH = "/visit/hours/"

#: Publishes what is due, and is killed within the write that does it.
KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from mosaic_cms.content.publishing import Publisher
from mosaic_cms.timekeeper import Timekeeper
from tests.cms.deployment import opened

async def main():
    async with opened(Path(sys.argv[1])) as deployment:
        publish = Publisher.publish
        async def killed(*args):
            await publish(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        Publisher.publish = killed
        Timekeeper.now = lambda self: datetime.fromisoformat(sys.argv[2])
        await deployment.product.timekeeper.keep()

asyncio.run(main())
"""


class Clock:
    """A clock that tests set."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def at(self, hours: float) -> datetime:
        self.now = START + timedelta(hours=hours)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(Timekeeper, "now", lambda self: clock.now)
    return clock


async def plan(deployment: Deployment, at: str, action: str = "publish", **given: Any) -> Any:
    given = {"path": PATH, "at": at, "action": action} | given
    return await deployment.do("pages.schedule", **given)


async def keep(deployment: Deployment) -> int:
    return await deployment.product.timekeeper.keep()


async def state(deployment: Deployment, path: str = PATH) -> str:
    return str((await deployment.do("pages.show", path=path)).state)


async def noted(deployment: Deployment, now: datetime = START) -> datetime | None:
    return await deployment.product.platform.directory.agenda.next(now)


async def versions(deployment: Deployment, path: str = PATH) -> int:
    return len(await deployment.do("pages.versions", path=path))


async def assert_as_made_anew(deployment: Deployment, slug: str = "aurora") -> None:
    assert await projected(deployment, slug) == await rebuilt(deployment, slug)


def test_a_page_is_published_when_it_is_due_and_not_before(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path=PATH, title="New hours")
        planned = await plan(deployment, "2031-01-15 10:00")
        assert planned.due == START + timedelta(hours=2)
        assert await noted(deployment) == planned.due
        for hours in (0, 1.99):
            clock.at(hours)
            assert (await keep(deployment), await state(deployment)) == (0, "changed")
        clock.at(2)
        assert (await keep(deployment), await state(deployment)) == (1, "published")
        assert await deployment.do("pages.schedules") == []
        assert await noted(deployment) is None
        assert await keep(deployment) == 0
        (newest, _) = await deployment.do("pages.versions", path=PATH)
        assert newest.actor == "operator:test", "it is published by whoever planned it"
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_times_are_those_of_the_zone_in_which_they_were_given(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        berlin = await plan(deployment, "2031-06-01 09:00", time_zone="Europe/Berlin")
        kolkata = await plan(deployment, "2031-06-01 09:00", "unpublish", time_zone="Asia/Kolkata")
        assert berlin.due == datetime(2031, 6, 1, 7, 0, tzinfo=UTC)
        assert kolkata.due == datetime(2031, 6, 1, 3, 30, tzinfo=UTC)
        assert (berlin.local, berlin.shown) == (
            "2031-06-01 09:00",
            "2031-06-01 09:00 Europe/Berlin (UTC+02:00)",
        )
        listed = await deployment.do("pages.schedules", path=PATH)
        assert [item.id for item in listed] == [kolkata.id, berlin.id]
        assert await noted(deployment) == kolkata.due

    deployments(scenario)


@pytest.mark.parametrize(
    ("at", "zone", "words"),
    [
        ("2031-01-15 07:59", "UTC", "is past"),
        ("2031-03-30 02:30", "Europe/Berlin", r"no 2031-03-30 02:30 in Europe/Berlin"),
        ("2031-10-26 02:30", "Europe/Berlin", "comes twice"),
        ("2031-02-29 09:00", "UTC", "no date and time"),
        ("tomorrow", "UTC", "no date and time"),
        ("2031-06-01 09:00", "Europe/Berln", "did you mean 'Europe/Berlin'"),
    ],
)
def test_a_time_that_is_past_or_none_is_refused_with_what_can_be_meant(
    deployments: Deployments, clock: Clock, at: str, zone: str, words: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match=words):
            await plan(deployment, at, time_zone=zone)
        assert await deployment.do("pages.schedules") == []
        assert await noted(deployment) is None

    deployments(scenario)


def test_a_time_that_comes_twice_is_taken_when_it_is_said_which(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        first, second = [
            await plan(
                deployment, "2031-10-26 02:30", time_zone="Europe/Berlin", which=which, action=what
            )
            for which, what in (("first", "publish"), ("second", "unpublish"))
        ]
        assert second.due - first.due == timedelta(hours=1)

    deployments(scenario)


def test_what_became_due_while_nothing_ran_is_done_in_its_order(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await plan(deployment, "2031-01-15 11:00", "unpublish")
        await plan(deployment, "2031-01-15 10:00", "publish")
        await plan(deployment, "2031-01-15 12:00", "publish")

    deployments(scenario)

    async def later() -> None:
        async with opened(deployments.root) as deployment:
            clock.at(3.5)
            assert (await keep(deployment), await state(deployment)) == (2, "draft")
            assert await noted(deployment, clock.now) == START + timedelta(hours=4)
            clock.at(24)
            assert (await keep(deployment), await state(deployment)) == (1, "published")
            await assert_as_made_anew(deployment)

    asyncio.run(later())


def test_a_process_killed_amid_it_leaves_it_to_the_next_which_does_it_once(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, "2031-01-15 10:00")

    deployments(scenario)
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(deployments.root), clock.at(3).isoformat()],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()

    async def next_process() -> None:
        async with opened(deployments.root) as deployment:
            assert (await state(deployment), await versions(deployment)) == ("changed", 1)
            assert await keep(deployment) == 1
            assert (await state(deployment), await versions(deployment)) == ("published", 2)
            assert await keep(deployment) == 0
            await assert_as_made_anew(deployment)

    asyncio.run(next_process())


def test_several_processes_do_it_once(
    deployments: Deployments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(here: Deployment) -> None:
        published = []
        publish = Publisher.publish

        async def counted(self: Publisher, write: Any, site: Any, page: Any) -> Any:
            published.append(page.path)
            return await publish(self, write, site, page)

        for number in range(5):
            await here.add(f"/news/n{number}/", publish=False)
            await plan(here, "2031-01-15 09:00", path=f"/news/n{number}/")
        monkeypatch.setattr(Publisher, "publish", counted)
        clock.at(1)
        async with opened(deployments.root) as there, opened(deployments.root) as third:
            done = await asyncio.gather(*(keep(one) for one in (here, there, third)))
            assert sum(done) == len(published) == len(set(published)) == 5
            await here.product.settle_all()
            await assert_as_made_anew(there)

    deployments(scenario)


def test_what_cannot_be_done_says_why_and_holds_nothing_up(
    deployments: Deployments, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        image = {"main": [{"type": "image", "data": {}}]}
        await deployment.do("pages.edit", path="/visit/", regions=image)
        await plan(deployment, "2031-01-15 09:00", path="/visit/")
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, "2031-01-15 09:30")
        await deployment.add("/news/old/", publish=False)
        await plan(deployment, "2031-01-15 09:15", path="/news/old/")
        await deployment.do("pages.delete", path="/news/old/")
        clock.at(2)
        assert (await keep(deployment), await state(deployment)) == (1, "published")
        first, second = await deployment.do("pages.schedules")
        assert "cannot be published yet: main[0]" in first.failure
        assert "is in the bin" in second.failure
        assert (first.path, second.path) == ("/visit/", "/news/old/")
        assert "could not be done" in caplog.text
        assert await keep(deployment) == 0, "it is not tried again"
        assert await noted(deployment) is None
        assert await versions(deployment, "/visit/") == 1
        await deployment.do("pages.unschedule", id=first.id)
        assert [item.id for item in await deployment.do("pages.schedules")] == [second.id]
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_an_error_of_the_system_is_a_failure_and_a_busy_database_is_none(
    deployments: Deployments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def broken(*args: Any) -> None:
            raise KeyError("a template's mistake")

        async def busy(*args: Any) -> None:
            raise DatabaseBusy("it is locked")

        await plan(deployment, "2031-01-15 09:00")
        clock.at(1)
        with monkeypatch.context() as patch:
            patch.setattr("mosaic_cms.timekeeper.carry_out", busy)
            patch.setattr("mosaic_core.head.write.random.uniform", lambda a, b: 0)
            assert await keep(deployment) == 0
        (item,) = await deployment.do("pages.schedules")
        assert item.failure is None
        assert await keep(deployment) == 0, "it is left alone for a while"
        monkeypatch.setattr(timekeeper, "_PAUSE", 0)
        deployment.product.timekeeper._troubled.clear()
        with monkeypatch.context() as patch:
            patch.setattr("mosaic_cms.timekeeper.carry_out", broken)
            assert await keep(deployment) == 0
        (item,) = await deployment.do("pages.schedules")
        assert item.failure == "An error in the system: KeyError."

    deployments(scenario)


def test_one_tenants_trouble_is_not_anothers(deployments: Deployments, clock: Clock) -> None:
    async def scenario(deployment: Deployment) -> None:
        for slug in ("aurora", "bread", "steel"):
            await deployment.do("pages.edit", slug, path=PATH, title="New hours")
            await deployment.do("pages.schedule", slug, path=PATH, at="2031-01-15 09:00")
        tenants = deployments.root / "data" / "tenants"
        for file in tenants.glob(f"{deployment.scope('aurora').tenant.tenant_id}.db*"):
            file.unlink()
        await deployment.rule("tenants.suspend", slug="bread")
        clock.at(2)
        assert await keep(deployment) == 1
        assert (await deployment.do("pages.show", "steel", path=PATH)).state == "published"
        await deployment.rule("tenants.resume", slug="bread")
        assert await keep(deployment) == 1
        assert (await deployment.do("pages.show", "bread", path=PATH)).state == "published"

    deployments(scenario)


def test_a_clock_that_is_set_back_or_forward_does_nothing_twice(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path=PATH, title="New hours")
        await plan(deployment, "2031-01-15 10:00")
        await plan(deployment, "2031-01-15 12:00", "unpublish")
        done = []
        for hours in (2, -1, 2, 3, 1, 100, -100, 100):
            clock.at(hours)
            done.append(await keep(deployment))
        assert done == [1, 0, 0, 0, 0, 1, 0, 0]
        assert (await state(deployment), await versions(deployment)) == ("draft", 2)

    deployments(scenario)


def test_what_was_taken_back_is_not_done(deployments: Deployments, clock: Clock) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await plan(deployment, "2031-01-15 09:00", "unpublish")
        again = await plan(deployment, "2031-01-15 09:00", "unpublish")
        assert first.id == again.id, "the same thing at the same instant is noted once"
        later = await plan(deployment, "2031-01-15 11:00", "unpublish")
        await deployment.do("pages.unschedule", id=first.id)
        with pytest.raises(NotFound, match="may have been carried out"):
            await deployment.do("pages.unschedule", id=first.id)
        clock.at(1.5)
        assert (await keep(deployment), await state(deployment)) == (0, "published")
        assert await noted(deployment, clock.now) == later.due, "and the next one is known"
        for given in ({"id": uuid.uuid4()}, {"id": later.id, "site": "shop"}):
            with pytest.raises(NotFound):
                await deployment.do("pages.unschedule", **given)

    deployments(scenario)


def test_unpublishing_what_is_not_published_is_done_already(
    deployments: Deployments, clock: Clock
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await plan(deployment, "2031-01-15 09:00", "unpublish")
        await deployment.do("pages.unpublish", path=PATH)
        clock.at(1)
        assert await keep(deployment) == 1
        assert await deployment.do("pages.schedules") == []

    deployments(scenario)


def test_a_schedule_made_while_what_is_due_is_looked_for_is_not_lost(
    deployments: Deployments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await plan(deployment, "2031-01-15 09:00", "unpublish")
        clock.at(1)
        settle = deployment.product.platform.directory.agenda.settle
        added: list[asyncio.Task[Any]] = []

        async def slow(tenant_id: str, due: datetime | None) -> None:
            if not added:
                coming = plan(deployment, "2031-01-15 09:30")
                added.append(asyncio.create_task(coming))
                await asyncio.sleep(0.05)
            await settle(tenant_id, due)

        monkeypatch.setattr(deployment.product.platform.directory.agenda, "settle", slow)
        assert await keep(deployment) == 1
        planned = await added[0]
        assert await noted(deployment, clock.now) == planned.due

    deployments(scenario)


def test_a_server_does_it_within_a_second(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        application = Application(settings_for(deployments.root))
        await application.start()
        try:
            assert application.product is not None
            await deployment.do("pages.edit", path=PATH, title="By another process")
            soon = datetime.now(UTC) + timedelta(seconds=0.3)
            await plan(deployment, soon.isoformat())
            mine = application.product.scope(deployment.scope().tenant, deployment.scope().actor)
            given = {"path": "/visit/", "at": soon.isoformat(), "action": "publish"}
            await deployment.do("pages.edit", path="/visit/", title="By this process")
            await application.product.actions.perform("pages.schedule", mine, given)
            for path in ("/visit/", PATH):
                while await state(deployment, path) != "published":
                    assert datetime.now(UTC) < soon + timedelta(seconds=2)
                    await asyncio.sleep(0.02)
                newest = (await deployment.do("pages.versions", path=path))[0]
                assert timedelta(0) <= newest.at - soon < timedelta(seconds=1), path
        finally:
            await application.stop()

    deployments(scenario)


def test_the_timekeeper_outlives_whatever_goes_wrong(
    deployments: Deployments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        keep = Timekeeper.keep
        failed = []

        async def failing(self: Timekeeper) -> int:
            if not failed:
                failed.append(True)
                raise RuntimeError("a look that fails")
            return await keep(self)

        monkeypatch.setattr(Timekeeper, "keep", failing)
        monkeypatch.setattr(timekeeper, "LOOK", 0.01)
        await plan(deployment, "2031-01-15 09:00", "unpublish")
        clock.at(1)
        task = asyncio.create_task(deployment.product.timekeeper.run())
        for _ in range(100):
            if await state(deployment) == "draft":
                break
            await asyncio.sleep(0.02)
        assert (failed, await state(deployment)) == ([True], "draft")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    deployments(scenario)
