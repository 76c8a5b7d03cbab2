"""``mosaic member`` and ``mosaic key``, for operators."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mosaic_cms.rights import Role
from tests.cms.access.people import People
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments, opened


@pytest.fixture
def typed(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment with an Owner of aurora, and an account that belongs nowhere."""
    command_line(deployments, monkeypatch)
    monkeypatch.setenv("COLUMNS", "300")

    async def main() -> None:
        async with opened(deployments.root) as deployment:
            people = People(deployment)
            await people.add("olga", Role.OWNER)
            await people.add("zoe")

    asyncio.run(main())


def answer(*words: str, code: int = 0) -> Any:
    return json.loads(invoke(*words, "--json", code=code))


@pytest.mark.usefixtures("typed")
def test_an_operator_adds_changes_and_removes_members() -> None:
    at = ("--tenant", "aurora")
    shown = invoke("member", "add", "Zoe@example.com", *at, "--role", "viewer")
    assert "zoe@example.com is a member of aurora: Viewer." in shown
    shown = invoke("member", "change", "zoe@example.com", *at, "--at", "main=editor")
    assert "Viewer, Editor at main" in shown
    changed = answer("member", "change", "zoe@example.com", *at, "--role", "none")
    assert (changed["role"], changed["sites"]) == (None, {"main": "editor"})
    assert "Editor at main" in invoke("member", "list", *at)
    assert [one["email"] for one in answer("member", "list", *at)] == [
        "olga@example.com",
        "zoe@example.com",
    ]
    assert "is no member of aurora any more; 0 keys revoked" in invoke(
        "member", "remove", "zoe@example.com", *at
    )
    assert len(answer("member", "list", *at)) == 1


@pytest.mark.usefixtures("typed")
def test_what_cannot_be_is_said_and_nothing_changes() -> None:
    at = ("--tenant", "aurora")
    before = answer("member", "list", *at)
    wrong = [
        (("add", "zoe@example.com"), "needs a role"),
        (("add", "zoe@example.com", "--role", "boss"), "role"),
        (("add", "zoe@example.com", "--at", "main"), "needs a site and a role"),
        (("add", "zoe@example.com", "--at", "mian=editor"), "did you mean 'main'"),
        (("add", "nobody@example.com", "--role", "viewer"), "There is no account"),
        (("change", "zoe@example.com", "--role", "viewer"), "does not belong to aurora"),
        (("remove", "olga@example.com"), "would have no Owner"),
    ]
    for words, reason in wrong:
        assert reason in invoke("member", *words, *at, code=1)
        assert reason in answer("member", *words, *at, code=1)["error"]["message"]
    assert answer("member", "list", *at) == before


@pytest.mark.usefixtures("typed")
def test_an_operator_makes_lists_and_revokes_keys() -> None:
    at = ("--tenant", "aurora")
    shown = invoke("key", "create", "Import", *at, "--role", "editor", "--action", "pages.*")
    key = shown.splitlines()[-1]
    assert key.startswith("mosaic_")
    made = answer("key", "create", "Shop", *at, "--site", "main", "--days", "30")
    assert made["created_by"].startswith("operator:")
    listed = invoke("key", "list", *at)
    assert key not in listed
    assert made["key"] not in listed
    assert key[:15] in listed
    assert "pages.*" in listed
    revoked = invoke("key", "revoke", made["id"], *at)
    assert "counts no more" in revoked
    assert [view["revoked_at"] is None for view in answer("key", "list", *at)] == [False, True]
    assert "revoked" in invoke("key", "list", *at)
    for words in (
        ("revoke", "x"),
        ("create", "", "--role", "editor"),
        ("create", "K", "--role", "x"),
    ):
        assert answer("key", *words, *at, code=1)["error"]["code"] == "invalid-input"
