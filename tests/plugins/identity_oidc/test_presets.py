"""Google, GitHub and Microsoft are asked where they are, and believed as far as they vouch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mosaic_identity_oidc.opening import OIDC
from mosaic_identity_oidc.parties import Party, title_of
from mosaic_identity_oidc.plugin import OIDCSettings, WaySettings, mosaic_identity

from mosaic_core.errors import (
    IdentityError,
    IdentityMisconfigured,
    IdentityRefused,
    IdentityTampered,
)
from mosaic_core.identity import SignInWay, Vouched
from mosaic_core.testing.identity import CALLBACK
from mosaic_core.testing.services import make_services
from tests.issuers import GitHubStandIn, HostileIssuer, Said

DIRECTORY, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
CLIENT = {"client_id": "mosaic", "client_secret": "only-for-tests"}
#: What each preset is given, its issuer, and where that describes itself.
PRESETS: dict[str, tuple[dict[str, Any], str, str]] = {
    "Google": (
        {"preset": "google"},
        "https://accounts.google.com",
        "https://accounts.google.com",
    ),
    "Microsoft": (
        {"preset": "microsoft"},
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/common/v2.0",
    ),
    "Our directory": (
        {"preset": "microsoft", "tenant": DIRECTORY, "title": "Our directory"},
        f"https://login.microsoftonline.com/{DIRECTORY}/v2.0",
        f"https://login.microsoftonline.com/{DIRECTORY}/v2.0",
    ),
    "Microsoft Entra": (
        {"preset": "entra_external", "subdomain": "contoso", "tenant": DIRECTORY},
        f"https://{DIRECTORY}.ciamlogin.com/{DIRECTORY}/v2.0",
        f"https://contoso.ciamlogin.com/{DIRECTORY}/v2.0",
    ),
    "Azure AD B2C": (
        {
            "preset": "azure_b2c",
            "subdomain": "contoso",
            "tenant": DIRECTORY,
            "policy": "B2C_1_sign_in",
        },
        f"https://contoso.b2clogin.com/{DIRECTORY}/v2.0/",
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_sign_in/v2.0",
    ),
    "Way": (
        {"issuer": "https://login.example.com/"},
        "https://login.example.com/",
        "https://login.example.com",
    ),
}


@pytest.mark.parametrize("title", PRESETS)
def test_a_preset_knows_its_issuer(title: str) -> None:
    given, issuer, described = PRESETS[title]
    settings = WaySettings.model_validate(given | CLIENT)
    party = Party.of(settings)
    assert party.issuer == issuer
    assert party.description == f"{described}/.well-known/openid-configuration"
    assert title_of("way", settings) == title


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "needs issuer"),
        ({"preset": "azure_b2c", "subdomain": "contoso"}, "needs tenant"),
        ({"preset": "entra_external", "subdomain": "a", "tenant": "common"}, "directory's id"),
        ({"preset": "entra_external", "subdomain": "a.b", "tenant": DIRECTORY}, "subdomain"),
        ({"preset": "microsoft", "tenant": "contoso.onmicrosoft.com"}, "tenant"),
        ({"preset": "github", "client_secret": None}, "needs client_secret"),
        ({"preset": "facebook"}, "preset"),
    ],
)
def test_a_preset_says_what_it_lacks(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        WaySettings.model_validate(CLIENT | given)


def signed_in(folder: Path, way: dict[str, Any], comes_back: Any) -> Vouched:
    async def main() -> Vouched:
        settings = OIDCSettings.model_validate({"ways": {"way": way}})
        async with mosaic_identity().open(settings, make_services(folder)) as provider:
            assert isinstance(provider, OIDC)
            begun = await provider.begin("way", CALLBACK)
            return await provider.complete("way", begun, comes_back(begun.address))

    return asyncio.run(main())


@pytest.fixture(scope="module")
def microsoft() -> Iterator[HostileIssuer]:
    with HostileIssuer() as found:
        yield found


def of_microsoft(issuer: HostileIssuer, folder: Path, **claims: Any) -> Vouched:
    pattern = f"{issuer.address}/{{tenantid}}/v2.0"
    issuer.said = Said(
        {"iss": f"{issuer.address}/{DIRECTORY}/v2.0", "tid": DIRECTORY, **claims},
        metadata={"issuer": pattern},
    )
    way = {"preset": "microsoft", "issuer": pattern, "authority": issuer.address, **CLIENT}
    return signed_in(folder, way, issuer.comes_back)


def test_each_directory_of_microsoft_is_an_issuer_of_its_own(
    microsoft: HostileIssuer, tmp_path: Path
) -> None:
    found = of_microsoft(microsoft, tmp_path)
    assert found.issuer == f"{microsoft.address}/{DIRECTORY}/v2.0"
    for claims in (
        {"tid": OTHER},
        {"tid": None},
        {"iss": f"{microsoft.address}/{{tenantid}}/v2.0"},
        {"iss": f"{microsoft.address}/{DIRECTORY}/v2.0/"},
        {"iss": f"https://evil.example/{DIRECTORY}/v2.0"},
    ):
        with pytest.raises(IdentityTampered):
            of_microsoft(microsoft, tmp_path, **claims)


def test_an_account_knows_the_way_of_whichever_directory_it_is_linked_with() -> None:
    shared = SignInWay("work", "Microsoft", "https://login.example/{tenantid}/v2.0")
    assert shared.trusts(f"https://login.example/{DIRECTORY}/v2.0")
    for other in ("https://login.example//v2.0", "https://login.example/a/b/v2.0", "https://x/"):
        assert not shared.trusts(other)
    assert not SignInWay("own", "Own", "https://x/").trusts("https://x")


def test_what_an_administrator_of_any_directory_can_write_verifies_no_address(
    microsoft: HostileIssuer, tmp_path: Path
) -> None:
    assert not of_microsoft(microsoft, tmp_path, email_verified=True).email_verified
    assert not of_microsoft(microsoft, tmp_path, xms_edov=False).email_verified
    assert of_microsoft(microsoft, tmp_path, xms_edov=True).email_verified
    assert of_microsoft(microsoft, tmp_path, xms_edov="1").email_verified


def test_azure_b2c_has_a_list_of_addresses(microsoft: HostileIssuer, tmp_path: Path) -> None:
    microsoft.said = Said({"email": None, "emails": ["ada@example.com"], "email_verified": None})
    way = {"issuer": microsoft.address, **CLIENT}
    found = signed_in(tmp_path, way, microsoft.comes_back)
    assert (found.email, found.email_verified) == ("ada@example.com", False)
    assert signed_in(tmp_path, way | {"addresses_verified": True}, microsoft.comes_back)


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    with GitHubStandIn() as found:
        yield found


def of_github(github: GitHubStandIn, folder: Path, **more: Any) -> Vouched:
    way = {
        "preset": "github",
        "server": github.address,
        "client_id": github.client_id,
        "client_secret": github.client_secret,
    }
    return signed_in(folder, way | more, github.comes_back)


def test_the_primary_address_of_github_counts_if_it_is_verified(
    github: GitHubStandIn, tmp_path: Path
) -> None:
    found = of_github(github, tmp_path)
    assert (found.subject, found.email, found.email_verified) == ("583231", "ada@example.com", True)
    cases: dict[str, tuple[Any, tuple[str, bool]]] = {
        "not verified": (
            [{"email": "a@b.example", "primary": True, "verified": False}],
            ("a@b.example", False),
        ),
        "no primary": ([{"email": "a@b.example", "primary": False, "verified": True}], ("", False)),
        "none": ([], ("", False)),
        "no list": ({"email": "a@b.example"}, ("", False)),
        "rubbish": ([7, {"primary": True, "verified": True, "email": 7}], ("", False)),
    }
    for name, (emails, expected) in cases.items():
        github.emails = emails
        found = of_github(github, tmp_path)
        assert (found.email, found.email_verified) == expected, name


def test_a_name_at_github_is_nobodys_for_ever_but_a_number_is(
    github: GitHubStandIn, tmp_path: Path
) -> None:
    for user in ({"login": "ada"}, {"id": "583231"}, {"id": True}, [], "ada"):
        github.user = user  # type: ignore[assignment]
        with pytest.raises(IdentityError, match="who it is"):
            of_github(github, tmp_path)
    github.user = {"id": 583231, "login": "ada", "name": None}
    assert of_github(github, tmp_path).name == "ada"


def test_what_github_does_not_take_is_said(github: GitHubStandIn, tmp_path: Path) -> None:
    with pytest.raises(IdentityMisconfigured, match="does not take this client"):
        of_github(github, tmp_path, client_secret="another")
    github.paths["/api/v3/user"] = lambda given, headers: (403, {})
    with pytest.raises(IdentityMisconfigured, match="answers 403"):
        of_github(github, tmp_path)
    comes_back = github.comes_back
    github.comes_back = lambda address: comes_back(address) | {"code": "other"}  # type: ignore[method-assign,assignment]
    with pytest.raises(IdentityRefused, match="bad_verification_code"):
        of_github(github, tmp_path)
