"""``mosaic search``: what visitors find, for whoever types."""

from __future__ import annotations

import json

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments


def test_what_is_published_is_found_by_its_words(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    told = invoke("search", "text", "hours", "--site", "aurora")
    assert "/visit/hours/" in told
    assert "This is the text of /visit/hours/ at aurora." in told
    assert told.endswith("1 page found\n")
    assert "vizit occurs nowhere; this is visit." in invoke("search", "vizit", "--site", "aurora")
    assert invoke("search", "zebra", "--site", "aurora") == "0 pages found\n"
    found = json.loads(invoke("search", "text", "--limit", "2", "--site", "aurora", "--json"))
    assert (len(found["items"]), found["total"]) == (2, 4)
    refused = invoke("search", "text", "--limit", "99", "--site", "aurora", code=1)
    assert "limit" in refused
