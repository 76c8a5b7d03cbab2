"""`mosaic perform`: whatever there is an action for is reachable at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments

SITE = '{"site": "main"}'


def test_any_action_is_performed_by_its_name(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(deployments, monkeypatch)

    def perform(*words: str, code: int = 0) -> Any:
        return json.loads(invoke("perform", *words, "--json", code=code))

    listed = {one["name"]: one for one in perform()}
    assert listed["pages.publish"]["needs"] == "publish on content"
    assert "pages.publish" in invoke("perform")
    page = perform("pages.show", '{"path": "/visit/"}', "-t", "aurora")
    assert page["path"] == "/visit/"
    assert "aurora" in {one["slug"] for one in perform("tenants.list")}
    text = tmp_path / "words.txt"
    text.write_text("words")
    sent = perform("media.upload", '{"name": "a.txt"}', "-t", "aurora", "--file", str(text))
    assert sent["media"]["size"] == 5
    saved = perform(
        "content.export_archive", SITE, "-t", "aurora", "--out", str(tmp_path / "site.zip")
    )
    assert (tmp_path / "site.zip").stat().st_size == saved["size"]
    for words, told in (
        (("pages.publsh",), "did you mean 'pages.publish'"),
        (("pages.list",), "not said for which tenant"),
        (("pages.list", "{", "-t", "aurora"), "no JSON"),
        (("pages.list", "[]", "-t", "aurora"), "no object"),
        (("pages.list", '{"x": 1}', "-t", "aurora"), "Extra inputs"),
        (("pages.list", "-t", "aurora", "--file", str(text)), "takes no file"),
    ):
        assert told in perform(*words, code=1)["error"]["message"], words
