"""What is read of migrations without running them is what Alembic finds when it runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from mosaic_cms.product import platform_schema, tenant_schema
from mosaic_core.database import History
from mosaic_core.database.revisions import heads_of, read_revisions
from mosaic_core.errors import ConfigurationError

_FIRST = {"revision": "m1", "down_revision": None}
_SECOND = {"revision": "m2", "down_revision": "m1"}


def migration(folder: Path, name: str, said: dict[str, object], below: str = "") -> Path:
    lines = ["from alembic import op", *(f"{key} = {value!r}" for key, value in said.items())]
    file = folder / f"{name}.py"
    file.write_text("\n".join([*lines, "", "def upgrade() -> None:", "    pass", below, ""]))
    return file


@pytest.mark.parametrize("history", [platform_schema(), tenant_schema().history], ids="pt")
def test_it_is_what_alembic_finds(history: History, tmp_path: Path) -> None:
    script = ScriptDirectory(
        str(tmp_path), version_locations=[str(folder) for folder in history.folders]
    )
    read = read_revisions(history.folders)
    found = {one.revision: one for one in script.walk_revisions()}
    assert {one.revision for one in read} == found.keys()
    assert heads_of(read) == set(script.get_heads())
    for one in read:
        assert set(one.after) == set(found[one.revision]._all_down_revisions)


def test_each_comes_after_those_that_it_needs() -> None:
    for history in (platform_schema(), tenant_schema().history):
        order = list(history.applied)
        for one in read_revisions(history.folders):
            assert all(order.index(name) < order.index(one.revision) for name in one.after)


def test_constants_with_types_and_tuples_are_read(tmp_path: Path) -> None:
    migration(tmp_path, "one", _FIRST | {"branch_labels": ("notes",), "phase": "expand"})
    file = tmp_path / "two.py"
    file.write_text(
        'revision: str = "m2"\ndown_revision: str | None = "m1"\n'
        'phase = "contract"\nneeds = "m1"\nROWS = dict(a=1)\n'
    )
    one, two = read_revisions([tmp_path])
    assert (one.branch_labels, one.phase, one.required) == (("notes",), "expand", None)
    assert (two.after, two.phase, two.required) == (("m1",), "contract", "m1")


def test_one_without_a_phase_has_to_be_known(tmp_path: Path) -> None:
    migration(tmp_path, "one", _FIRST)
    (one,) = read_revisions([tmp_path])
    assert one.required == "m1"


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        ([{"down_revision": None}], "does not say which revision it is"),
        ([_FIRST, _FIRST], "are both 'm1'"),
        ([_SECOND], "comes after 'm1', which there is not"),
        ([_FIRST | {"down_revision": "m2"}, _SECOND], "come after each other"),
    ],
)
def test_migrations_that_are_no_history_are_named(
    made: list[dict[str, object]], fault: str, tmp_path: Path
) -> None:
    for number, said in enumerate(made):
        migration(tmp_path, f"file{number}", said)
    with pytest.raises(ConfigurationError, match=fault):
        read_revisions([tmp_path])


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("revision = (")
    with pytest.raises(ConfigurationError, match=r"one\.py cannot be read"):
        read_revisions([tmp_path])


def test_a_migration_that_says_something_else_below_is_not_run(tmp_path: Path) -> None:
    migration(tmp_path, "one", _FIRST | {"phase": "contract", "needs": "m1"}, 'phase = "expand"')
    history = History("tenant", [tmp_path])
    assert history.applied == {"m1": True}
    with pytest.raises(ConfigurationError, match=r"one\.py is something else when it runs"):
        history.renders("")
