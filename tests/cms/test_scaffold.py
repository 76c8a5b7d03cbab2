"""``mosaic plugin new`` makes a distribution that works, and refuses what would not."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from mosaic_cms.scaffold import write_plugin
from mosaic_core.errors import ConfigurationError, Conflict, InvalidInput, MosaicError


@pytest.mark.parametrize("kind", ["resolver", "storage", "tables"])
def test_it_makes_a_whole_distribution(kind: str, tmp_path: Path) -> None:
    files = write_plugin("blue_door", kind, tmp_path / "new" / "place")  # type: ignore[arg-type]
    root = tmp_path / "new" / "place" / "blue_door"
    assert sorted(path for path in root.rglob("*") if path.is_file()) == files
    assert {path.relative_to(root).as_posix() for path in files} == {
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "mosaic_blue_door/__init__.py",
        "mosaic_blue_door/plugin.py",
        f"mosaic_blue_door/{kind}.py",
        "mosaic_blue_door/py.typed",
        "tests/test_plugin.py",
        *({"mosaic_blue_door/uploads.py"} if kind == "storage" else ()),
        *({"mosaic_blue_door/migrations/m0001_first.py"} if kind == "tables" else ()),
    }
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "mosaic-blue-door"
    assert project["entry-points"]["mosaic"] == {"blue_door": "mosaic_blue_door.plugin"}
    assert project["license"]
    for path in files:
        text = path.read_text("utf-8")
        assert "$" not in text
        assert "PACKAGE" not in text
        if path.suffix == ".py":
            ast.parse(text)
    assert [path.name for path in root.parent.iterdir()] == ["blue_door"], "a draft was left"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("", "storage_attic"),
        ("Attic", "attic"),
        ("storage-attic", "storage_attic"),
        ("StorageAttic", "storage_attic"),
        ("my attic!", "my_attic"),
        ("mosaic_attic", "attic"),
        ("mosaic-attic", "attic"),
        ("_attic", "attic"),
        ("attic__two", "attic_two"),
        ("attic_", "attic"),
        ("3d", "storage_attic"),
        ("ätt", "tt"),
        ("../attic", "attic"),
        ("a/b", "a_b"),
        ("a\n", "a"),
        ("x" * 41, "x" * 40),
        ("日本", "storage_attic"),
        ("mosaic_core", "storage_attic"),
    ],
)
def test_a_name_that_cannot_be_one_gets_one_that_can(name: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        write_plugin(name, "storage", tmp_path)
    assert f"such as {meant!r}" in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    write_plugin(meant, "storage", tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "error", "shown"),
    [
        ("core", "storage", InvalidInput, "MOSAIC's own"),
        ("cms", "storage", InvalidInput, "MOSAIC's own"),
        ("storage_local", "storage", Conflict, "installed already, from mosaic-storage-local"),
        ("host_resolvers", "resolver", Conflict, "installed already, from mosaic-cms"),
        ("attic", "stroage", InvalidInput, "did you mean 'storage'?"),
        ("attic", "", InvalidInput, "known are resolver, storage"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(
    name: str, kind: str, error: type[MosaicError], shown: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as refused:
        write_plugin(name, kind, tmp_path)  # type: ignore[arg-type]
    assert shown in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic" / "mine.txt").write_text("mine", "utf-8")
    (tmp_path / "cellar").symlink_to(tmp_path / "nowhere")
    (tmp_path / "shed").write_text("a file", "utf-8")
    for name in ("attic", "cellar", "shed"):
        with pytest.raises(Conflict, match="is there already"):
            write_plugin(name, "resolver", tmp_path)
    assert [path.name for path in (tmp_path / "attic").iterdir()] == ["mine.txt"]
    assert (tmp_path / "shed").read_text("utf-8") == "a file"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigurationError, match=r"file/attic cannot be made"):
        write_plugin("attic", "storage", tmp_path / "file")
