"""Making and removing a tenant is killed at every step: it is whole, gone, or gone on with."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mosaic_cms.cli.health import examine_databases
from mosaic_core.errors import LeaseTaken
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.test_tenant_life import lived_in, rows_with
from tests.killing import nursery

SOME = {"remove": (5, 11), "create": (3,), "recover": (6,)}
NEW = {"slug": "new", "name": "New", "tier": "open", "domains": ("new.example",)}
#: So that nobody waits long for what a killed process held.
SOON = {"platform": {"lease": 2.0}}


async def remove(root: Path) -> None:
    """What is killed."""
    async with opened(root, **SOON) as deployment:
        await deployment.rule("tenants.delete", slug="aurora")
        await deployment.rule("tenants.remove", slug="aurora", confirm="aurora")


async def create(root: Path) -> None:
    """What is killed."""
    async with opened(root, **SOON) as deployment:
        await deployment.rule("tenants.create", **NEW)


async def recover(root: Path) -> None:
    """What is killed."""
    async with opened(root, **SOON) as deployment:
        await deployment.rule("tenants.recover", slug="aurora")


async def forgotten(deployment: Deployment) -> None:
    """It is deleted, and nobody knows of anything that is noted about it."""
    directory = deployment.product.platform.directory
    tenant = directory.named("aurora")
    await deployment.do("pages.schedule", path="/visit/", at="2090-01-01 09:00")
    await deployment.rule("tenants.delete", slug="aurora")
    await directory.agenda.settle(tenant.tenant_id, None)
    await directory.theme_sets.forget(tenant.tenant_id)


async def wrong(deployment: Deployment) -> list[str]:
    """What the doctor finds, but for the mail that waits here."""
    found = await examine_databases(deployment.product, lambda *_: None, mend=False)
    return [f"{p.subject}: {p.what}" for p in found.problems if p.subject != "mail"]


async def removed(deployment: Deployment, tenant_id: str) -> None:
    """Whoever comes next finds it as it was, or goes on."""
    directory = deployment.product.platform.directory
    assert await wrong(deployment) == []
    if directory.tenant_of_slug("aurora") is not None:
        assert (await deployment.get("/visit/", "museum.example")).status_code == 200
        await when_free(deployment, "tenants.delete", slug="aurora")
    assert (await deployment.get("/visit/", "museum.example")).status_code == 404
    if await deployment.rule("tenants.deleted"):
        await when_free(deployment, "tenants.remove", slug="aurora", confirm="aurora")
    (found,) = await deployment.rule("tenants.certificate", tenant_id=tenant_id)
    assert found.content["found"]["database"]["rows"]["pages"] >= 4
    assert found.content["found"]["files"]["count"] >= 1
    left = await rows_with(deployment, tenant_id)
    assert left.keys() == {"tenants", "deletions", "changes"}
    data = deployment.product.platform.settings.data_dir
    assert [path for path in data.rglob("*") if tenant_id in path.name] == []
    assert await wrong(deployment) == []


async def when_free(deployment: Deployment, name: str, **given: str) -> None:
    """Performs an action once the killed process's lease has run out."""
    for _ in range(100):
        try:
            await deployment.rule(name, **given)
        except LeaseTaken:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the lease never ran out")


async def created(deployment: Deployment) -> None:
    """It is there and whole, or not there; then it can be made."""
    found = await wrong(deployment)
    assert [what for what in found if "No tenant of the directory has" not in what] == []
    assert len(found) <= 1
    if deployment.product.platform.directory.tenant_of_slug("new") is None:
        assert (await deployment.get("/", "new.mosaic.test")).status_code == 404
        assert (await deployment.get("/", "new.example")).status_code == 404
        await deployment.rule("tenants.create", **NEW)
    assert (await deployment.get("/", "new.mosaic.test")).status_code == 200
    assert (await deployment.get("/", "new.example")).status_code == 200


async def recovered(deployment: Deployment) -> None:
    """It is deleted still and can be had back, or it is there with all that is to be noted."""
    if deployment.product.platform.directory.tenant_of_slug("aurora") is None:
        assert (await deployment.get("/visit/", "museum.example")).status_code == 404
        await when_free(deployment, "tenants.recover", slug="aurora")
    assert await wrong(deployment) == []
    assert (await deployment.get("/visit/", "museum.example")).status_code == 200


def in_deployment(root: Path, work: Callable[[Deployment], Awaitable[object]]) -> object:
    async def main() -> object:
        async with opened(root, **SOON) as deployment:
            return await work(deployment)

    return asyncio.run(main())


@pytest.mark.parametrize("what", ["remove", "create", "recover"])
@pytest.mark.parametrize(
    "every",
    [
        pytest.param(False, id="some"),
        pytest.param(True, id="all", marks=pytest.mark.campaign),
    ],
)
@pytest.mark.timeout(3600)
def test_a_tenant_is_whole_or_gone_on_with(
    deployments: Deployments, tmp_path: Path, what: str, every: bool
) -> None:
    made, root = deployments.copy(), tmp_path / "again"
    tenant_id = str(in_deployment(made, lived_in))
    if what == "recover":
        in_deployment(made, forgotten)

    def fresh() -> Path:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made, root)
        return root

    async def look(deployment: Deployment) -> None:
        if what == "remove":
            await removed(deployment, tenant_id)
        else:
            await (created(deployment) if what == "create" else recovered(deployment))

    with nursery(__name__, what) as processes:
        for folder in processes.kills(fresh, None if every else SOME[what]):
            in_deployment(folder, look)
