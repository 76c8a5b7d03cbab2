"""Which migrations older code can live with, and what becomes of those that it cannot."""

from __future__ import annotations

import itertools
from pathlib import Path
from textwrap import indent

import pytest
import sqlalchemy as sa

from mosaic_core.database import History
from mosaic_core.database.compatibility import incompatibilities, tables_at
from mosaic_core.errors import DatabaseBehind, DatabaseNewer

_HEADER = """
import sqlalchemy as sa
from alembic import op
from mosaic_core import types

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None
{marks}

def upgrade() -> None:
"""
EXPAND = 'phase = "expand"'
_BOXES = """
op.create_table(
    "boxes",
    sa.Column("id", types.Uuid(), primary_key=True),
    sa.Column("name", types.Text(20), nullable=False),
    sa.Column("note", types.Text(20)),
    schema="tenant",
    sqlite_strict=True,
)
"""
_MEMORY = """
op.create_table(
    "migrations",
    sa.Column("revision", types.Text(32), primary_key=True),
    sa.Column("required", types.Boolean(), nullable=False),
    schema="tenant",
)
"""


def history(folder: Path, *steps: tuple[str, str]) -> History:
    """A history whose migrations have these marks and bodies; ``m1`` is the first."""
    folder.mkdir(exist_ok=True)
    down = None
    for number, (marks, body) in enumerate(steps, 1):
        revision = f"m{number}"
        header = _HEADER.format(revision=revision, down=down, marks=marks)
        (folder / f"{revision}.py").write_text(header + indent(body.strip(), "    "), "utf-8")
        down = revision
    return History("tenant", [folder])


def faults(folder: Path, body: str, marks: str = EXPAND) -> list[str]:
    """What is wrong with a migration of the toys' boxes."""
    return list(incompatibilities(history(folder / "m", (EXPAND, _BOXES), (marks, body))))


@pytest.mark.parametrize(
    "body",
    [
        'op.add_column("boxes", sa.Column("more", types.Text(20)), schema="tenant")',
        'op.create_index("ix_boxes_note", "boxes", ["note"], schema="tenant")',
        """
op.create_table(
    "lids",
    sa.Column("id", types.Uuid(), primary_key=True),
    sa.Column("box", types.Uuid(), nullable=False, unique=True),
    sa.ForeignKeyConstraint(["box"], ["tenant.boxes.id"]),
    schema="tenant",
)""",
        # Made anew, with the same in it.
        'op.drop_table("boxes", schema="tenant")\n' + _BOXES,
    ],
    ids=["column", "index", "table", "made anew"],
)
def test_what_is_added_does_not_hurt_older_code(tmp_path: Path, body: str) -> None:
    assert faults(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('op.drop_table("boxes", schema="tenant")', "drops or renames boxes"),
        ('op.rename_table("boxes", "cases", schema="tenant")', "drops or renames boxes"),
        ('op.drop_column("boxes", "note", schema="tenant")', "drops or renames boxes.note"),
        (
            'op.alter_column("boxes", "note", new_column_name="remark", schema="tenant")',
            "alters boxes.note",
        ),
        (
            'op.add_column("boxes", sa.Column("more", types.Text(9), nullable=False, '
            "server_default=None), schema='tenant')",
            "adds boxes.more, which older code gives no value",
        ),
        (
            'op.create_index("uq_boxes_note", "boxes", ["note"], unique=True, schema="tenant")',
            "has a new rule for boxes: (note) has to differ from row to row",
        ),
        ("op.execute(\"UPDATE boxes SET name = ''\")", "runs SQL text"),
        ("op.execute(sa.DDL('DROP TABLE boxes'))", "runs SQL text"),
        ("op.get_bind().exec_driver_sql('DROP TABLE boxes')", "runs SQL text"),
        (
            'op.execute(sa.delete(sa.Table("boxes", sa.MetaData(), schema="tenant")))',
            "deletes rows of boxes",
        ),
    ],
)
def test_what_older_code_cannot_live_with_is_refused(tmp_path: Path, body: str, told: str) -> None:
    found = faults(tmp_path, body)
    assert len(found) == 1
    assert found[0].startswith(f"m2 {told}")
    assert 'say phase = "contract"' in found[0]
    assert faults(tmp_path, body, 'phase = "contract"\nneeds = "m1"') == []


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ('"note", types.Text(20), nullable=False', "wants a value in each boxes.note"),
        ('"note", types.Text(10)', "makes boxes.note a Text(length=10)"),
        ('"note", types.Json()', "makes boxes.note a Json()"),
        (
            '"note", types.Text(20), sa.CheckConstraint("note <> name", name="n")',
            "has a new rule for boxes",
        ),
        ('"note", types.Text(20), primary_key=True', "changes the key of boxes"),
    ],
)
def test_a_table_that_is_made_anew_in_another_shape_is_refused(
    tmp_path: Path, column: str, told: str
) -> None:
    boxes = _BOXES.replace('"note", types.Text(20)', column)
    found = faults(tmp_path, 'op.drop_table("boxes", schema="tenant")\n' + boxes)
    assert any(fault.startswith(f"m2 {told}") for fault in found)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("", "says no phase"),
        ('phase = "later"', "says no phase"),
        ('phase = "contract"', "needs None, which is no migration"),
        ('phase = "contract"\nneeds = "zzz"', "needs 'zzz', which is no migration"),
        ('phase = "expand"\nneeds = "m1"', "which needs nothing"),
    ],
)
def test_every_migration_says_its_phase(tmp_path: Path, marks: str, told: str) -> None:
    (found,) = faults(tmp_path, "pass", marks)
    assert told in found


def migrated(folder: Path, *steps: tuple[str, str]) -> tuple[str, dict[str, bool]]:
    """The revision of a database with these migrations, and what it remembers."""
    engine = sa.create_engine(
        "sqlite://", execution_options={"schema_translate_map": {"tenant": None}}
    )
    with engine.connect() as connection:
        newest = history(folder, *steps)
        newest.upgrade(connection, "it")
        state = newest.read(connection), newest.read_applied(connection)
    engine.dispose()
    return state


def test_a_database_says_which_code_may_serve_it(tmp_path: Path) -> None:
    numbers = itertools.count()
    steps = [
        (EXPAND, _BOXES + _MEMORY),
        (EXPAND, 'op.add_column("boxes", sa.Column("title", types.Text(20)), schema="tenant")'),
        (EXPAND, 'op.create_index("ix_boxes_note", "boxes", ["note"], schema="tenant")'),
        ('phase = "contract"\nneeds = "m2"', 'op.drop_column("boxes", "name", schema="tenant")'),
        ("", "pass"),
    ]

    def serves(code: int, database: int) -> None:
        revision, applied = migrated(tmp_path / f"d{next(numbers)}", *steps[:database])
        known = history(tmp_path / f"c{next(numbers)}", *steps[:code])
        known.require_servable(revision, applied, "it")

    for code, database in [(1, 1), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (4, 4), (5, 5)]:
        serves(code, database)
    with pytest.raises(DatabaseNewer, match="m4"):
        serves(1, 4)  # it reads the column that is gone
    with pytest.raises(DatabaseNewer, match="m5"):
        serves(4, 5)  # nobody said that older code can go on
    for code in (2, 4):
        with pytest.raises(DatabaseBehind):
            serves(code, 1)


def test_code_that_is_ahead_and_behind_serves_nothing(tmp_path: Path) -> None:
    known = history(tmp_path / "c", (EXPAND, _BOXES), (EXPAND, "pass"))
    with pytest.raises(DatabaseNewer):
        known.require_servable("m1,x1", {"m1": False, "x1": False}, "it")
    with pytest.raises(DatabaseNewer):
        known.require_servable("m2,x1", {}, "it")  # from before databases remembered it


def test_the_tables_at_a_revision_are_as_the_migrations_left_them(tmp_path: Path) -> None:
    """Whatever they did: columns that came, went and got another name or type."""
    changed = """
op.add_column("boxes", sa.Column("size", types.Integer()), schema="tenant")
op.alter_column("boxes", "note", new_column_name="remark", schema="tenant")
op.drop_column("boxes", "name", schema="tenant")
"""
    one = history(
        tmp_path / "steps", (EXPAND, _BOXES), ('phase = "contract"\nneeds = "m2"', changed)
    )
    engine = sa.create_engine(
        "sqlite://", execution_options={"schema_translate_map": {"tenant": None}}
    )
    for revision, columns in (("m1", ["id", "name", "note"]), ("m2", ["id", "size", "remark"])):
        with engine.connect() as connection:
            found = tables_at(one, connection, revision)["boxes"]
            assert sorted(found.columns.keys()) == sorted(columns)
            assert [column.name for column in found.primary_key] == ["id"]
            there = connection.exec_driver_sql("SELECT * FROM boxes").keys()
            assert sorted(there) == sorted(columns)
            connection.exec_driver_sql("DROP TABLE boxes")
            connection.exec_driver_sql("DROP TABLE alembic_version")
            connection.commit()
    engine.dispose()
