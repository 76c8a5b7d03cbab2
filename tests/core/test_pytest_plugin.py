"""The pytest plugin helps those who use it and is not noticed by those who do not."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import mosaic_core

KERNEL = Path(mosaic_core.__file__).parent


def run_pytest(project: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A project of somebody else's, in the environment that has MOSAIC."""
    (project / "test_it.py").write_text(textwrap.dedent(test), "utf-8")
    (project / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_project_that_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("mosaic")
            ours = {name for name in sys.modules if name.split(".")[0].startswith("mosaic")}
            assert ours == {
                "mosaic_core", "mosaic_core.testing", "mosaic_core.testing.pytest_plugin"
            }
            heavy = {"sqlalchemy", "pydantic", "alembic", "importlib_metadata"}
            assert not heavy & set(sys.modules)
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_s_own_fixture_of_the_same_name_wins(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
        import pytest

        @pytest.fixture
        def make_tenant():
            return "mine"

        def test_it(make_tenant):
            assert make_tenant == "mine"
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_fixtures_give_a_plugin_what_the_platform_gives(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
        def test_it(mosaic_platform_services, make_tenant, tmp_path):
            assert mosaic_platform_services.data_dir == tmp_path
            assert mosaic_platform_services.hosts.tenant_of_slug("nobody") is None
            one, two = make_tenant(), make_tenant(tier="small")
            assert one.tenant_id != two.tenant_id
            assert one.tier in mosaic_platform_services.tiers
            assert mosaic_platform_services.tiers[two.tier].limits.files == 100_000
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_suite_runs_in_a_project_and_its_ids_name_the_provider(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
        from mosaic_core.testing.fakes import memory_storage
        from mosaic_core.testing.storage import StorageContract

        class TestMine(StorageContract):
            provider = memory_storage()
        """,
        "-vv",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TestMine::test_what_was_written_is_read[memory] PASSED" in done.stdout
    assert "StorageContract::" not in done.stdout


def test_a_failing_suite_shows_the_values(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
        from contextlib import asynccontextmanager
        from mosaic_core.provider import NoSettings, Provider
        from mosaic_core.testing.fakes import MemoryStorage
        from mosaic_core.testing.storage import StorageContract

        class Wasteful(MemoryStorage):
            async def usage(self, tenant):
                return 2 * await super().usage(tenant)

        @asynccontextmanager
        async def open_wasteful(settings, services):
            yield Wasteful(services.tiers)

        class TestMine(StorageContract):
            provider = Provider(name="wasteful", settings=NoSettings, open=open_wasteful)
        """,
        "-k",
        "usage_is_the_sum",
    )
    assert done.returncode == 1
    assert "assert 2468 == 1234" in done.stdout


def test_the_kernel_itself_does_not_need_pytest() -> None:
    for path in KERNEL.rglob("*.py"):
        if path.is_relative_to(KERNEL / "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(name.partition(".")[0] == "pytest" for name in names), path
            assert not any(name.startswith("mosaic_core.testing") for name in names), path
