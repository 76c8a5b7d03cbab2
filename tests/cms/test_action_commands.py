"""`mosaic action` does whatever an action does, those of plugins included."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments

AURORA = ("-t", "aurora")


def test_an_action_is_found_looked_at_and_run(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(deployments, monkeypatch)
    listed = {row["name"]: row for row in json.loads(invoke("action", "list", "--json"))}
    assert listed["pages.publish"]["needs"] == "publish on content"
    assert listed["tenants.create"]["about"] == "the platform"
    assert "pages.publish" not in invoke("action", "list", "redirect")
    assert "path" in invoke("action", "show", "pages.publish")
    shown = json.loads(invoke("action", "show", "pages.create", "--json"))
    assert "slug" in shown["input"]["properties"]

    run = ("action", "run")
    made = json.loads(invoke(*run, "pages.create", *AURORA, "slug=tiles", 'title="1923"'))
    assert (made["path"], made["title"]) == ("/tiles/", "1923")
    given = tmp_path / "given.json"
    given.write_text('{"path": "/tiles/", "title": "Tiles"}')
    edit = (*run, "pages.edit", *AURORA, "-i", str(given), "title=Iznik", "--json")
    told = json.loads(invoke(*edit, code=1))["error"]
    assert (told["code"], told["revision"]) == ("precondition-required", 1)
    assert json.loads(invoke(*edit, "based_on=1"))["title"] == "Iznik"

    picture = tmp_path / "note.txt"
    picture.write_text("a note")
    taken = invoke(*run, "media.upload", *AURORA, "name=note.txt", "--body", str(picture))
    assert json.loads(taken)["media"]["name"] == "note.txt"
    archive = tmp_path / "site.zip"
    invoke(*run, "content.export_archive", *AURORA, "site=main", "-o", str(archive))
    assert ZipFile(archive).testzip() is None
    before = archive.read_bytes()
    assert "--output" in invoke(
        *run, "content.export_archive", *AURORA, "site=main", "-o", str(archive), code=1
    )
    assert archive.read_bytes() == before


def test_what_does_not_fit_an_action_is_named(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(deployments, monkeypatch)
    lists, broken = tmp_path / "list.json", tmp_path / "broken.json"
    lists.write_text("[]")
    broken.write_bytes(b'{"path": "\xff')
    for words, named in (
        (("pages.publsh", *AURORA), "pages.publish"),
        (("pages.publish", "path=/"), "--tenant"),
        (("pages.publish", "-t", "nowhere", "path=/"), "nowhere"),
        (("tenants.list", *AURORA), "Leave --tenant out"),
        (("pages.publish", *AURORA, "path"), "path=/about/"),
        (("pages.publish", *AURORA, "colour=red"), "colour"),
        (("pages.publish", *AURORA, "--body", __file__), "takes no file"),
        (("media.upload", *AURORA, "name=x", "--body", "gone.txt"), "gone.txt"),
        (("pages.publish", *AURORA, "-i", str(lists)), "no JSON object"),
        (("pages.publish", *AURORA, "-i", str(broken)), "cannot be read"),
    ):
        told = invoke("action", "run", *words, "--json", code=1)
        error = json.loads(told)["error"]
        assert named in f"{error['message']} {error['hint']}", words


def test_the_command_line_says_which_version_it_is() -> None:
    assert invoke("--version") == f"mosaic {version('mosaic-cms')}\n"
