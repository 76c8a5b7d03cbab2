"""A new tenant is whole at once: its first page is made as any other page is, only faster."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from mosaic_core.database.inline import driver_of
from mosaic_core.directory import PlatformFile
from mosaic_core.errors import DatabaseBusy, InvalidInput
from mosaic_core.head import TENANT
from mosaic_core.head.log import rebuild, verify
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt


@pytest.mark.parametrize("home", [True, False])
def test_a_new_tenant_shows_what_it_would_if_it_were_made_anew(
    deployments: Deployments, home: bool
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.create", slug="fresh", name="A *fresh* & new one", home=home)
        shown = await projected(deployment, "fresh")
        assert len(shown) == (2 if home else 1)
        assert shown == await rebuilt(deployment, "fresh")
        answer = await deployment.get("/", "fresh.mosaic.test")
        assert answer.status_code == (200 if home else 404)

    deployments(scenario)


def test_a_new_tenant_s_log_tells_how_it_came_to_be(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.create", slug="fresh", name="Fresh")
        async with deployment.scope("fresh").read() as session:
            assert await verify(session, TENANT) == 3
            content = await rebuild(session, TENANT)
        assert {name: len(rows) for name, rows in content.items() if rows} == {
            "sites": 1,
            "pages": 1,
            "page_versions": 1,
        }
        (page,) = content["pages"].values()
        assert page is not None
        assert (page["path"], page["layout"], page["version_count"]) == ("/", "home", 1)
        assert page["live_version_id"] in content["page_versions"]

    deployments(scenario)


def test_it_is_made_and_written_to_while_other_work_has_every_thread(
    deployments: Deployments,
) -> None:
    """Passwords, pictures and whatever plugins do in threads delay nobody's writes."""

    async def scenario(deployment: Deployment) -> None:
        done = threading.Event()
        loop = asyncio.get_running_loop()
        others = [loop.run_in_executor(None, done.wait, 30) for _ in range(64)]
        late = loop.call_later(20, done.set)
        try:
            await deployment.rule("tenants.create", slug="fresh", name="Fresh")
            await deployment.add("/news/", "fresh")
            assert not done.is_set(), "it waited for the others"
        finally:
            late.cancel()
            done.set()
            await asyncio.gather(*others)
        assert (await deployment.get("/news/", "fresh.mosaic.test")).status_code == 200

    deployments(scenario)


def test_one_whose_making_is_cancelled_at_any_moment_is_there_whole_or_not_at_all(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for turns in range(60):
            making = asyncio.ensure_future(
                deployment.rule("tenants.create", slug=f"fresh-{turns}", name="Fresh")
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            making.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await making
        await _each_has_its_database(deployment)

    deployments(scenario)


def test_one_that_is_known_keeps_its_database_whatever_fails_then(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory

        async def busy() -> None:
            raise DatabaseBusy("The platform database is busy.")

        with monkeypatch.context() as patch:
            patch.setattr(directory, "_look_ended", busy)
            with pytest.raises(DatabaseBusy):
                await deployment.rule("tenants.create", slug="fresh", name="Fresh")
        await _each_has_its_database(deployment)
        assert (await deployment.get("/", "fresh.mosaic.test")).status_code == 200

    deployments(scenario)


async def _each_has_its_database(deployment: Deployment) -> None:
    platform = deployment.product.platform
    await platform.directory.refresh(now=True)
    known = {record.tenant.tenant_id for record in await platform.directory.records()}
    files = (platform.settings.data_dir / "tenants").glob("*.db")
    assert {file.stem for file in files} == known


def test_nothing_is_looked_for_where_nothing_can_be(deployments: Deployments) -> None:
    """The directory need not read what it has written."""
    asked: list[str] = []

    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory
        assert isinstance(directory.database, PlatformFile)
        await deployment.rule("tenants.create", slug="first", name="First")
        for connection in directory.database._idle:
            driver_of(connection).set_trace_callback(asked.append)
        await deployment.rule("tenants.create", slug="second", name="Second")
        assert {statement.split()[0] for statement in asked} == {
            "BEGIN",
            "UPDATE",
            "INSERT",
            "COMMIT",
        }
        assert len(asked) <= 8
        assert directory.named("second").name == "Second"

    deployments(scenario)


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "\u202eeman", "a\nb", "x" * 201])
def test_a_tenant_has_a_name_that_is_seen(deployments: Deployments, name: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match="name"):
            await deployment.rule("tenants.create", slug="fresh", name=name)
        await deployment.rule("tenants.create", slug="fresh", name=" Two words ")
        assert deployment.scope("fresh").tenant.name == "Two words"

    deployments(scenario)
