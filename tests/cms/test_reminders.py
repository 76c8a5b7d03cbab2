"""What the platform notes about its tenants, compared with what they say themselves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from mosaic_cms.content.published import PublishedPage
from mosaic_cms.timekeeper import Timekeeper
from mosaic_core.head import Write
from tests.cms.deployment import TENANTS, Deployment, Deployments, opened
from tests.cms.test_restarts import leave_work

SOON = datetime.now(UTC) + timedelta(hours=1)
PATH = "/visit/hours/"


async def wrong(deployment: Deployment, slug: str = "aurora", *, mend: bool = False) -> list[str]:
    tenant = deployment.scope(slug).tenant
    return await deployment.product.reminders.compare(tenant, mend=mend)


async def plan(deployment: Deployment, at: datetime, action: str = "unpublish") -> Any:
    given = {"path": PATH, "at": at.isoformat(), "action": action}
    return await deployment.do("pages.schedule", **given)


def after_a_restored_backup(
    deployments: Deployments,
    forgotten: Callable[[Deployment], Awaitable[None]],
    scenario: Callable[[Deployment], Awaitable[None]],
) -> None:
    """Does something that the platform database of before does not know of."""
    root = deployments.copy()
    database = Path(root, "data", "platform.db")

    async def main() -> None:
        async with opened(root):  # whoever closes it last leaves one file
            pass
        shutil.copy(database, f"{database}.backup")
        async with opened(root) as deployment:
            await forgotten(deployment)
        shutil.move(f"{database}.backup", database)
        async with opened(root) as deployment:
            await scenario(deployment)

    asyncio.run(main())


def test_nothing_is_wrong_in_a_deployment_that_works(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await plan(deployment, SOON)
        await plan(deployment, SOON + timedelta(hours=1))
        await leave_work(deployment, "aurora", "Plan your visit")
        assert [await wrong(deployment, slug) for slug in TENANTS] == [[], [], []]
        await deployment.do("pages.unschedule", id=first.id)  # what is noted is early now
        assert await wrong(deployment) == []

    deployments(scenario)


def test_a_schedule_that_the_platform_forgot_is_noted_again(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgotten(deployment: Deployment) -> None:
        await plan(deployment, SOON)

    async def scenario(deployment: Deployment) -> None:
        later = SOON + timedelta(days=1)
        agenda = deployment.product.platform.directory.agenda
        tenant_id = deployment.scope().tenant.tenant_id
        (what,) = await wrong(deployment)
        assert what.startswith(f"Something is due at {SOON:%Y-%m-%d %H:%M}")
        assert "the platform knows of nothing." in what
        await agenda.settle(tenant_id, later)
        (what,) = await wrong(deployment)
        assert f"nothing before {later:%Y-%m-%d %H:%M}" in what
        assert await wrong(deployment, mend=True) == [what]
        assert await wrong(deployment) == []
        monkeypatch.setattr(Timekeeper, "now", lambda _: SOON)
        assert await deployment.product.timekeeper.keep() == 1
        assert (await deployment.get(PATH)).status_code == 404

    after_a_restored_backup(deployments, forgotten, scenario)


def test_something_that_was_due_and_is_not_there_is_forgotten(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        agenda = deployment.product.platform.directory.agenda
        tenant_id = deployment.scope().tenant.tenant_id
        past = datetime.now(UTC) - timedelta(hours=1)
        await agenda.expect(tenant_id, past)
        (what,) = await wrong(deployment, mend=True)
        assert "which is not there" in what
        assert await agenda.noted(tenant_id) is None
        planned = await plan(deployment, SOON)
        await agenda.expect(tenant_id, past)
        assert len(await wrong(deployment, mend=True)) == 1
        assert await agenda.noted(tenant_id) == planned.due

    deployments(scenario)


def test_work_that_the_platform_forgot_is_done(deployments: Deployments) -> None:
    async def forgotten(deployment: Deployment) -> None:
        await leave_work(deployment, "aurora", "Plan your visit")

    async def scenario(deployment: Deployment) -> None:
        assert await deployment.product.settle_all() == 0
        (what,) = await wrong(deployment, mend=True)
        assert "Work waits in its outbox" in what
        assert await deployment.product.settle_all() == 1
        assert "Plan your visit" in (await deployment.get(PATH)).text
        assert await wrong(deployment) == []

    after_a_restored_backup(deployments, forgotten, scenario)


def test_a_tenant_whose_pages_need_other_themes_than_are_noted_is_looked_at(
    deployments: Deployments,
) -> None:
    async def older(write: Write) -> None:
        await write.session.execute(update(PublishedPage).values(theme_revision="of a backup"))

    async def scenario(deployment: Deployment) -> None:
        renewal, tenant = deployment.product.renewal, deployment.scope().tenant
        await deployment.product.kept.keep(serving=True)
        await deployment.product.platform.write(tenant, older, actor="test", action="test")
        assert not await renewal.renew_one()
        (what,) = await wrong(deployment, mend=True)
        assert "themes which the platform does not keep" in what
        assert await wrong(deployment) == []
        assert await renewal.renew_one()
        assert await wrong(deployment) == []
        assert not await renewal.renew_one()

    deployments(scenario)


def test_a_suspended_tenant_is_compared_too(deployments: Deployments) -> None:
    async def forgotten(deployment: Deployment) -> None:
        await plan(deployment, SOON)

    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.suspend", slug="aurora")
        assert len(await wrong(deployment, mend=True)) == 1
        assert await wrong(deployment) == []

    after_a_restored_backup(deployments, forgotten, scenario)


def test_what_looks_wrong_beside_a_write_is_not(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of something that was done between the two looks is gone."""

    async def scenario(deployment: Deployment) -> None:
        planned = await plan(deployment, SOON)
        agenda = deployment.product.platform.directory.agenda
        noted, done = agenda.noted, []

        async def meanwhile(tenant_id: str) -> datetime | None:
            if not done:
                done.append(True)
                monkeypatch.setattr(Timekeeper, "now", lambda _: planned.due)
                assert await deployment.product.timekeeper.keep() == 1
            return await noted(tenant_id)

        monkeypatch.setattr(agenda, "noted", meanwhile)
        assert await wrong(deployment) == []
        assert done

    deployments(scenario)
