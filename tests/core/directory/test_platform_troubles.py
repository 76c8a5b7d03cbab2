"""The platform database without rights or room: an error that says what to do, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.directory.trials import READS, WRITES
from tests.core.head.processes import ROOT


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o755)


def _tried(kind: str, folder: Path, *prefix: str) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.core.directory.trials", kind, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _assert_refused(found: dict[str, Any]) -> None:
    assert found["error"] == "database-read-only"
    assert "platform" in found["message"]
    assert "right to write the data folder" in found["hint"]


def test_a_read_only_data_folder_is_refused_with_what_to_do(public: Path) -> None:
    found = _tried("unprivileged", public)
    _assert_refused(found["open"])
    _assert_refused(found["migrate"])


def test_a_process_that_may_not_write_any_more_still_knows_every_tenant(public: Path) -> None:
    found = _tried("losing", public)
    for name in READS:
        assert found[name]["error"] is None, (name, found[name])
    assert found["known"] == ["toy-1", "toy-2", "toy-3"]
    for name in WRITES:
        _assert_refused(found[name])


def _assert_full(found: dict[str, Any]) -> None:
    assert found["error"] == "disk-full"
    assert found["message"].startswith("The platform database cannot grow")
    assert "Free some space" in found["hint"]


def _assert_nothing_lost(found: dict[str, Any]) -> None:
    _assert_full(found["add"])
    assert found["kept"]
    for name in READS:
        assert found[name]["error"] is None, (name, found[name])
    assert found["afterwards"]["error"] is None


def test_a_platform_database_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    _assert_nothing_lost(_tried("limited", tmp_path))


def _own_disk() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    mount = ["unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _own_disk(), reason="only root can make a small disk")
def test_a_full_disk_loses_no_tenant_and_makes_no_half_database(tmp_path: Path) -> None:
    script = (
        f'mount -t tmpfs -o size=3m none "{tmp_path}" && '
        f'head -c 1000000 /dev/zero > "{tmp_path}/ballast" && exec "$@"'
    )
    found = _tried("cramped", tmp_path, "unshare", "-m", "sh", "-c", script, "sh")
    _assert_nothing_lost(found)
    _assert_full(found["new"])
    assert found["migrate"]["error"] is None, "what is current needs no room"
    assert found["again"]["error"] is None
