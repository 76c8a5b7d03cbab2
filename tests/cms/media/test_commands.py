"""``mosaic media``: a library looked after at the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments
from tests.cms.pictures.files import photograph


def told(*words: str, code: int = 0) -> Any:
    return json.loads(invoke("media", *words, "--site", "aurora", "--json", code=code))


def test_a_library_is_looked_after_at_the_command_line(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = command_line(deployments, monkeypatch)
    picture = path.with_name("kiln.jpg")
    picture.write_bytes(photograph("JPEG", 60, 40))
    sent = told("upload", str(picture), "--folder", "a", "--tag", "x")
    media = sent["media"]["reference"]
    assert any("alternative text" in note for note in sent["notes"])
    edited = told("edit", media, "--alt", "A kiln")
    assert (edited["alt"], edited["tags"], edited["folder"]) == ("A kiln", ["x"], "a")
    picture.write_bytes(photograph("PNG", 30, 20))
    assert told("replace", media, str(picture))["media"]["name"] == "kiln.png"
    assert [version["number"] for version in told("versions", media)] == [1]
    shown = told("show", media)
    assert (shown["width"], shown["uses"]) == (30, [])
    assert told("list", "KILN", "--folder", "a")[0]["reference"] == media
    assert told("move-folder", "a", "b/c")["files"] == 1
    assert [view["folder"] for view in told("folders")] == ["b", "b/c"]
    assert told("settings", "--kind", "pdf")["kinds"] == ["pdf"]
    refused = told("upload", str(picture), code=1)
    assert "no such files are let in here" in refused["error"]["message"]
    assert "/-/file/" in told("address", media, "--minutes", "5")["address"]
    told("delete", media)
    assert told("list") == []
    assert "--all" in invoke("media", "purge", "--site", "aurora", code=2)
    assert told("purge", "--all") == {"files": 1}
    assert told("usage")["stored"] == 0
    assert json.loads(invoke("tenant", "show", "aurora", "--json"))["stored"] == 0


def test_a_large_file_goes_in_parts_and_is_gone_on_with(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = command_line(deployments, monkeypatch)
    text = path.with_name("long.txt")
    text.write_bytes(b"a line of text\n" * 1_200_000)
    monkeypatch.setattr("mosaic_cms.cli.media_content._LARGE", 1_000)
    done = invoke("media", "upload", str(text), "--site", "aurora")
    assert "long.txt" in done
    assert told("list")[0]["size"] == text.stat().st_size
