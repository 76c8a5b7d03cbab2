"""Files of an older version, and of another installation, are the same files afterwards."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import NullPool, create_engine

from mosaic_cms.content.models import Media
from mosaic_cms.product import tenant_schema
from mosaic_core import types
from mosaic_core.database import History
from mosaic_core.platform import TENANT_MIGRATIONS
from tests.cms.deployment import Deployment, Deployments
from tests.cms.media.hostile import located, photo
from tests.cms.media.sending import send, stored

MIGRATIONS = Path(__file__).parents[3] / "mosaic_cms" / "migrations" / "tenant"
SITE, KILN = uuid.UUID(int=1), uuid.UUID("0192f8a3-7c00-7000-8000-000000000001")


def test_a_library_of_before_comes_over_whole(tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for file in MIGRATIONS.glob("c000[1-4]*.py"):
        shutil.copy(file, older)
    path = tmp_path / "tenant.db"
    engine = create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(path),
        execution_options={"schema_translate_map": {"tenant": None}},
    )
    facts = {
        "id": KILN,
        "site_id": SITE,
        "source": "kilns/Öfen.jpg",
        "key": "media/ab/cd/Öfen.jpg",
        "name": "Öfen.jpg",
        "content_type": "image/jpeg",
        "size": 4711,
        "digest": "ab" * 32,
        "width": 800,
        "height": 600,
        "focal_x": 30,
        "focal_y": 60,
    }
    columns = [
        sa.Column(
            name,
            types.Uuid()
            if isinstance(value, uuid.UUID)
            else types.Integer()
            if isinstance(value, int)
            else types.Text(),
        )
        for name, value in facts.items()
    ]
    before = sa.Table("media", sa.MetaData(), *columns, schema="tenant")
    with engine.connect() as connection:
        old = History("tenant", [TENANT_MIGRATIONS, older])
        assert "c0004" in old.upgrade(connection, "it")
        connection.execute(sa.insert(before).values(**facts))
        connection.commit()
    with engine.connect() as connection:
        history = tenant_schema().history
        assert history.upgrade(connection, "it") == history.current
        connection.commit()
    with engine.connect() as connection:
        (row,) = connection.execute(sa.select(Media.__table__)).mappings()
        assert {name: row[name] for name in facts} == facts
        assert (row["words"], row["tags"], row["version"]) == ("öfen.jpg", [], 1)
        assert row["created_at"] == datetime(2024, 11, 4, 19, 25, 16, 672000, UTC), "its id says so"
        assert (row["folder"], row["binned_at"], row["given"]) == ("", None, None)
    engine.dispose()


def test_what_is_said_of_files_comes_back_from_a_folder_of_markdown(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        said = {"alt": 'A "kiln"', "caption": "At night", "credit": "A. Lens"}
        kiln = (await send(deployment, photo(), "kiln.jpg", folder="a/b", tags=["x"], **said)).media
        await deployment.do("media.focus", media=kiln.reference, x=20, y=30)
        plain = (await send(deployment, b"words", "plain.txt")).media
        gone = (await send(deployment, b"gone", "gone.txt")).media
        await deployment.do("media.delete", media=gone.reference)
        block = {"id": "i", "type": "image", "data": {"media": kiln.reference}}
        await deployment.add("/pictured/", regions={"main": [block]})
        out = tmp_path / "out"
        told = await deployment.do("content.export_markdown", folder=str(out))
        assert any("1 files in the bin are not in it" in line.message for line in told.lines)
        await deployment.rule("tenants.create", slug="fresh", name="Fresh", tier="open")
        report = await deployment.do("content.import_markdown", "fresh", folder=str(out))
        assert [line for line in report.lines if line.level == "problem"] == []
        (back,) = await deployment.do("media.list", "fresh")
        same = {"name", "folder", "tags", "alt", "caption", "credit", "focal_x", "digest"}
        assert back.model_dump(include=same) == kiln.model_dump(include=same) | {"focal_x": 20}
        shown = await deployment.get("/pictured/", "fresh.mosaic.test")
        assert "A &#34;kiln&#34;" in shown.text
        assert plain.name == "plain.txt"

    deployments(scenario)


def test_an_import_looks_at_files_and_does_not_take_them_twice(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "kiln.jpg").write_bytes(located("JPEG"))
        (folder / "bad.png").write_bytes(b"MZ" + bytes(40))
        (folder / "page.md").write_text("![A kiln](kiln.jpg) ![No](bad.png)\n", "utf-8")
        report = await deployment.do("content.import_markdown", folder=str(folder))
        (problem,) = [x for x in report.lines if x.source == "bad.png" and x.level == "problem"]
        assert "'bad.png' was refused: By its content it is a program" in problem.message
        (kiln,) = await deployment.do("media.list")
        assert b"4711" not in (await deployment.get(kiln.url)).content
        before = await stored(deployment)
        again = await deployment.do("content.import_markdown", folder=str(folder))
        assert (again.updated, await stored(deployment)) == (0, before)
        assert (await deployment.do("media.show", media=kiln.reference)).version == 1

        await deployment.do("media.delete", media=kiln.reference, force=True)
        await deployment.do("content.import_markdown", folder=str(folder))
        assert (await deployment.get(kiln.url)).status_code == 200, "a page needs it"
        (folder / "kiln.jpg").write_bytes(photo())
        await deployment.do("content.import_markdown", folder=str(folder))
        assert (await deployment.do("media.show", media=kiln.reference)).version == 2
        await deployment.do("media.sweep")
        assert len(await stored(deployment)) == 2, "with its version"

    deployments(scenario)
