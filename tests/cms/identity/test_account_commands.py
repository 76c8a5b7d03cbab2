"""``mosaic account``."""

from __future__ import annotations

import json

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments


def test_an_operator_looks_after_accounts(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    assert "0 accounts" in invoke("account", "list")
    made = json.loads(invoke("account", "create", "ada@example.com", "--name", "Ada", "--json"))
    assert (made["email"], made["verified"]) == ("ada@example.com", False)
    assert "bob@example.com has an account" in invoke("account", "create", "bob@example.com")
    assert "has an account" in invoke("account", "create", "Bob@example.com", code=1)
    rows = json.loads(invoke("account", "list", "--after", "ada@example.com", "--json"))
    assert [row["email"] for row in rows] == ["bob@example.com"]
    assert "not verified" in invoke("account", "list")
    assert "is closed" in invoke("account", "deactivate", "ADA@example.com")
    shown = json.loads(invoke("account", "show", "ada@example.com", "--json"))
    assert (shown["active"], shown["second_factor"]) == (False, False)
    assert "password" not in {*shown} - {"has_password"}
    assert "not verified" in invoke("account", "activate", "ada@example.com")
    assert "password alone" in invoke("account", "reset-factor", "ada@example.com")
    assert "signed out everywhere" in invoke("account", "end-sessions", "ada@example.com")
    for command in ("show", "reset-factor"):
        assert "no account of eve@example.com" in invoke(
            "account", command, "eve@example.com", code=1
        )
    assert "no mail address" in invoke("account", "show", "eve", code=1)
    kinds = {mail["kind"] for mail in json.loads(invoke("mail", "list", "--json"))}
    assert kinds == {"welcome"}
