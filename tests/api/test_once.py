"""Idempotency keys: what is sent twice is done once."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from starlette.responses import JSONResponse, Response

from mosaic_cms.api.once import Once, key_of
from mosaic_cms.api.problems import HttpError
from mosaic_cms.conditions import Conditions
from mosaic_cms.platform_tables import ApiAnswer
from mosaic_core.errors import InvalidInput, MosaicError
from tests.api.conftest import Service, Services
from tests.cms.deployment import OPERATOR, Deployment, Deployments

KEY = key_of("0190-a", "key:1", "tenant")


class Counting:
    """Does something that is counted."""

    def __init__(self) -> None:
        self.times = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> Response:
        self.times += 1
        await self.go.wait()
        return JSONResponse({"secret": "shown once", "time": self.times}, 201)


def test_the_second_time_gets_the_first_answer(services: Services) -> None:
    async def scenario(service: Service) -> None:
        once, run = Once(service.deployment.product), Counting()
        first = await once.answer(KEY, b"asked", run, seconds=1)
        again = await once.answer(KEY, b"asked", run, seconds=1)
        assert run.times == 1
        assert (again.status_code, bytes(again.body)) == (201, bytes(first.body))
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
        another = key_of("0190-a", "key:2", "tenant")
        assert (await once.answer(another, b"asked", run, seconds=1)) is not again
        assert run.times == 2, "another's key is another key"

    services(scenario)


def test_what_is_kept_of_an_answer_is_sealed(services: Services) -> None:
    async def scenario(service: Service) -> None:
        product = service.deployment.product
        await Once(product).answer(KEY, b"asked", Counting(), seconds=1)
        async with product.platform.directory.database.session() as session:
            (row,) = await session.scalars(select(ApiAnswer))
        assert row.content is not None
        assert b"shown once" not in row.content
        assert b"shown once" in product.identity.secrets.unseal(row.content)

    services(scenario)


def test_a_key_is_for_one_request(services: Services) -> None:
    async def scenario(service: Service) -> None:
        once, run = Once(service.deployment.product), Counting()
        await once.answer(KEY, b"asked", run, seconds=1)
        with pytest.raises(HttpError, match="another request") as told:
            await once.answer(KEY, b"asked something else", run, seconds=1)
        assert told.value.status == 422

    services(scenario)


def test_of_two_at_once_one_is_done_and_the_other_told_to_wait(services: Services) -> None:
    async def scenario(service: Service) -> None:
        once, run = Once(service.deployment.product), Counting()
        run.go.clear()
        first = asyncio.create_task(once.answer(KEY, b"asked", run, seconds=1))
        while not run.times:
            await asyncio.sleep(0.01)
        with pytest.raises(HttpError, match="being done") as told:
            await once.answer(KEY, b"asked", run, seconds=1)
        assert (told.value.status, told.value.headers["retry-after"]) == (409, "1")
        run.go.set()
        assert (await first).status_code == 201
        assert (await once.answer(KEY, b"asked", run, seconds=1)).status_code == 201
        assert run.times == 1

    services(scenario)


def test_what_failed_can_be_sent_again(services: Services) -> None:
    async def scenario(service: Service) -> None:
        once = Once(service.deployment.product)

        async def fail() -> Response:
            raise InvalidInput("It does not fit.")

        for _ in range(2):
            with pytest.raises(InvalidInput):
                await once.answer(KEY, b"asked", fail, seconds=1)
        assert (await once.answer(KEY, b"asked", Counting(), seconds=1)).status_code == 201

    services(scenario)


def test_what_a_killed_process_began_is_done_again_after_a_minute_but_not_doubled(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        once = Once(product)
        given = {"slug": "once", "title": "Once", "parent": "/"}

        async def create() -> Response:
            tenant = product.platform.directory.named("aurora")
            scope = product.scope(tenant, OPERATOR, Conditions(key=KEY))
            page = await product.actions.perform("pages.create", scope, given)
            return JSONResponse({"path": page.path}, 201)

        await once._begin(KEY, hashlib.sha256(b"asked").digest(), timedelta(minutes=1))
        await create()  # and then it is killed, before the answer is kept
        with pytest.raises(HttpError, match="being done"):
            await once.answer(KEY, b"asked", create, seconds=1)
        with (
            time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=True),
            pytest.raises(MosaicError),
        ):
            await once.answer(KEY, b"asked", create, seconds=1)
        pages = await deployment.do("pages.list")
        assert [page.path for page in pages].count("/once/") == 1

    deployments(scenario)


def test_what_is_written_to_the_platform_is_not_doubled_either(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        tenant = product.platform.directory.named("aurora")

        async def create() -> None:
            scope = product.scope(tenant, OPERATOR, Conditions(key=KEY))
            await product.actions.perform("keys.create", scope, {"name": "one", "role": "viewer"})

        await create()
        with pytest.raises(MosaicError):
            await create()
        assert len(await deployment.do("keys.list")) == 1

    deployments(scenario)


@pytest.mark.parametrize(
    ("action", "given", "later"),
    [
        ("tenant.rename", {"name": "Borealis"}, {"name": "Australis"}),
        ("tenants.suspend", {"slug": "aurora", "reason": "a while"}, {"slug": "aurora"}),
        ("tenants.rename", {"slug": "aurora", "new": "borealis"}, {}),
    ],
)
def test_what_is_changed_of_a_tenant_is_not_changed_once_more(
    deployments: Deployments, action: str, given: dict[str, str], later: dict[str, str]
) -> None:
    """Not even when somebody else has changed it since: their change stays."""

    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        tenant = product.platform.directory.named("aurora")

        async def change() -> None:
            conditions = Conditions(key=KEY)
            scope: Any = product.platform_scope(OPERATOR, conditions)
            if action == "tenant.rename":
                scope = product.scope(tenant, OPERATOR, conditions)
            await product.actions.perform(action, scope, given)

        await change()
        match action:
            case "tenant.rename":
                await deployment.do(action, **later)
            case "tenants.suspend":
                await deployment.rule("tenants.resume", **later)
            case _:
                await product.platform.directory.rename(tenant.tenant_id, "aurora", actor="t")
        before = product.platform.directory.tenant(tenant.tenant_id)
        with pytest.raises(MosaicError):
            await change()
        assert product.platform.directory.tenant(tenant.tenant_id) == before

    deployments(scenario)


@pytest.mark.parametrize("given", ["", "a" * 256, "ä", "a\nb"])
def test_a_key_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(HttpError, match="Idempotency-Key") as told:
        key_of(given, "key:1", "tenant")
    assert told.value.status == 400
