"""`mosaic why` says whether somebody may do something, and why; and what serves without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mosaic_cms.identity.secrets import Secrets, open_secrets
from mosaic_core.errors import ConfigurationError
from mosaic_core.settings import make_settings
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments


def test_why_prints_the_reason(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> None:
    command_line(deployments, monkeypatch)

    def why(*words: str) -> str:
        return invoke("why", *words)

    assert "no  Viewer lacks publish on content; Editor has it." in why("viewer", "pages.publish")
    assert "yes  Editor has publish on content." in why("editor", "pages.publish")
    assert "no  visitor lacks" in why("visitor", "pages.publish")
    invoke("account", "create", "ada@example.com", "--name", "Ada")
    asked = ("ada@example.com", "pages.publish", "-t")
    assert "being no member; Editor has it." in why(*asked, "aurora")
    invoke("member", "add", "ada@example.com", "-t", "aurora", "--role", "editor")
    assert "yes" in why(*asked, "aurora")
    assert "no  " in why(*asked, "bread")
    wish = ("create", "ci", "-t", "aurora", "--role", "editor", "--action", "media.*")
    key = json.loads(invoke("key", *wish, "--json"))
    told = why(key["prefix"], "pages.publish", "-t", "aurora")
    assert "it is for media.* only" in told
    assert key["key"] not in why(key["key"], "pages.publish", "-t", "aurora")
    shown = json.loads(why("viewer", "pages.list", "--json"))
    assert shown == {"allowed": True, "reason": "Viewer has read on content."}
    for words, named in (
        (("viewer", "pages.publsh"), "pages.publish"),
        (("nobody@example.com", "pages.list"), "nobody@example.com"),
        (("mosaic_abc", "pages.list"), "--tenant"),
        (("mosaic_abc", "pages.list", "-t", "aurora"), "mosaic key list"),
        (("nobody@example.com", "pages.list", "-t", "nowhere"), "'nowhere'"),
    ):
        assert named in invoke("why", *words, code=1)


#: What stands in examples, and what is put where a secret belongs.
DEFAULTS = (
    "change-me-please-change-me-please",
    "your-secret-key-here-change-in-production",
    "insecure-development-key-do-not-use-it",
    "0123456789abcdef0123456789abcdef",
    "AbCdEfGhIjKlMnOpQrStUvWxYz-and-some-more",
    "kT9vQ2mZ7xL4nB8pkT9vQ2mZ7xL4nB8p",
)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("secret", ["", "short", "changeme" * 8, *DEFAULTS])
def test_no_production_goes_on_without_a_secret_of_its_own(
    tmp_path: Path, environment: str, secret: str
) -> None:
    tables = {"platform": {"environment": environment}, "identity": {"secret": secret}}
    with pytest.raises(ConfigurationError, match="secret") as told:
        open_secrets(make_settings(tables, root=tmp_path))
    assert "MOSAIC_IDENTITY__SECRET" in told.value.hint
    assert not secret or secret not in str(told.value)
    assert not list(tmp_path.rglob("*.secret"))


def test_in_development_a_deployment_makes_its_own_secret(tmp_path: Path) -> None:
    settings = make_settings({}, root=tmp_path)
    settings.data_dir.mkdir()
    one, other = open_secrets(settings), open_secrets(settings)
    assert one.token("a", "b") == other.token("a", "b")
    (file,) = settings.data_dir.glob("*.secret")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "half of i"])
def test_a_secret_that_was_cut_off_is_none(tmp_path: Path, content: str) -> None:
    settings = make_settings({}, root=tmp_path)
    settings.data_dir.mkdir()
    open_secrets(settings)
    (file,) = settings.data_dir.glob("*.secret")
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="is damaged") as told:
        open_secrets(settings)
    assert str(file) in told.value.message
    file.unlink()
    open_secrets(settings)


def test_a_secret_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    settings = make_settings({}, root=tmp_path)
    settings.data_dir.write_bytes(b"no folder")
    with pytest.raises(ConfigurationError, match="cannot be kept") as told:
        open_secrets(settings)
    assert "right to write" in told.value.hint


def test_what_is_made_for_one_purpose_counts_for_no_other() -> None:
    secrets = Secrets("x" * 20 + "0123456789abcdef")
    assert secrets.signed("session", "m", secrets.signature("session", "m"))
    for purpose, message in (("csrf", "m"), ("session", "n")):
        assert not secrets.signed(purpose, message, secrets.signature("session", "m"))
    assert secrets.unseal(secrets.seal(b"kept")) == b"kept"
    with pytest.raises(ConfigurationError, match="another secret"):
        Secrets("another secret of 32 characters!").unseal(secrets.seal(b"kept"))
