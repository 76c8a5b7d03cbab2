"""Exports: whole or not at all, of one site alone, and nowhere but where they were asked for."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.content.models import Media, Page
from mosaic_cms.exporting import markdown
from mosaic_cms.exporting.destination import new_file, new_folder
from mosaic_cms.exporting.files import Names, safe_name
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, DiskFull, InvalidInput
from tests.cms.deployment import Deployment, Deployments
from tests.cms.pictures.files import photograph

PNG = photograph("PNG", 40, 30)


async def with_picture(deployment: Deployment, tmp_path: Path, slug: str = "aurora") -> None:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    (folder / "a.png").write_bytes(PNG)
    (folder / "pictured.md").write_text('![A boat](a.png "At sea")\n', "utf-8")
    await deployment.do("content.import_markdown", slug, folder=folder)


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def test_the_json_file_has_drafts_and_live_pages_and_the_files_beside(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await with_picture(deployment, tmp_path)
        await deployment.do("pages.edit", path="/visit/", title="A newer draft")
        file = tmp_path / "out" / "site.json"
        report = await deployment.do("content.export_json", file=file, versions=True)
        found = read(file)
        assert (found["format"], found["version"]) == ("mosaic-site", 1)
        assert report.pages == len(found["pages"]) == 5
        visit = next(page for page in found["pages"] if page["path"] == "/visit/")
        assert (visit["draft"]["title"], visit["live"]["title"]) == ("A newer draft", "Visit")
        assert [version["number"] for version in visit["versions"]] == [1]
        (media,) = found["media"]
        stored = file.with_name(found["media_folder"]) / media["file"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == media["digest"]
        assert "submissions" not in found
        assert not list(file.parent.glob(".*"))
        assert "bread" not in file.read_text("utf-8")

    deployments(scenario)


def test_an_export_of_a_tenant_that_may_not_write_is_made(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.suspend", slug="aurora", status="read-only", reason="late")
        await deployment.do("content.export_json", file=tmp_path / "site.json")
        await deployment.do("content.export_markdown", folder=tmp_path / "site")
        assert (tmp_path / "site" / "visit" / "hours.md").is_file()

    deployments(scenario)


def test_who_may_not_read_the_settings_gets_no_export(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        scope = deployment.scope(actor=Actor("visitor"))
        for name, given in (
            ("content.export_json", {"file": tmp_path / "x.json"}),
            ("content.export_markdown", {"folder": tmp_path / "x"}),
        ):
            with pytest.raises(Denied):
                await deployment.product.actions.perform(name, scope, given)
        assert not list(tmp_path.glob("x*"))

    deployments(scenario)


def test_what_is_there_is_replaced_only_when_it_is_an_export(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder, file = tmp_path / "out", tmp_path / "site.json"
        folder.mkdir()
        await deployment.do("content.export_markdown", folder=folder)  # it is empty
        (folder / "mine.md").write_text("Mine.", "utf-8")
        with pytest.raises(Conflict, match="--force"):
            await deployment.do("content.export_markdown", folder=folder)
        assert (folder / "mine.md").exists()
        await deployment.do("content.export_markdown", folder=folder, force=True)
        assert not (folder / "mine.md").exists()
        (folder / "site.toml").unlink()
        with pytest.raises(Conflict, match=r"no site\.toml"):
            await deployment.do("content.export_markdown", folder=folder, force=True)
        file.write_text("{}", "utf-8")
        with pytest.raises(Conflict, match="--force"):
            await deployment.do("content.export_json", file=file)
        assert file.read_text("utf-8") == "{}"
        await deployment.do("content.export_json", file=file, force=True)
        assert read(file)["pages"]
        with pytest.raises(Conflict, match="is a folder"):
            await deployment.do("content.export_json", file=folder, force=True)
        assert not list(tmp_path.glob(".*"))

    deployments(scenario)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    old = tmp_path / "old"
    old.mkdir()
    (old / "site.toml").write_text("x", "utf-8")

    def into_folder() -> None:
        with new_folder(old, mark="site.toml", force=True) as part:
            (part / "half").write_text("x", "utf-8")
            raise full

    def into_file() -> None:
        with new_file(tmp_path / "a.json", force=False) as part:
            part.write_text("{", "utf-8")
            raise full

    for write in (into_folder, into_file):
        with pytest.raises(DiskFull, match="no room"):
            write()
        assert [path.name for path in tmp_path.iterdir()] == ["old"]
        assert [path.name for path in old.iterdir()] == ["site.toml"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with (
        pytest.raises(InvalidInput, match="cannot be written"),
        new_file(tmp_path / "file" / "a.json", force=False),
    ):
        raise AssertionError("it was opened")


def test_a_failure_in_the_midst_leaves_no_folder(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr(markdown, "compare", fail)

    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(RuntimeError):
            await deployment.do("content.export_markdown", folder=tmp_path / "out" / "site")
        assert list((tmp_path / "out").iterdir()) == []

    deployments(scenario)


def test_no_name_of_a_page_or_file_leads_out_of_the_folder(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await with_picture(deployment, tmp_path)

        async def spoil(write: Any) -> None:
            media = (await write.session.scalars(select(Media))).one()
            media.name = "../../evil.png"
            hours = select(Page).where(Page.path == "/visit/hours/")
            page = (await write.session.scalars(hours)).one()
            page.path = "/../../../evil/"

        await deployment.scope().write(spoil)
        out = tmp_path / "deep" / "er" / "out"
        await deployment.do("content.export_markdown", folder=out)
        await deployment.do("content.export_json", file=tmp_path / "deep" / "er" / "site.json")
        assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["er"]
        assert not list(tmp_path.rglob("evil"))
        assert not (tmp_path / "evil.png").exists()

    deployments(scenario)


@pytest.mark.parametrize(
    "wanted",
    ["..", ".", "", "a/b", "a\\b", "con", "NUL.txt", ".hidden", "_posts", "index", "README",
     "a" * 500, "é" * 300, "\ud800", "a\0b", "node_modules", "x. ", "-"],
)  # fmt: skip
def test_a_name_that_a_disk_or_an_import_would_not_take_becomes_another(wanted: str) -> None:
    name = safe_name(wanted)
    assert name not in {"", ".", ".."}
    assert not set(name) & set('/\\\0:*?"<>|')
    assert len(name.encode()) <= 140
    assert safe_name(name) == name
    assert name != wanted


def test_names_that_differ_in_case_alone_get_files_of_their_own() -> None:
    names = Names()
    assert [names.path("", wanted, ".md") for wanted in ("a", "A", "a")] == [
        "a.md",
        "A-2.md",
        "a-3.md",
    ]


def test_four_times_the_pages_need_no_more_memory(deployments: Deployments, tmp_path: Path) -> None:
    """Pages are written as they are read: no more than a batch is held at one time."""

    async def scenario(deployment: Deployment) -> None:
        async def peak(name: str) -> int:
            tracemalloc.start()
            await deployment.do("content.export_json", file=tmp_path / name)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        text = "word " * 2_000

        async def fill(start: int, end: int) -> None:
            for number in range(start, end):
                await deployment.do(
                    "pages.create", slug=f"p{number}", title=f"Page {number}", body=text
                )

        await fill(0, 100)
        few = await peak("few.json")
        await fill(100, 400)
        many = await peak("many.json")
        assert (tmp_path / "many.json").stat().st_size > 3_500_000
        assert many < few * 1.5

    deployments(scenario)


def test_a_redirect_keeps_its_query_and_fragment_on_the_way_out(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for source, target in (("/one/", "/visit/?x=1"), ("/two/", "/visit/?x=1#top")):
            await deployment.do("redirects.set", source=source, target=target)
        await deployment.do("content.export_markdown", folder=tmp_path / "out")
        text = (tmp_path / "out" / "site.toml").read_text("utf-8")
        assert '"/visit/?x=1"' in text
        assert '"/visit/?x=1#top"' in text

    deployments(scenario)


def test_of_redirects_that_an_export_leaves_out_it_says_why(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.unpublish", path="/news/")
        await deployment.do("pages.move", path="/visit/hours/", slug="times")
        await deployment.add("/visit/hours/", title="Hours again", publish=False)
        report = await deployment.do("content.export_markdown", folder=tmp_path / "out")
        said = [line.message for line in report.lines if "redirect" in line.message]
        assert said == ["the redirect /visit/hours/ starts where a page is now; left out"]
        assert "aliases" not in (tmp_path / "out" / "news.md").read_text("utf-8")

    deployments(scenario)
