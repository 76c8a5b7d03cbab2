"""The rules of tables, and that migrations lead to exactly what the tables declare."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from mosaic_core import types
from mosaic_core.database import (
    History,
    PlatformBase,
    TenantBase,
    TenantSchema,
    derived,
    metadata_faults,
)
from mosaic_core.directory import PlatformFile
from mosaic_core.errors import DatabaseBehind, DatabaseNewer
from mosaic_core.head import Write
from mosaic_core.platform import TENANT_MIGRATIONS
from mosaic_core.testing.declared import differences
from tests.core.head.toys import Box, Thing, ToyBase, opened, toy, toy_schema, toy_tenant


def _file_of(schema: TenantSchema, folder: Path) -> Path:
    async def main() -> Path:
        async with opened(folder, schema=schema) as files:
            await files.provision(toy_tenant())
            return files._path(toy_tenant())

    return asyncio.run(main())


def _platform_file(folder: Path) -> Path:
    from mosaic_cms.product import platform_schema

    async def main() -> None:
        database = PlatformFile(folder / "platform.db", platform_schema())
        await database.migrate()
        await database.close()

    asyncio.run(main())
    return folder / "platform.db"


def _product() -> TenantSchema:
    from mosaic_cms.product import tenant_schema

    return tenant_schema()


def _kinds() -> list[Any]:
    return [
        pytest.param(lambda f: (_file_of(toy_schema(), f), ToyBase.metadata), id="toys"),
        pytest.param(
            lambda f: (_file_of(toy_schema(second=True), f), toy_schema(second=True).metadata),
            id="later toys",
        ),
        pytest.param(lambda f: (_platform_file(f), PlatformBase.metadata), id="platform"),
        pytest.param(lambda f: (_file_of(_product(), f), _product().metadata), id="product"),
    ]


@pytest.mark.parametrize("made", _kinds())
def test_the_migrations_lead_to_what_the_tables_declare(tmp_path: Path, made: Any) -> None:
    path, metadata = made(tmp_path)
    engine = sa.create_engine(f"sqlite:///{path}")
    assert differences(metadata, engine) == []
    engine.dispose()


@pytest.mark.parametrize("made", _kinds())
def test_every_table_is_strict(tmp_path: Path, made: Any) -> None:
    path, metadata = made(tmp_path)
    connection = sqlite3.connect(path)
    strict = {row[1]: row[5] for row in connection.execute("PRAGMA table_list")}
    connection.close()
    assert {name for name, value in strict.items() if value} == {
        table.name for table in metadata.sorted_tables
    }


def test_the_tables_of_this_project_keep_the_rules() -> None:
    assert list(metadata_faults(ToyBase.metadata, ToyBase)) == []
    assert list(metadata_faults(_product().metadata)) == []
    assert list(metadata_faults(TenantBase.metadata)) == []
    assert list(metadata_faults(PlatformBase.metadata)) == []


def _base() -> Any:
    class Base(DeclarativeBase):
        metadata = sa.MetaData(schema="tenant")

    return Base


def _faults(base: Any) -> list[str]:
    return list(metadata_faults(base.metadata, base))


def _with_column(**kw: Any) -> list[str]:
    base = _base()
    type_ = kw.pop("type_", types.Text(9))

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[str] = mapped_column(types.Text(9), primary_key=True)
        other: Mapped[Any] = mapped_column(type_, **kw)

    return _faults(base)


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ({"type_": sa.String(5)}, "rows.other has the type"),
        ({"type_": sa.JSON()}, "rows.other has the type"),
        ({"server_default": "x"}, "rows.other is filled in by the database"),
        ({"server_onupdate": sa.FetchedValue()}, "rows.other is filled in by the database"),
        ({"default": sa.func.now()}, "rows.other has an SQL expression as its default"),
        ({"onupdate": sa.func.now()}, "rows.other has an SQL expression as its default"),
    ],
)
def test_a_column_that_the_log_could_not_follow_is_a_fault(column: Any, fault: str) -> None:
    (found,) = _with_column(**column)
    assert found.startswith(fault)
    assert _with_column() == []
    assert _with_column(default="x", onupdate=lambda: "y") == []


def test_computed_columns_are_a_fault() -> None:
    base = _base()

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[int] = mapped_column(types.Integer(), sa.Identity(), primary_key=True)
        other: Mapped[int] = mapped_column(types.Integer(), sa.Computed("id + 1"))

    found = _faults(base)
    assert "rows.other is computed by the database" in found
    assert "rows.id is computed by the database" in found


def test_a_number_that_the_database_gives_to_new_rows_is_a_fault() -> None:
    base = _base()

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[int] = mapped_column(types.Integer(), primary_key=True)

    class Good(base):
        __tablename__ = "goods"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[int] = mapped_column(types.Integer(), primary_key=True, autoincrement=False)

    (found,) = _faults(base)
    assert found.startswith("rows.id is numbered by the database")


def test_tables_that_the_log_could_not_follow_are_faults() -> None:
    base = _base()
    column = sa.Column("a", types.Text(9), primary_key=True)
    sa.Table("unmapped", base.metadata, column, sqlite_strict=True)
    sa.Table("keyless", base.metadata, sa.Column("a", types.Text(9)), info=derived())
    found = _faults(base)
    assert "unmapped is not mapped to a class, so its changes would not be logged" in found
    assert "keyless has no primary key" in found
    assert "keyless is not STRICT" in found
    assert len(found) == 3


@pytest.mark.parametrize("option", [{"ondelete": "CASCADE"}, {"onupdate": "CASCADE"}])
def test_a_cascade_in_the_database_is_a_fault(option: Any) -> None:
    base = _base()

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[str] = mapped_column(types.Text(9), primary_key=True)
        parent: Mapped[str] = mapped_column(
            types.Text(9), sa.ForeignKey("tenant.rows.id", **option)
        )

    assert _faults(base) == ["rows.parent cascades in the database"]


def test_a_row_that_is_spread_over_several_tables_is_a_fault() -> None:
    base = _base()

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[str] = mapped_column(types.Text(9), primary_key=True)
        kind: Mapped[str] = mapped_column(types.Text(9))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "row"}

    class Special(Row):
        __tablename__ = "specials"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[str] = mapped_column(
            types.Text(9), sa.ForeignKey("tenant.rows.id"), primary_key=True
        )
        __mapper_args__ = {"polymorphic_identity": "special"}

    assert _faults(base) == ["Special inherits from Row; a logged row is one class's, in one table"]


def test_a_class_that_leaves_out_a_column_is_a_fault() -> None:
    base = _base()

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = (sa.Column("hidden", types.Text(9)), {"sqlite_strict": True})
        __mapper_args__ = {"exclude_properties": ["hidden"]}
        id: Mapped[str] = mapped_column(types.Text(9), primary_key=True)

    assert _faults(base) == ["Row leaves out the column hidden"]


def test_a_relationship_that_writes_a_table_by_itself_is_a_fault() -> None:
    base = _base()

    class Link(base):
        __tablename__ = "links"
        __table_args__ = ({"sqlite_strict": True},)
        a: Mapped[str] = mapped_column(
            types.Text(9), sa.ForeignKey("tenant.rows.id"), primary_key=True
        )
        b: Mapped[str] = mapped_column(
            types.Text(9), sa.ForeignKey("tenant.rows.id"), primary_key=True
        )

    class Row(base):
        __tablename__ = "rows"
        __table_args__ = ({"sqlite_strict": True},)
        id: Mapped[str] = mapped_column(types.Text(9), primary_key=True)
        others: Mapped[list[Any]] = relationship(
            "Row",
            secondary=Link.__table__,
            primaryjoin=lambda: Row.id == Link.a,
            secondaryjoin=lambda: Row.id == Link.b,
        )

    (found,) = _faults(base)
    assert found.startswith("Row.others writes rows of tenant.links past their class")


def test_revisions_are_told_apart(tmp_path: Path) -> None:
    history = History("tenant", [TENANT_MIGRATIONS])
    history.require_current(history.current, "x")
    with pytest.raises(DatabaseBehind, match="x is at revision none"):
        history.require_current("", "x")
    with pytest.raises(DatabaseNewer, match="zzz"):
        history.require_current(f"{history.current},zzz", "x")
    with pytest.raises(DatabaseBehind, match="mosaic migrate"):
        toy_schema(second=True).history.require_current(toy_schema().history.current, "x")
    with pytest.raises(DatabaseNewer, match="t0002"):
        toy_schema().history.require_current(toy_schema(second=True).history.current, "x")


def test_a_row_is_made_of_its_columns_and_of_what_else_its_class_has() -> None:
    box = Box(id="a", label="A box", things=[Thing(name="ball")])
    assert (box.label, box.things[0].box) == ("A box", box)
    assert Box(id="b").count is None  # a default is the database's, once it is there
    with pytest.raises(TypeError, match="Box has no attribute 'colour'"):
        Box(id="c", colour="red")


def test_a_row_that_was_made_is_changed_as_any_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:

            async def fn(write: Write) -> None:
                box = Box(id="a", label="first", count=1, sealed=False)
                box.label = "second"
                write.session.add(box)
                await write.session.flush()
                box.count = 2

            await toys.write(fn)
            assert (await toys.content())["boxes"]["a"]["label"] == "second"
            assert [row.operation for row in await toys.log()] == ["insert", "update"]
            await toys.whole()

    asyncio.run(main())
