"""The operator's commands, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from mosaic_cms.cli.commands import app
from tests.processes import Deployment


def test_a_first_site_takes_four_commands(deployment: Deployment) -> None:
    made = deployment.json("tenant", "create", "welcome", "--name", "Hello")
    assert made["host"] == "welcome.localhost"
    (deployment.folder / "notes").mkdir()
    (deployment.folder / "notes" / "first.md").write_text("---\ntitle: First\n---\n\nIt *works*.\n")
    report = deployment.json("import", "markdown", "notes", "--site", "welcome")
    assert (report["created"], report["published"]) == (1, 1)
    again = deployment.json("import", "markdown", "notes", "--site", "welcome")
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 1)
    assert again["published"] == 0
    pages = deployment.json("page", "list", "--site", "welcome")
    assert [(page["path"], page["state"]) for page in pages] == [
        ("/", "published"),
        ("/first/", "published"),
    ]
    assert deployment.json("doctor") == {"tenants": 1, "problems": []}


def test_pages_are_published_and_taken_back(deployment: Deployment) -> None:
    deployment.run("tenant", "create", "welcome")
    assert deployment.json("page", "unpublish", "/", "--site", "welcome")["state"] == "draft"
    assert deployment.json("page", "publish", "/", "--site", "welcome")["state"] == "published"
    gone = deployment.run("page", "delete", "/", "--site", "welcome")
    assert "/ is deleted" in gone
    assert deployment.json("page", "list", "--site", "welcome") == []
    assert deployment.json("doctor")["problems"] == []


def test_a_draft_is_shown_as_it_stands(deployment: Deployment) -> None:
    deployment.run("tenant", "create", "welcome")
    page = deployment.json("page", "show", "/", "--site", "welcome")
    assert "This site is open" in page["regions"]["main"][0]["data"]["text"]
    assert "This site is open" in deployment.run("page", "show", "/", "--site", "welcome")


def test_a_tenant_is_suspended_and_resumed(deployment: Deployment) -> None:
    deployment.run("tenant", "create", "welcome")
    view = deployment.json("tenant", "suspend", "welcome", "--reason", "Stocktaking")
    assert (view["status"], view["reason"]) == ("read-only", "Stocktaking")
    refused = deployment.json("page", "unpublish", "/", "--site", "welcome", status=1)
    assert refused["error"]["code"] == "tenant-read-only"
    assert "Stocktaking" in refused["error"]["message"]
    assert deployment.json("tenant", "resume", "welcome")["status"] == "active"
    assert deployment.json("tenant", "show", "welcome")["status"] == "active"


def test_errors_name_the_thing_and_say_what_to_do(deployment: Deployment) -> None:
    shown = deployment.run("tenant", "show", "nobody", status=1)
    assert "There is no tenant 'nobody'" in shown
    assert "mosaic tenant list" in shown
    refused = deployment.json("tenant", "create", "Not A Slug", status=1)
    assert refused["error"]["code"] == "invalid-input"
    missing = deployment.run("import", "markdown", "nowhere", "--site", "nobody", status=1)
    assert "error:" in missing


def test_what_is_no_domain_is_refused_as_that(deployment: Deployment) -> None:
    shown = deployment.run(
        "tenant", "create", "press", "--tier", "enterprise", "--domain", "b ad", status=1
    )
    assert "'b ad' is no domain" in shown
    assert deployment.json("tenant", "list") == []


def test_a_deployment_whose_platform_was_not_made_says_how_to_make_it(tmp_path: Path) -> None:
    """As one is that was copied without its data."""
    copied = Deployment(tmp_path)
    config = tmp_path / "mosaic.toml"
    config.write_text("[platform]\n")
    for words in (
        ("tenant", "list"),
        ("doctor",),
        ("serve", "--port", "0"),
        ("serve", "--port", "0", "--workers", "2"),
    ):
        shown = copied.run(*words, status=1)
        assert "There is no platform database" in shown
        assert "mosaic migrate" in shown
    assert [path.name for path in tmp_path.rglob("*")] == [config.name]
    copied.run("migrate")
    assert copied.json("tenant", "list") == []


def test_a_broken_configuration_is_named_with_its_key(deployment: Deployment) -> None:
    config = deployment.folder / "mosaic.toml"
    config.write_text(config.read_text().replace("domain =", "domian ="))
    shown = deployment.run("tenant", "list", status=1)
    assert "mosaic.toml" in shown
    assert "platform.domian" in shown
    assert "did you mean 'domain'?" in shown
    config.write_text("[platform\n")
    assert "not valid TOML" in deployment.run("doctor", status=1)


def test_plugins_are_listed_with_what_was_refused_and_why(deployment: Deployment) -> None:
    rows = {row["name"]: row for row in deployment.json("plugins")}
    assert rows["tenancy_sqlite"]["state"] == "selected"
    assert rows["tenancy_sqlite"]["hooks"] == ["mosaic_persistence"]
    config = deployment.folder / "mosaic.toml"
    config.write_text(config.read_text().replace('"storage_local"', '"storage_locl"'))
    rows = {row["name"]: row for row in deployment.json("plugins", status=1)}
    assert rows["storage_locl"]["state"] == "refused"
    assert "storage_local" in rows["storage_locl"]["reason"]
    assert rows["storage_local"]["state"] == "available"


def test_the_doctor_finds_a_damaged_tenant_and_the_others_well(deployment: Deployment) -> None:
    broken = deployment.json("tenant", "create", "broken")
    deployment.run("tenant", "create", "sound")
    file = deployment.folder / "data" / "tenants" / f"{broken['tenant_id']}.db"
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 2000] = b"\xff" * 2000
    file.write_bytes(content)
    found = deployment.json("doctor", status=1)
    assert found["tenants"] == 2
    assert all("broken" in problem["subject"] for problem in found["problems"])
    assert all(problem["mend"] for problem in found["problems"])


def test_every_command_can_answer_in_json() -> None:
    def commands(group: typer.Typer, path: str) -> dict[str, typer.models.CommandInfo]:
        found = {f"{path} {info.name}": info for info in group.registered_commands}
        for inner in group.registered_groups:
            assert inner.typer_instance is not None
            found |= commands(inner.typer_instance, f"{path} {inner.name}")
        return found

    known = commands(app, "mosaic")
    assert len(known) > 12
    for name, info in known.items():
        assert info.callback is not None
        assert "as_json" in info.callback.__annotations__, f"{name} has no --json"


def test_an_init_never_overwrites(deployment: Deployment) -> None:
    before = (deployment.folder / "mosaic.toml").read_text()
    assert "exists already" in deployment.run("init", ".", status=1)
    assert (deployment.folder / "mosaic.toml").read_text() == before


def test_every_command_says_in_one_line_what_it_does() -> None:
    """The list of commands shows the first lines of their help as they are broken."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, str]]:
        for key, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {key}")
        yield name, (command.help or "").strip().split("\n\n")[0]

    told = dict(walk(typer.main.get_command(app), "mosaic"))
    assert len(told) > 80
    assert [name for name, line in told.items() if not line or "\n" in line] == []
