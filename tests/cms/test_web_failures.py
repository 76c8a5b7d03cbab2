"""What goes wrong stays with the tenant it went wrong for, and tells visitors nothing of it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.themes import Theme
from mosaic_cms.web.delivery import Delivery
from tests.cms.deployment import Deployment, Deployments, ask

REFERENCE = re.compile(r"\b[0-9a-f]{12}\b")


def database(deployments: Deployments, deployment: Deployment, slug: str) -> Path:
    return deployments.root / "data" / "tenants" / f"{deployment.scope(slug).tenant.tenant_id}.db"


def assert_told(text: str, log: str) -> None:
    """A visitor gets a reference that is in the log, and no more."""
    assert "Traceback" not in text
    assert ".py" not in text
    assert any(found in log for found in REFERENCE.findall(text))


def test_a_page_that_fails_gets_the_themes_500_and_a_line_in_the_log(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def broken(*args: Any) -> None:
            raise RuntimeError("secret cause")

        with monkeypatch.context() as patch:
            patch.setattr(Delivery, "_page", broken)
            for _ in range(2):
                answer = await deployment.get("/visit/")
                assert answer.status_code == 500
                assert answer.headers["cache-control"] == "no-store"
                assert "Something went wrong on our side" in answer.text
                assert "Aurora" in answer.text
                assert "secret cause" not in answer.text
                assert_told(answer.text, caplog.text)
        assert "secret cause" in caplog.text
        assert len(deployment.app.cache) == 0
        assert (await deployment.get("/visit/")).status_code == 200

    deployments(scenario)


def test_where_the_theme_fails_as_well_the_platform_answers(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        def broken(*args: Any, **context: Any) -> None:
            raise RuntimeError("secret cause")

        monkeypatch.setattr(Theme, "shell", broken)
        answer = await deployment.get("/visit/")
        assert answer.status_code == 500
        assert "<title>Something went wrong on our side – MOSAIC</title>" in answer.text
        assert_told(answer.text, caplog.text)

    deployments(scenario)


def damage(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 4000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def exchange(path: Path) -> None:
    other = next(file for file in path.parent.glob("*.db") if file != path)
    shutil.copyfile(other, path)


def stamp(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        changed = "UPDATE alembic_version SET version_num = ? WHERE version_num LIKE 'c%'"
        assert database.execute(changed, (revision,)).rowcount == 1
        database.commit()


def make_newer(path: Path) -> None:
    stamp(path, "c9999")


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS = [damage, empty, cut, exchange, make_newer, make_a_folder, Path.unlink]


@pytest.mark.parametrize("harm", HARMS)
def test_a_tenants_broken_file_is_503_for_it_and_nothing_to_the_others(
    deployments: Deployments, caplog: pytest.LogCaptureFixture, harm: Any
) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = database(deployments, deployment, "aurora")
        for file in path.parent.glob(f"{path.name}-*"):
            file.unlink()
        harm(path)
        for asked in ("/", "/visit/", "/nothing/"):
            answer = await deployment.get(asked)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "Back in a moment" in answer.text
            assert_told(answer.text, caplog.text)
            assert path.stem not in answer.text
        for slug in ("bread", "steel"):
            answer = await deployment.get("/visit/", f"{slug}.mosaic.test")
            assert f"the text of /visit/ at {slug}." in answer.text
        await deployment.add("/new/", "bread")

    deployments(scenario)


def test_a_tenant_of_a_tier_that_is_gone_is_503_for_it_alone(
    deployments: Deployments, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.create", slug="white", name="White", tier="white")
        del deployment.product.platform.settings.tiers["white"]
        answer = await deployment.get("/", "white.mosaic.test")
        assert answer.status_code == 503
        assert "tiers.white" in caplog.text
        assert (await deployment.get("/")).status_code == 200

    deployments(scenario)


def test_a_server_that_hangs_up_hurts_nobody(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def gone(scope: Any, receive: Any, send: Any) -> None:
            async def hang_up(message: Any) -> None:
                raise OSError("the visitor is gone")

            await deployment.app(scope, receive, hang_up)

        for _ in range(2):  # the page is cold, then kept
            with pytest.raises(OSError, match="is gone"):
                await ask(gone, "/visit/", [(b"host", b"aurora.mosaic.test")])
            assert (await deployment.ask("/visit/")).status == 200

    deployments(scenario)
