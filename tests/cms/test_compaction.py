"""A tenant does not fill up with its own past: what is deleted for good is gone from the change log
too, and what is older than its tier keeps is forgotten."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms import compaction
from mosaic_core.directory import Work
from mosaic_core.directory.trusted_clock import TrustedClock
from mosaic_core.errors import Conflict, DatabaseBusy, LeaseTaken, QuotaExceeded
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.moves.home import Home
from mosaic_core.persistence import HeadStatus
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments

SMALL = {
    "open": {"persistence": "tenancy_sqlite", "storage": "storage_local"},
    "small": {
        "persistence": "tenancy_sqlite",
        "storage": "storage_local",
        "limits": {"database": "4 MB", "history_days": 30},
    },
}


async def small(deployment: Deployment) -> str:
    await deployment.rule("tenants.create", slug="small", name="Small", tier="small")
    return "small"


async def fill(deployment: Deployment, slug: str) -> int:
    """Makes pages until there is no room for another; returns how many."""
    made = itertools.count()

    async def go_on() -> None:
        while True:
            path = f"/p{next(made)}/"
            await deployment.add(path, slug, publish=False, body="lorem ipsum " * 8_000)

    with pytest.raises(QuotaExceeded, match=f"mosaic tenant compact {slug}"):
        await go_on()
    return next(made) - 1


async def empty(deployment: Deployment, slug: str) -> None:
    for page in await deployment.do("pages.list", slug):
        if page.path != "/":
            await deployment.do("pages.delete", slug, path=page.path)
    await deployment.do("pages.empty_bin", slug)


async def log_of(deployment: Deployment, slug: str) -> list[Any]:
    async with deployment.scope(slug).read() as session:
        log = TENANT.changes
        return list(await session.execute(select(log).order_by(log.c.version, log.c.seq)))


async def assert_whole(deployment: Deployment, slug: str) -> None:
    """The chain holds, and the log says what there is."""
    metadata = deployment.product.platform.schema.metadata
    async with deployment.scope(slug).read() as session:
        await verify(session, TENANT)
        assert await rebuild(session, TENANT) == await content_of(session, metadata)


async def nobody_else() -> None:
    pass


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Lets so many days pass."""

    async def now(clock: TrustedClock) -> datetime:
        return datetime.now(UTC) + timedelta(days=days)

    monkeypatch.setattr(TrustedClock, "now", now)


def test_a_full_tenant_has_as_much_room_again_once_all_is_deleted_for_good(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        slug = await small(deployment)
        first = await fill(deployment, slug)
        assert first > 10
        for _ in range(3):
            await empty(deployment, slug)
            assert await fill(deployment, slug) > first * 0.9
        await assert_whole(deployment, slug)

    deployments(scenario, tiers=SMALL)


def test_who_deleted_what_stays_known_and_not_what_it_was_like(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.add("/secret/", body="The combination is 4711.")
        await deployment.do("pages.unpublish", path="/secret/")
        await deployment.do("pages.delete", path="/secret/")
        assert "4711" in str(await log_of(deployment, "aurora"))
        await deployment.do("pages.purge", id=page.id)
        log = await log_of(deployment, "aurora")
        assert "4711" not in str(log)
        told = [row.action for row in log if row.entity_id == str(page.id)]
        assert told == [
            "pages.create",
            "pages.publish",
            "pages.unpublish",
            "pages.delete",
            "pages.purge",
        ]
        await assert_whole(deployment, "aurora")

    deployments(scenario)


def test_what_is_older_than_the_tier_keeps_is_forgotten(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        slug = await small(deployment)
        tenant = deployment.scope(slug).tenant
        for n in range(20):
            await deployment.do("pages.edit", slug, path="/", title=f"Title {n}", body="x" * 9_000)
            await deployment.do("pages.show", slug, path="/")
        look = deployment.product.compactor.look
        before = await log_of(deployment, slug)
        assert await look(tenant.tenant_id) is None
        later(monkeypatch, 29)
        assert await look(tenant.tenant_id) is None
        assert await log_of(deployment, slug) == before
        later(monkeypatch, 31)
        done = await look(tenant.tenant_id)
        assert done is not None
        assert done.changes > 15
        assert done.after < done.before
        assert len(await log_of(deployment, slug)) < len(before)
        await assert_whole(deployment, slug)
        assert (await deployment.do("pages.show", slug, path="/")).title == "Title 19"
        # An idle tenant is left alone from then on.
        head = await deployment.product.platform.persistence(tenant).head(tenant)
        later(monkeypatch, 90)
        assert await look(tenant.tenant_id) is None
        assert await deployment.product.platform.persistence(tenant).head(tenant) == head
        # A tier that keeps all of it has all of it kept.
        kept = deployment.scope("aurora").tenant
        assert await look(kept.tenant_id) is None

    deployments(scenario, tiers=SMALL)


def test_an_operator_compacts_a_tenant_and_that_is_in_the_audit_log(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.add("/long/", body="x" * 500_000)
        await deployment.do("pages.unpublish", path="/long/")
        await deployment.do("pages.delete", path="/long/")
        await deployment.do("pages.purge", id=page.id)
        kept = await deployment.rule("tenants.compact", slug="aurora")
        assert kept.changes == 0  # its tier keeps all of it
        done = await deployment.rule("tenants.compact", slug="aurora", days=0)
        assert done.changes > 4
        await assert_whole(deployment, "aurora")
        newest = (await deployment.do("audit.list"))[0]
        assert (newest.action, newest.actor) == ("tenants.compact", "operator:test")
        assert (await deployment.get("/visit/")).status_code == 200

    deployments(scenario)


def test_the_log_of_a_tenant_that_is_being_moved_is_left_alone(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        slug = await small(deployment)
        platform, tenant = deployment.product.platform, deployment.scope(slug).tenant
        await deployment.do("pages.edit", slug, path="/", title="Another")
        later(monkeypatch, 40)
        async with platform.directory.leases.held(tenant, Work.MOVE, holder="somebody"):
            with pytest.raises(LeaseTaken, match="is being moved"):
                await deployment.rule("tenants.compact", slug=slug)
            assert await deployment.product.compactor.look(tenant.tenant_id) is None
        home = Home(tenant, platform.persistence(tenant), platform.storage(tenant), nobody_else)
        await home.set_status(HeadStatus.FOLLOWED, before=[HeadStatus.OPEN])
        log = await log_of(deployment, slug)
        with pytest.raises(Conflict, match="is being moved"):
            await deployment.rule("tenants.compact", slug=slug)
        assert await deployment.product.compactor.look(tenant.tenant_id) is None
        assert await log_of(deployment, slug) == log

    deployments(scenario, tiers=SMALL)


def test_the_command_says_how_much_room_there_is_now(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    told = invoke("tenant", "compact", "aurora", "--days", "0")
    assert "older changes of aurora are forgotten" in told
    done = json.loads(invoke("tenant", "compact", "aurora", "--json"))
    assert done["slug"] == "aurora"
    assert done["changes"] == 0


def test_a_platform_that_cannot_be_read_now_ends_no_compacting(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(compaction, "_LONGEST", 0.01)

    async def scenario(deployment: Deployment) -> None:
        async def records() -> Any:
            looks.append("failed")
            raise DatabaseBusy("It does not answer.", hint="Try again.")

        monkeypatch.setattr(deployment.product.platform.directory, "records", records)
        running = asyncio.create_task(deployment.product.compactor.run())
        while len(looks) < 3:
            await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()

    deployments(scenario)
