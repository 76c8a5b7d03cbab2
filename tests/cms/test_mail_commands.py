"""``mosaic mail`` and what the doctor says about mail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.mail_folder import MailFolder
from mosaic_core.testing.mail import parsed
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments, opened
from tests.cms.test_web_forms import GOOD, add_form
from tests.mail_server import MailServer


def with_plugin(path: Path, name: str, **settings: Any) -> None:
    """Selects a plugin that sends mail."""
    text = path.read_text().replace('"storage_local"]', f'"storage_local", "{name}"]', 1)
    told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    path.write_text(f"{text}[plugins.{name}]\n{told}" if told else text)


@pytest.fixture
def path(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment in which somebody filled in a form; no plugin that sends mail is selected."""
    path = command_line(deployments, monkeypatch)
    monkeypatch.setenv("COLUMNS", "300")

    async def main() -> None:
        async with opened(deployments.root) as deployment:
            await add_form(deployment)
            page = await deployment.do("pages.show", path="/contact/")
            values = {key: value for key, value in GOOD.items() if key[0] != "_"}
            await deployment.do("forms.submit", page_id=page.id, form_id="f1", values=values)

    asyncio.run(main())
    return path


def listed() -> list[dict[str, Any]]:
    return list(json.loads(invoke("mail", "list", "--json")))


def test_without_a_plugin_the_mail_waits_and_the_doctor_says_so(path: Path) -> None:
    (mail,) = listed()
    assert (mail["tenant"], mail["kind"], mail["to"], mail["state"]) == (
        "aurora",
        "form",
        "desk@museum.example",
        "waiting",
    )
    found = json.loads(invoke("doctor", "--json", code=1))
    (problem,) = found["problems"]
    assert problem["what"] == "1 mail not sent yet, and no plugin that sends mail is selected."
    assert "mail_smtp" in problem["mend"]
    assert "No plugin that sends mail" in invoke("mail", "retry", code=1)
    assert "No plugin that sends mail" in invoke("mail", "test", "a@b.example", code=1)


def test_mail_that_an_operator_tries_goes_out(path: Path) -> None:
    with_plugin(path, "mail_folder")
    (mail,) = listed()
    assert json.loads(invoke("mail", "retry", mail["id"], "--json")) == {"sent": 1, "left": []}
    (file,) = (path.parent / "data" / "mail").iterdir()
    assert file.suffix == ".eml"
    assert parsed(file.read_bytes())["To"] == "desk@museum.example"
    assert listed() == []
    assert json.loads(invoke("doctor", "--json"))["problems"] == []
    assert "on its way to a@b.example" in invoke("mail", "test", "a@b.example")


def test_a_refused_mail_is_shown_with_why_until_it_is_dropped(path: Path) -> None:
    with MailServer({"desk@museum.example": "550 5.1.1 No such [red]mailbox[/red]"}) as server:
        with_plugin(path, "mail_smtp", host="127.0.0.1", port=server.port, security="none")
        (mail,) = listed()
        assert "No such [red]mailbox" in invoke("mail", "retry", mail["id"], code=1)
        (mail,) = listed()
        assert mail["state"] == "given up"
        assert "550 5.1.1 No such" in mail["error"]
        found = json.loads(invoke("doctor", "--json", code=1))
        (problem,) = found["problems"]
        assert problem["subject"] == "mail of aurora"
        assert "1 mail did not get out" in problem["what"]
        assert "550 5.1.1" in problem["what"]
        assert "mosaic mail retry" in problem["mend"]
        assert "given up" in invoke("mail", "list")
        invoke("mail", "retry", code=1)
        server.answers = {}
        assert "1 mail got out" in invoke("mail", "retry")
        assert len(server.arrived) == 1


def test_a_mail_is_dropped(path: Path) -> None:
    (mail,) = listed()
    assert "desk@museum.example" in invoke("mail", "drop", mail["id"])
    assert listed() == []
    for words in (("mail", "drop", mail["id"]), ("mail", "drop", "x")):
        invoke(*words, code=1)


def test_a_trial_says_what_is_wrong(path: Path) -> None:
    with MailServer() as server:
        with_plugin(path, "mail_smtp", host="127.0.0.1", port=server.port, security="none")
        assert "on its way to ada@xn--bcher-kva.example" in invoke(
            "mail", "test", "ada@bücher.example"
        )
        (arrived,) = server.arrived
        assert parsed(arrived.content)["From"].addresses[0].addr_spec == "noreply@mosaic.test"
        assert "is no mail address" in invoke("mail", "test", "ada", code=1)
    said = json.loads(invoke("mail", "test", "ada@example.com", "--json", code=1))
    assert said["error"]["code"] == "mail-unavailable"
    assert "cannot be reached" in said["error"]["message"]


def test_a_password_in_the_environment_is_used_and_never_shown(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin(path, "mail_smtp", host="smtp.example.com", username="mosaic", security="none")
    monkeypatch.setenv("MOSAIC_PLUGINS__MAIL_SMTP__PASSWORD", "canary-4711")
    shown = invoke("doctor", "--json", code=1)
    assert "not sent in the clear" in shown
    assert "canary" not in shown
    monkeypatch.setenv("MOSAIC_PLUGINS__MAIL_SMTP__PASSWORD", "4711.25")
    shown = invoke("mail", "list", code=1)
    assert "password" in shown
    assert "4711" not in shown


def test_a_folder_that_cannot_be_written_is_no_mail_now(tmp_path: Path) -> None:
    from mosaic_core.errors import MailUnavailable
    from mosaic_core.testing.mail import make_mail

    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(MailUnavailable, match="cannot be written"):
        asyncio.run(MailFolder(tmp_path / "mail").send(make_mail()))
