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
    unseen = welcome.run("page", "edit", "/", *AT, "--body", "body.md", status=1)
    assert "It is at revision 1 now" in unseen
    assert "--based-on" in unseen
    welcome.run("page", "edit", "/", *AT, "--body", "body.md", "--based-on", "1")
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


def test_of_processes_that_save_at_once_each_text_is_there_or_its_author_is_told(
    welcome: Deployment,
) -> None:
    page = welcome.json("page", "show", "/", *AT)
    blocks = [{"id": f"b{n}", "type": "markdown", "data": {"text": f"{n}"}} for n in range(3)]
    page["regions"] = {"main": blocks}
    (welcome.folder / "page.json").write_text(json.dumps(page), "utf-8")
    page = welcome.json("page", "edit", "/", *AT, "--content", "page.json")
    writing = []
    for author, block in (("ada", 0), ("bea", 1), ("cyd", 2), ("dot", 2)):
        blocks = [dict(each) for each in page["regions"]["main"]]
        blocks[block]["data"] = {"text": f"By {author}."}
        file = welcome.folder / f"{author}.json"
        file.write_text(json.dumps(page | {"regions": {"main": blocks}}), "utf-8")
        writing.append((author, welcome.start("page", "edit", "/", *AT, "--content", file.name)))
    told = {}
    for author, process in writing:
        said, _ = process.communicate(timeout=120)
        told[author] = (process.returncode, said)
    lost = [author for author, (status, _) in told.items() if status]
    assert lost in (["cyd"], ["dot"]), told
    assert all(f"By {author}." in told[lost[0]][1] for author in ("cyd", "dot"))
    now = welcome.run("page", "show", "/", *AT)
    assert [author for author, _ in writing if f"By {author}." not in now] == lost


def test_what_is_typed_is_based_on_what_is_there_and_a_file_on_what_it_says(
    welcome: Deployment,
) -> None:
    site = welcome.json("site", "set", *AT, "--footer", "One.")
    welcome.run("site", "set", *AT, "--tagline", "Typed.")
    stale = ("--based-on", site["revision"])
    refused = welcome.run("site", "set", *AT, "--tagline", "Mine.", *stale, status=1)
    assert "Typed." in refused
    assert "Mine." in refused
    assert welcome.json("site", "set", *AT, "--footer", "Two.", *stale)["tagline"] == "Typed."
    (welcome.folder / "text.md").write_text("Nine to five.", "utf-8")
    shared = welcome.json("shared", "create", "Hours", *AT, "--markdown", "text.md")
    edit = ("shared", "edit", shared["id"], *AT)
    assert welcome.json(*edit, "--name", "Opening hours")["revision"] == 2
    told = welcome.json(*edit, "--markdown", "text.md", status=1)["error"]
    assert (told["code"], told["revision"]) == ("precondition-required", 2)
    seen = welcome.json("shared", "show", shared["id"], *AT)
    seen["blocks"][0]["data"]["text"] = "Ten to five."
    (welcome.folder / "shared.json").write_text(json.dumps(seen), "utf-8")
    assert welcome.json(*edit, "--file", "shared.json")["revision"] == 3
    menu = ("menu", "set", "header", "menu.json", *AT)
    entries = [{"title": "Home", "target": "/"}]
    (welcome.folder / "menu.json").write_text(json.dumps(entries), "utf-8")
    made = welcome.json(*menu)
    told = welcome.json(*menu, status=1)["error"]
    assert told["revision"] == made["revision"]
    assert welcome.json(*menu, "--based-on", made["revision"]) == made


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
