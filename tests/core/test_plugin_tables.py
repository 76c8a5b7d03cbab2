"""A plugin's tables stand alone: they come and go with it, and nothing else is touched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mosaic_tenancy_sqlite.plugin import SQLiteSettings, open_sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import TenantSchema, TenantTables, derived, kernel_table, tenant_metadata
from mosaic_core.errors import DatabaseBehind, DatabaseNewer, PluginConflict, PluginInvalid
from mosaic_core.head import TENANT, Write
from mosaic_core.head.log import _without, content_of, rebuild, verify
from mosaic_core.plugin_tables import table_faults, with_plugins
from mosaic_core.search import Searchable, searched
from mosaic_core.testing.persistence.tools import add_toy, names_of, write
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.tables import toy_schema
from tests.cms.plugs import plugins_with

FIRST = """
import sqlalchemy as sa
from alembic import op
from mosaic_core import types

revision = "{revision}"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "{revision}_rows",
        sa.Column("id", types.Uuid(), primary_key=True),
        schema="tenant",
        sqlite_strict=True,
    )
"""


def migration(
    folder: Path,
    revision: str,
    *,
    down: str | None = None,
    labels: tuple[str, ...] | None = None,
    depends: str | None = None,
) -> None:
    folder.mkdir(exist_ok=True)
    text = FIRST.format(revision=revision, down=down, labels=labels, depends=depends)
    (folder / f"{revision}.py").write_text(text)


def tables(folder: Path, *names: str) -> TenantTables:
    """Mapped tables of these names, in a base of their own."""

    class Base(DeclarativeBase):
        metadata = tenant_metadata()

    kept = []  # the registry would let them go
    for name in names:
        fields = {
            "__tablename__": name,
            "__table_args__": ({"sqlite_strict": True},),
            "__annotations__": {"id": Mapped[uuid.UUID]},
            "id": mapped_column(types.Uuid(), primary_key=True),
        }
        kept.append(type(name.title(), (Base,), fields))
    Base.kept = kept  # type: ignore[attr-defined]
    return TenantTables(base=Base, migrations=folder)


@pytest.fixture
def notes(tmp_path: Path) -> TenantTables:
    migration(tmp_path / "notes", "notes_0001", labels=("notes",))
    return tables(tmp_path / "notes", "notes_0001_rows")


def schema_with(
    monkeypatch: pytest.MonkeyPatch, *, newer: bool = False, **offered: TenantTables
) -> TenantSchema:
    hooks = {name: {"mosaic_tables": lambda one=one: one} for name, one in offered.items()}
    return with_plugins(toy_schema(newer=newer), plugins_with(monkeypatch, **hooks))


def test_a_revision_has_a_part_for_each_plugin(
    notes: TenantTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, whole = toy_schema().history, schema_with(monkeypatch, notes=notes).history
    assert whole.current.split(",") == sorted([*plain.current.split(","), "notes_0001"])
    assert list(whole.applied) == [*plain.applied, "notes_0001"], "the others come first"
    assert plain.own(whole.current) == plain.current
    assert plain.strangers(whole.current) == ["notes"]
    plain.require_current(whole.current, "x")
    with pytest.raises(DatabaseBehind, match="notes_0001"):
        whole.require_current(plain.current, "x")
    with pytest.raises(DatabaseNewer, match="not selected: 'notes'"):
        plain.require_whole(whole.current, "x")
    later = whole.current.replace("notes_0001", "notes_0002")
    with pytest.raises(DatabaseNewer, match="notes_0002"):
        whole.require_current(later, "x")
    plain.require_servable(later, {**plain.applied, "notes_0001": True, "notes_0002": True}, "x")


def test_without_plugins_a_schema_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = toy_schema()
    assert with_plugins(schema, plugins_with(monkeypatch)) is schema


def test_what_is_migrated_without_a_plugin_keeps_its_rows_and_their_log(
    notes: TenantTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant()
    (row,) = (mapper.class_ for mapper in notes.base.registry.mappers)

    async def add(writing: Write) -> None:
        writing.session.add(row(id=types.new_id()))

    async def opened(schema: TenantSchema, *, migrate: bool) -> None:
        services = make_services(tmp_path, schema=schema)
        async with open_sqlite(SQLiteSettings(), services) as persistence:
            if migrate:
                assert await persistence.migrate(tenant) == schema.history.current
            else:
                await persistence.provision(tenant)
                await add_toy(persistence, tenant, "one")
                await write(persistence, tenant, add)
                await write(persistence, tenant, add)
            assert await names_of(persistence, tenant) == ["one"]
            found = await persistence.revision(tenant)
            assert found.count("notes_0001") == 1
            async with persistence.session(tenant) as session:
                await verify(session, TENANT)
                logged, there = (
                    await rebuild(session, TENANT),
                    await content_of(session, schema.metadata),
                )
                assert len(logged["notes_0001_rows"]) == 2
                assert {name: logged[name].keys() for name in there} == {
                    name: rows.keys() for name, rows in there.items()
                }
                remembered = await session.scalars(sa.select(TENANT.migrations.c.revision))
                assert set(remembered) == {*schema.history.applied, "notes_0001"}

    asyncio.run(opened(schema_with(monkeypatch, notes=notes), migrate=False))
    asyncio.run(opened(toy_schema(newer=True), migrate=True))
    asyncio.run(opened(schema_with(monkeypatch, newer=True, notes=notes), migrate=True))


def _faulty() -> Iterator[Any]:
    def declared(*args: Any, **options: Any) -> Any:
        def make(base: type[DeclarativeBase]) -> None:
            key = sa.Column("id", types.Uuid(), primary_key=True)
            sa.Table(*args[:1], base.metadata, key, *args[1:], sqlite_strict=True, **options)

        return make

    elsewhere = sa.Column("page_id", types.Uuid(), sa.ForeignKey("tenant.pages.id"))
    shown = Searchable(title="id", summary="id", text="id", by=("id",), key=("id",))
    yield pytest.param(lambda base: None, "there is none", id="none")
    yield pytest.param(declared("pages"), "pages is not called notes or notes_", id="name")
    yield pytest.param(declared("notes", elsewhere), "not the plugin's", id="points elsewhere")
    yield pytest.param(declared("notes", info=kernel_table()), "the kernel writes", id="kernel")
    yield pytest.param(
        declared("notes", info=derived() | searched(shown)), "searched by visitors", id="searched"
    )
    yield pytest.param(declared("notes", schema="mine"), "tenant_metadata", id="schema")
    yield pytest.param(declared("notes"), "not mapped to a class", id="not mapped")


@pytest.mark.parametrize(("declare", "fault"), list(_faulty()))
def test_a_table_that_could_not_come_and_go_is_refused(
    declare: Any, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = tables(tmp_path)
    declare(offered.base)
    assert any(fault in one for one in table_faults("notes", offered))
    with pytest.raises(PluginInvalid, match=r"dist-notes 1\.0 breaks a rule"):
        schema_with(monkeypatch, notes=offered)


def test_what_is_no_base_is_refused(tmp_path: Path) -> None:
    wrong: Any = object
    assert list(table_faults("notes", TenantTables(base=wrong, migrations=tmp_path)))
    assert "no name" in next(table_faults("my-notes", tables(tmp_path, "notes")))


def test_two_plugins_with_one_table_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {
        "notes": tables(tmp_path, "notes_more_x"),
        "notes_more": tables(tmp_path, "notes_more_x"),
    }
    with pytest.raises(PluginConflict, match="'notes_more_x'"):
        schema_with(monkeypatch, **both)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        ([], "there is none"),
        ([("n0001", {"labels": ("notes",)})], "'n0001' is not called notes_0001"),
        ([("others_0001", {"labels": ("notes",)})], "'others_0001' is not called notes_0001"),
        ([("notes_0001", {})], "no branch_labels"),
        ([("notes_0001", {"labels": ("notes",), "depends": "k0003"})], "depends on others"),
        (
            [("notes_0001", {"labels": ("notes",)}), ("notes_0002", {"labels": ("more",)})],
            "no branch_labels",
        ),
        (
            [
                ("notes_0001", {"labels": ("notes",)}),
                ("notes_0002", {"down": "notes_0001"}),
                ("notes_0003", {"down": "notes_0001"}),
            ],
            "several beginnings or ends",
        ),
    ],
)
def test_migrations_that_are_no_branch_of_their_own_are_refused(
    made: list[tuple[str, dict[str, Any]]],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for revision, options in made:
        migration(folder, revision, **options)
    schema = schema_with(monkeypatch, notes=tables(folder, "notes"))
    with pytest.raises(PluginInvalid, match=fault):
        _ = schema.history.current


def test_a_plugin_that_is_gone_takes_no_other_s_rows_for_its_own() -> None:
    rows: Any = {"1": {"text": "kept"}}
    content = {"notes": rows, "notes_old": rows, "notes_more": rows, "pages": rows}
    left = _without(content, ["notes"], ["notes_more", "pages"])
    assert left.keys() == {"notes_more", "pages"}
