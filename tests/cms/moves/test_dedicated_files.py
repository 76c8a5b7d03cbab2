"""A tenant's own database may be a SQLite file, and it is moved there and away like any other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mosaic_core.moves import Step
from mosaic_core.persistence import HeadStatus
from tests.cms.commands import invoke
from tests.cms.moves.moving import Ground, everything, move, tenant_of


@pytest.fixture
def own(ground: Ground) -> Ground:
    """A ground whose dedicated databases are files."""
    ground.dedicated = "sqlite:///dedicated"
    return ground


def databases(ground: Ground) -> list[Path]:
    return sorted((ground.root / "data" / "dedicated").glob("*.db"))


def test_a_tenant_moves_between_a_shared_folder_a_schema_and_a_file_of_its_own(
    own: Ground,
) -> None:
    async def main() -> None:
        await own.make("file")
        async with own.opened() as deployment:
            platform = deployment.product.platform
            before = await everything(deployment, tenant_of(deployment))
            page = await deployment.get("/deep/a/")
            for tier in ("database", "schema", "database", "file"):
                old = tenant_of(deployment)
                assert (await move(deployment, tier)).step is Step.DONE
                new = tenant_of(deployment)
                assert await everything(deployment, new) == before, tier
                assert (await platform.persistence(old).head(old)).status is HeadStatus.MOVED
                assert (await deployment.get("/deep/a/")).text == page.text
            assert [path.stem.rpartition("_")[2] for path in databases(own)] == ["2", "4"]

    asyncio.run(main())


def test_a_bundle_goes_in_and_out_and_the_doctor_knows_the_place(
    own: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(own.make("database"))
    monkeypatch.setenv("MOSAIC_CONFIG", str(own.configuration()))
    file = own.root / "aurora.mosaic"
    invoke("tenant", "export", "aurora", "-o", str(file))
    invoke("tenant", "import", str(file), "--as", "clone", "--tier", "schema")
    invoke("tenant", "import", str(file), "--as", "twin", "--tier", "database")
    assert len(databases(own)) == 2
    assert json.loads(invoke("doctor", "--json"))["problems"] == []
    left = databases(own)[0].with_name(f"{own.prefix}_{'0' * 32}_1.db")
    left.write_bytes(databases(own)[0].read_bytes())
    (problem,) = json.loads(invoke("doctor", "--json", code=1))["problems"]
    assert problem["subject"] == left.name


def test_a_move_within_a_given_folder_makes_a_second_file_there(own: Ground) -> None:
    disk = own.root.parent / "disk"
    disk.mkdir()
    own.given = {"aurora": f"sqlite:///{disk}"}
    own.tiers = {"another": {"persistence": "tenancy_dedicated", "storage": "storage_local"}}

    async def main() -> None:
        await own.make("database")
        async with own.opened() as deployment:
            before = await everything(deployment, tenant_of(deployment))
            assert (await move(deployment, "another")).step is Step.DONE
            assert await everything(deployment, tenant_of(deployment)) == before
            assert len(list(disk.glob("*.db"))) == 2
            assert databases(own) == []

    asyncio.run(main())
