"""Limits hold on every face, since performing checks them: how often, how much, how long."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.actions import Actions, Model, action
from mosaic_cms.content.models import Page
from mosaic_cms.limits import API, Admission
from mosaic_cms.platform_tables import AuditEntry
from mosaic_cms.product import open_product
from mosaic_cms.rights import Permission, Role
from mosaic_cms.scope import Actor, TenantScope
from mosaic_core.errors import Denied, TookTooLong, TooManyRequests, UsageExceeded
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments, settings_for
from tests.redis_server import RedisServer

EDDA = Actor("account", "edda", Role.EDITOR, address="192.0.2.9")
VERA = dataclasses.replace(EDDA, name="vera", role=Role.VIEWER)
READ = {"needs": Permission("read", "content"), "effect": "read"}


class Nothing(Model):
    """No input."""


async def look(deployment: Deployment, actor: Actor = EDDA, **given: Any) -> Any:
    return await deployment.product.actions.perform("pages.list", deployment.scope(actor=actor), {})


def test_whoever_asks_too_much_is_told_when_to_come_again(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for _ in range(5):
            await look(deployment)
        with pytest.raises(TooManyRequests, match="5 requests a minute") as caught:
            await look(deployment)
        assert 1 <= caught.value.retry_after <= 12
        await look(deployment, VERA)
        await deployment.do("pages.list")  # who runs the installation is not limited

    deployments(scenario, rates={"actor": 5})


def test_a_tenant_has_a_limit_for_all_of_its_people(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for number in range(5):
            await look(deployment, dataclasses.replace(EDDA, name=f"edda-{number}"))
        with pytest.raises(TooManyRequests, match="This tenant gets more than 5"):
            await look(deployment, VERA)
        other = deployment.scope("bread", dataclasses.replace(EDDA, name="one more"))
        await deployment.product.actions.perform("pages.list", other, {})

    deployments(scenario, rates={"tenant": 5})


def test_who_is_refused_is_slowed_down_as_well(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        perform = deployment.product.actions.perform
        for _ in range(3):
            with pytest.raises(Denied):
                await perform("pages.publish", deployment.scope(actor=VERA), {"path": "/"})
        with pytest.raises(TooManyRequests):
            await perform("pages.publish", deployment.scope(actor=VERA), {"path": "/"})

    deployments(scenario, rates={"actor": 3})


def test_one_request_is_counted_once_whatever_it_performs(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        tenant = product.platform.directory.named("aurora")
        request = Admission(counts=True)
        for _ in range(9):
            scope = product.scope(tenant, EDDA, admission=request)
            await product.actions.perform("pages.list", scope, {})
        assert request.allowance is not None
        assert request.allowance.remaining == 1
        assert await product.ledger.spend(tenant.tenant_id, API) == 2

    deployments(scenario, rates={"actor": 2})


def test_what_is_refused_is_none_of_the_requests_of_a_month(deployments: Deployments) -> None:
    tiers = {
        "open": {
            "persistence": "tenancy_sqlite",
            "storage": "storage_local",
            "limits": {"api_requests_per_month": 1},
        }
    }

    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        tenant = product.platform.directory.named("aurora")

        async def ask(actor: Actor, name: str, **given: Any) -> None:
            scope = product.scope(tenant, actor, admission=Admission(counts=True))
            await product.actions.perform(name, scope, given)

        for _ in range(3):
            with pytest.raises(Denied):
                await ask(VERA, "pages.publish", path="/")
        await ask(EDDA, "pages.list")
        with pytest.raises(UsageExceeded, match="1 API requests"):
            await ask(EDDA, "pages.list")
        await look(deployment)  # a person at a page of ours

    deployments(scenario, tiers=tiers)


def test_instances_that_share_a_cache_count_together(deployments: Deployments) -> None:
    async def main() -> None:
        with RedisServer() as server:
            root = deployments.copy()
            settings = settings_for(
                root,
                platform={"plugins": ["host_resolvers", "tenancy_sqlite", "cache_redis"]},
                plugins={"cache_redis": {"url": server.url, "timeout": 10}},
                rates={"actor": 4},
                tiers={"open": {"persistence": "tenancy_sqlite", "storage": "storage_local"}},
            )
            async with open_product(settings) as one, open_product(settings) as other:

                async def ask(product: Any) -> None:
                    scope = product.scope(product.platform.directory.named("aurora"), EDDA)
                    await product.actions.perform("pages.list", scope, {})

                for product in (one, other, one, other):
                    await ask(product)
                for product in (one, other):
                    with pytest.raises(TooManyRequests):
                        await ask(product)
                server.stop()
                for product in (one, other):  # by itself, each begins anew
                    await ask(product)

    asyncio.run(main())


@action("trial.dawdle", needs=Permission("update", "content"))
async def dawdle(scope: TenantScope, command: Nothing) -> None:
    """Changes a page, and then does not come to an end."""

    async def fn(write: Write) -> None:
        page = (await write.session.scalars(select(Page).where(Page.path == "/"))).one()
        page.path = "/elsewhere/"
        await write.session.flush()
        await asyncio.sleep(60)

    await scope.write(fn)


@action("trial.take_time", needs=Permission("read", "content"), effect="read", seconds=30)
async def take_time(scope: TenantScope, command: Nothing) -> str:
    """Takes longer than others may."""
    await asyncio.sleep(0.2)
    return "done"


def test_what_takes_too_long_is_stopped_undone_and_noted(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        actions, product = Actions([dawdle, take_time]), deployment.product
        head = await product.platform.heads.look(deployment.scope().tenant)
        with pytest.raises(TookTooLong, match=r"trial.dawdle took longer than 0.1 s") as caught:
            await actions.perform("trial.dawdle", deployment.scope(actor=EDDA), {})
        assert "Look whether it was done" in caught.value.hint
        assert (await deployment.get("/")).status_code == 200
        await product.ledger.flush()
        async with product.platform.directory.database.session() as session:
            noted = (await session.scalars(select(AuditEntry))).one()
        assert (noted.action, noted.outcome, noted.reason) == (
            "trial.dawdle",
            "failed",
            "took-too-long",
        )
        await deployment.do("pages.edit", path="/", title="Nobody holds the head")
        after = await product.platform.persistence(deployment.scope().tenant).head(
            deployment.scope().tenant
        )
        assert after.version == head.version + 1, "what was stopped left no trace"
        done = await actions.perform("trial.take_time", deployment.scope(actor=EDDA), {})
        assert done == "done"

    deployments(scenario, rates={"seconds": 0.1})


def test_a_write_whose_commit_has_begun_is_finished_first(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        from sqlalchemy.ext.asyncio import AsyncSession

        commit = AsyncSession.commit

        async def slow(session: AsyncSession) -> None:
            await asyncio.sleep(1.5)
            await commit(session)

        seen = await deployment.do("pages.show", path="/")
        given = {"path": "/", "title": "Slow", "based_on": seen.revision}
        with monkeypatch.context() as patched:
            patched.setattr(AsyncSession, "commit", slow)
            with pytest.raises(TookTooLong):
                await deployment.product.actions.perform(
                    "pages.edit", deployment.scope(actor=EDDA), given
                )
        assert (await deployment.do("pages.show", path="/")).title == "Slow"

    deployments(scenario, rates={"seconds": 1.0})
