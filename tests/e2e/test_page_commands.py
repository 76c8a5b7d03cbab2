"""The commands on drafts, versions, the bin, schedules and releases, as somebody types them."""

from __future__ import annotations

import json

import pytest

from tests.processes import Deployment

AT = ("--site", "welcome")


@pytest.fixture
def welcome(deployment: Deployment) -> Deployment:
    deployment.run("tenant", "create", "welcome")
    return deployment


def test_a_page_is_edited_from_a_file_and_a_conflict_shows_both_texts(welcome: Deployment) -> None:
    page = welcome.json("page", "show", "/", *AT)
    page["regions"]["main"][0]["data"]["text"] = "Mine."
    (welcome.folder / "page.json").write_text(json.dumps(page), "utf-8")
    (welcome.folder / "body.md").write_text("Theirs.", "utf-8")
    welcome.run("page", "edit", "/", *AT, "--body", "body.md")
    refused = welcome.run("page", "edit", "/", *AT, "--content", "page.json", status=1)
    assert "Mine." in refused
    assert "Theirs." in refused
    told = welcome.json("page", "edit", "/", *AT, "--content", "page.json", status=1)["error"]
    assert (told["code"], told["conflicts"][0]["where"]) == ("edit-conflict", "main[0]")
    merged = welcome.json("page", "edit", "/", *AT, "--title", "New", "--based-on", "1")
    assert (merged["title"], merged["merged"]) == ("New", True)
    compared = welcome.run("page", "compare", "/", *AT)
    assert "+ Theirs." in compared
    assert "title and" in compared or "title changed" in compared
    welcome.run("page", "restore", "/", "1", *AT)
    versions = welcome.json("page", "versions", "/", *AT)
    assert [(version["number"], version["live"]) for version in versions] == [(2, False), (1, True)]


def test_a_page_is_copied_binned_scheduled_and_released(welcome: Deployment) -> None:
    (copy,) = welcome.json("page", "copy", "/", *AT, "--slug", "second")
    path = copy["path"]
    planned = welcome.run("page", "schedule", path, "2090-06-01 09:00", *AT, "--zone", "Asia/Tokyo")
    assert "2090-06-01 09:00 Asia/Tokyo (UTC+09:00)" in planned
    assert "is past" in welcome.run("page", "schedule", path, "2020-01-01 09:00", *AT, status=1)
    gone = welcome.json("page", "delete", path, *AT)
    assert gone["id"] in welcome.run("page", "bin", *AT)
    assert path in welcome.run("page", "undelete", gone["id"], *AT)
    release = welcome.json("release", "create", "Spring", *AT)["id"]
    welcome.run("release", "add", release, path, *AT)
    assert "(published)" in welcome.run("release", "publish", release, *AT)
    assert "published" in welcome.run("page", "list", *AT)
    assert welcome.json("page", "schedules", *AT)[0]["path"] == path
