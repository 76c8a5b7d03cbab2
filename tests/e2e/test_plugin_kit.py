"""A plugin made by the kit is built, installed into an environment of its own, tested and typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from mosaic_cms.scaffold import write_plugin

PLUGINS = {"storage_attic": "storage", "by_table": "resolver", "attic": "tables"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the plugins, which sees this one's packages and changes none."""
    work = tmp_path_factory.mktemp("kit")
    for name, kind in PLUGINS.items():
        write_plugin(name, kind, work)  # type: ignore[arg-type]
    environment = work / "environment"
    venv.create(environment, with_pip=False)
    ours = sysconfig.get_path("purelib")
    theirs = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": ""}))
    # addsitedir rather than the bare path: it follows the links of editable installations.
    (theirs / "project.pth").write_text(f"import site; site.addsitedir({ours!r})\n", "utf-8")
    for name in PLUGINS:
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", work / name)
        (wheel,) = (work / name / "dist").glob("*.whl")
        run(sys.executable, "-m", "zipfile", "-e", wheel, theirs)
    return environment / "bin" / "python"


def run(*command: str | Path, folder: Path | None = None) -> str:
    """What the command prints; it must succeed."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "MOSAIC_", "PYTHON", "COV"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=bare,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_plugins_are_installed_from_their_wheels(python: Path) -> None:
    for name in PLUGINS:
        where = run(python, "-c", f"import mosaic_{name}.plugin as p; print(p.__file__)")
        assert "site-packages" in where
        assert str(python.parents[1]) in where


@pytest.mark.parametrize("name", PLUGINS)
def test_its_tests_pass(python: Path, name: str, tmp_path: Path) -> None:
    # Only the tests are there: what they import can only be what was installed.
    project = python.parents[2] / name
    (tmp_path / "tests").symlink_to(project / "tests")
    (tmp_path / "pyproject.toml").symlink_to(project / "pyproject.toml")
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    printed = run(python, "-m", "pytest", *options, folder=tmp_path)
    assert " passed" in printed
    assert "skipped" not in printed
    assert "failed" not in printed


def test_mosaic_shows_them_as_selected(python: Path) -> None:
    code = (
        "from mosaic_core.plugins import examine\n"
        f"for row in examine({list(PLUGINS)}): print(row.name, row.state, *row.hooks)"
    )
    rows = run(python, "-c", code).splitlines()
    assert "storage_attic selected mosaic_storage" in rows
    assert "by_table selected mosaic_tenant_resolvers" in rows
    assert "attic selected mosaic_actions mosaic_tables" in rows


@pytest.mark.parametrize("name", PLUGINS)
def test_it_is_lint_clean_and_formatted(python: Path, name: str) -> None:
    project = python.parents[2] / name
    run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", folder=project)
    run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", folder=project)


def test_they_are_strictly_typed_with_their_tests(python: Path) -> None:
    work = python.parents[2]
    for name in PLUGINS:
        command = ("-m", "mypy", "--strict", "--cache-dir", work / "types")
        printed = run(python, *command, folder=work / name)
        assert re.search(r"Success: no issues found in [45] source files", printed)
