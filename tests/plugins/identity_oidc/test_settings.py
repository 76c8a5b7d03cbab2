"""The settings are read from the environment too, and no error shows a secret."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from mosaic_identity_oidc.plugin import OIDCSettings, mosaic_identity

from mosaic_core.errors import ConfigurationError
from mosaic_core.settings import make_settings
from mosaic_core.testing.services import make_services
from tests.cms.plugs import SHIPPED

SECRET = "canary-of-the-client"
PREFIX = "MOSAIC_PLUGINS__IDENTITY_OIDC__WAYS"
TOML = {"plugins": {"identity_oidc": {"ways": {"company": {"issuer": "https://a.test"}}}}}


def test_a_secret_comes_from_the_environment_to_what_the_file_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"{PREFIX}__COMPANY__CLIENT_SECRET", SECRET)
    monkeypatch.setenv(f"{PREFIX}__COMPANY__CLIENT_ID", "1234")
    settings = make_settings(dict(TOML), root=tmp_path)
    found = OIDCSettings.model_validate(settings.plugins["identity_oidc"])
    way = found.ways["company"]
    assert (way.issuer, way.client_id) == ("https://a.test", "1234")
    assert way.client_secret is not None
    assert way.client_secret.get_secret_value() == SECRET


def test_ways_may_be_json_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    way = {"company": {"preset": "google", "client_id": "x", "client_secret": SECRET}}
    monkeypatch.setenv(PREFIX, json.dumps(way))
    settings = make_settings({}, root=tmp_path)
    found = OIDCSettings.model_validate(settings.plugins["identity_oidc"])
    assert found.ways["company"].preset == "google"


@pytest.mark.parametrize(
    ("ways", "why"),
    [
        (f'{{"company": "{SECRET}"', "it is no JSON"),
        (json.dumps({"company": {"client_id": SECRET}}), "needs issuer"),
        (json.dumps({"company": {"client_secret": [SECRET], "client_id": "x"}}), "valid string"),
        (json.dumps({"sso": {"preset": "google", "client_id": "x"}}), "cannot be called 'sso'"),
        (json.dumps({"com/pany": {"preset": "google", "client_id": "x"}}), "pattern"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: str, why: str
) -> None:
    monkeypatch.setenv(PREFIX, ways)
    root = tmp_path / "made"
    root.mkdir()

    async def make() -> None:
        from mosaic_cms.migrating import migrate_platform
        from mosaic_cms.product import open_product

        settings = make_settings({"platform": {"plugins": [*SHIPPED, "identity_oidc"]}}, root=root)
        await migrate_platform(settings)
        async with open_product(settings):
            pass

    with pytest.raises(ConfigurationError, match=why) as caught:
        asyncio.run(make())
    assert SECRET not in str(caught.value)


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = OIDCSettings(ca_file=Path("ca.pem"))

    async def main() -> None:
        async with mosaic_identity().open(settings, make_services(tmp_path)):
            pass

    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        asyncio.run(main())
