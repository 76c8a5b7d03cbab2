"""A bundle that an earlier MOSAIC wrote becomes a tenant of this one.

The files in ``made`` were exported by the releases whose last migration they are called after.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.unfinished import clear_scratch
from mosaic_core.bundle import past
from mosaic_core.errors import BundleDamaged, BundleNewer
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, in_shape, rebuild, verify
from mosaic_core.persistence import HeadStatus
from tests.cms.bundles.test_bundle_killing import SOON, in_deployment
from tests.cms.bundles.test_bundles import PATHS, files, rewrite, state, strays
from tests.cms.commands import invoke
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.moves.moving import TIERS, Ground
from tests.cms.test_tenant_life_killing import wrong
from tests.killing import nursery

MADE = Path(__file__).parent / "made"
OLDER = ("c0004", "c0005")


def scratch(deployment: Deployment) -> list[Path]:
    folder = deployment.product.platform.settings.data_dir / "imports"
    return list(folder.iterdir()) if folder.exists() else []


async def whole(deployment: Deployment, slug: str) -> None:
    """Its log is what was written, and says what is there; with it ends what was migrated."""
    tenant = deployment.scope(slug).tenant
    platform = deployment.product.platform
    persistence, metadata = platform.persistence(tenant), platform.schema.metadata
    assert await persistence.revision(tenant) == platform.schema.history.current
    assert await persistence.check(tenant) == []
    async with persistence.session(tenant) as session:
        await verify(session, TENANT)
        there = await content_of(session, metadata)
        assert in_shape(await rebuild(session, TENANT), metadata) == there


@pytest.mark.parametrize("made", OLDER)
def test_it_is_migrated_on_its_way_in_with_its_history_and_its_files(
    deployments: Deployments, made: str
) -> None:
    file = MADE / f"{made}.mosaic"

    async def scenario(deployment: Deployment) -> None:
        done = await deployment.rule("tenants.import", file=file, slug="clone")
        assert made in done.bundle.revision
        await whole(deployment, "clone")
        assert (await state(deployment, "clone"))[2] > done.bundle.version, "and its migration"
        assert len(await files(deployment, "clone")) == done.bundle.files == 2
        for path in (*PATHS, "/top/"):
            page = await deployment.get(path, "clone.mosaic.test")
            assert page.status_code == 200, path
        assert "Tiles \U0001f40d" in (await deployment.get("/deep/", "clone.mosaic.test")).text
        await deployment.do("pages.edit", "clone", path="/deep/", title="Written now")
        await deployment.do("pages.publish", "clone", path="/deep/")
        again = file.with_name("again.mosaic")
        try:
            await deployment.do("tenants.export", "clone", file=again)
            await deployment.rule("tenants.import", file=again, slug="twin")
        finally:
            again.unlink(missing_ok=True)
        await whole(deployment, "twin")
        assert scratch(deployment) == []
        assert await strays(deployment) == []

    deployments(scenario)


def test_it_goes_into_every_kind_of_home(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(ground.make())
    monkeypatch.setenv("MOSAIC_CONFIG", str(ground.configuration()))
    for tier in TIERS:
        file = str(MADE / "c0004.mosaic")
        invoke("tenant", "import", file, "--as", f"from-{tier}", "--tier", tier)
    invoke("doctor")


def test_when_it_is_broken_off_the_next_import_begins_its_rows_anew(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = MADE / "c0005.mosaic"

    async def scenario(deployment: Deployment) -> None:
        head = past.Present.head

        async def killed(self: Any) -> Any:
            raise asyncio.CancelledError

        monkeypatch.setattr(past.Present, "head", killed)
        with pytest.raises(asyncio.CancelledError):
            await deployment.rule("tenants.import", file=file, slug="clone")
        monkeypatch.setattr(past.Present, "head", head)
        await deployment.rule("tenants.import", file=file, slug="clone")
        await whole(deployment, "clone")
        assert scratch(deployment) == []

    deployments(scenario)


@pytest.mark.parametrize("status", [HeadStatus.FENCED, HeadStatus.OPEN])
def test_an_import_that_an_earlier_release_began_is_gone_on_with(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, status: HeadStatus
) -> None:
    """What it made is behind by now, be it half of it or all."""
    file = MADE / "c0005.mosaic"

    async def scenario(deployment: Deployment) -> None:
        tenants = deployment.product.platform.settings.data_dir / "tenants"

        def killed(folder: Path, *given: Any) -> Any:
            (made,) = folder.glob("*.db")
            with closing(sqlite3.connect(made)) as connection, connection:
                connection.execute("UPDATE head SET status = ?", (status,))
            shutil.copy(made, tenants / made.name)
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(past, "present", killed)
            with pytest.raises(asyncio.CancelledError):
                await deployment.rule("tenants.import", file=file, slug="clone")
        await deployment.rule("tenants.import", file=file, slug="clone")
        await whole(deployment, "clone")
        assert "Tiles \U0001f40d" in (await deployment.get("/deep/", "clone.mosaic.test")).text
        assert len(await files(deployment, "clone")) == 2

    deployments(scenario)


def test_nobody_else_reads_its_rows_or_removes_them_while_it_is_imported(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, seen = past.Present.head, list[tuple[int, int]]()

    async def scenario(deployment: Deployment) -> None:
        async def looked(self: Any) -> Any:
            cleared = await clear_scratch(deployment.product.platform)
            (folder,) = scratch(deployment)
            seen.append((cleared, folder.stat().st_mode & 0o777))
            return await head(self)

        monkeypatch.setattr(past.Present, "head", looked)
        await deployment.rule("tenants.import", file=MADE / "c0005.mosaic", slug="clone")
        await whole(deployment, "clone")

    deployments(scenario)
    assert seen == [(0, 0o700)]


def test_the_rows_of_one_that_was_killed_are_gone_soon_after_the_next_start(
    deployments: Deployments,
) -> None:
    """Those of an encrypted bundle, too, lie there as they are."""
    root = deployments.copy()

    async def next_start(deployment: Deployment) -> None:
        platform = deployment.product.platform
        left, other = scratch(deployment), platform.settings.data_dir / "imports" / "notes"
        other.mkdir()
        assert [path.suffix for path in left[0].iterdir()]
        removing = asyncio.create_task(deployment.product.remover.run())
        async with asyncio.timeout(30):
            while left[0].exists():
                await asyncio.sleep(0.05)
        removing.cancel()
        assert scratch(deployment) == [other], "which is not an import's"

    with nursery(__name__, "bring") as processes:
        assert processes.died(root, 12)
    in_deployment(root, next_start)


def test_a_damaged_one_leaves_nothing(deployments: Deployments, tmp_path: Path) -> None:
    whole_file = (MADE / "c0004.mosaic").read_bytes()

    async def scenario(deployment: Deployment) -> None:
        cut, changed = tmp_path / "cut.mosaic", tmp_path / "changed.mosaic"
        cut.write_bytes(whole_file[:-9000])
        at = whole_file.index(b"kiln.txtkiln.txt")
        changed.write_bytes(whole_file[:at] + b"K" + whole_file[at + 1 :])
        for file in (cut, changed):
            with pytest.raises(BundleDamaged):
                await deployment.rule("tenants.import", file=file, slug="clone")
        assert scratch(deployment) == []
        assert await strays(deployment) == []

    deployments(scenario)


@pytest.mark.parametrize(
    ("revision", "error"),
    [
        ("", BundleDamaged),
        ("c0005,c0004", BundleDamaged),
        ("k0001", BundleNewer),
        ("c0001", BundleNewer),
        ("c0004,k0002,zzz", BundleNewer),
    ],
)
def test_a_revision_that_no_bundle_has_is_refused(
    deployments: Deployments, tmp_path: Path, revision: str, error: type[Exception]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        plain, file = tmp_path / "plain.mosaic", tmp_path / "odd.mosaic"
        shutil.copy(MADE / "c0004.mosaic", plain)
        rewrite(plain, file, revision=revision)
        with pytest.raises(error):
            await deployment.rule("tenants.import", file=file, slug="clone")
        assert scratch(deployment) == []
        assert await strays(deployment) == []

    deployments(scenario)


@pytest.mark.parametrize("name", ["head", "outbox", "migrations", "published_pages"])
def test_rows_of_tables_that_are_in_no_bundle_are_refused(
    deployments: Deployments, tmp_path: Path, name: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        plain, file = tmp_path / "plain.mosaic", tmp_path / "odd.mosaic"
        shutil.copy(MADE / "c0005.mosaic", plain)
        rewrite(plain, file, tables=[name])
        with pytest.raises(BundleNewer, match=name):
            await deployment.rule("tenants.import", file=file, slug="clone")

    deployments(scenario)


async def bring(root: Path) -> None:
    """What is killed."""
    async with opened(root, **SOON) as deployment:
        await deployment.rule("tenants.import", file=MADE / "c0005.mosaic", slug="clone")


@pytest.mark.parametrize(
    "at",
    [
        pytest.param((12, 40), id="some"),
        pytest.param(None, id="all", marks=pytest.mark.campaign),
    ],
)
@pytest.mark.timeout(3600)
def test_its_import_is_whole_or_nothing_whenever_it_is_killed(
    deployments: Deployments, tmp_path: Path, at: tuple[int, ...] | None
) -> None:
    made, root = deployments.copy(), tmp_path / "fresh"

    def fresh() -> Path:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made, root)
        return root

    async def finish(deployment: Deployment) -> None:
        assert await wrong(deployment) == []
        if deployment.product.platform.directory.tenant_of_slug("clone") is None:
            file = MADE / "c0005.mosaic"
            await deployment.rule("tenants.import", file=file, slug="clone")
        await whole(deployment, "clone")
        assert len(await files(deployment, "clone")) == 2
        assert await strays(deployment) == []
        assert scratch(deployment) == []

    with nursery(__name__, "bring") as processes:
        for folder in processes.kills(fresh, at):
            in_deployment(folder, finish)
