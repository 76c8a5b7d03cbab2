"""Whatever an issuer says, nobody gets in by it who should not."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from joserfc import jwk, jwt
from mosaic_identity_oidc.opening import OIDC
from mosaic_identity_oidc.plugin import OIDCSettings, mosaic_identity

from mosaic_core.errors import IdentityMisconfigured, IdentityTampered, IdentityUnavailable
from mosaic_core.identity import OwnIssuer, Vouched
from mosaic_core.testing.identity import CALLBACK
from mosaic_core.testing.services import make_services
from tests.issuers import HostileIssuer, Said, coded

SECRET = "only-for-these-tests"
Scenario = Callable[[OIDC], Awaitable[Any]]


@pytest.fixture(scope="module")
def issuer() -> Iterator[HostileIssuer]:
    with HostileIssuer() as found:
        yield found


@pytest.fixture
def hostile(issuer: HostileIssuer) -> HostileIssuer:
    """The issuer, which says what it should until it is told otherwise."""
    issuer.said = Said()
    issuer.asked.clear()
    issuer.rotate()
    return issuer


def opened(hostile: HostileIssuer, folder: Path, scenario: Scenario, **given: Any) -> Any:
    """Runs a scenario with a provider whose way ``company`` is the issuer."""
    company = {"issuer": hostile.address, "client_id": "mosaic", "client_secret": SECRET}
    way = company | given.pop("way", {})
    settings = OIDCSettings.model_validate({"ways": {"company": way}, "refetch": 0, **given})

    async def main() -> Any:
        async with mosaic_identity().open(settings, make_services(folder)) as provider:
            assert isinstance(provider, OIDC)
            return await scenario(provider)

    return asyncio.run(main())


def signed_in(hostile: HostileIssuer, **more: str) -> Callable[[OIDC], Awaitable[Vouched]]:
    async def scenario(provider: OIDC) -> Vouched:
        begun = await provider.begin("company", CALLBACK)
        return await provider.complete("company", begun, hostile.comes_back(begun.address) | more)

    return scenario


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{coded({'alg': 'none'})}.{coded(claims)}."


def by_our_secret(header: dict[str, Any], claims: dict[str, Any]) -> str:
    key = jwk.OctKey.import_key(SECRET + "-and-more-so-that-it-is-long-enough")
    return jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])


def by_another_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    other = jwk.ECKey.generate_key("P-256")
    return jwt.encode(header, claims, other, algorithms=["ES256"])


def cut(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return by_another_key(header, claims).rpartition(".")[0]


GOOD: dict[str, Said] = {
    "as it should be": Said(),
    "several audiences, and who asked": Said({"aud": ["mosaic", "api"], "azp": "mosaic"}),
    "a clock that is a little ahead": Said({"iat": timedelta(seconds=50)}),
    "userinfo alone": Said(
        {"email": None, "email_verified": None, "name": None},
        userinfo={
            "sub": "ada",
            "email": "ada@example.com",
            "email_verified": "true",
            "name": "Ada",
            "iss": "https://evil.example",
        },
    ),
}
BAD: dict[str, tuple[Said, str]] = {
    "another nonce": (Said({"nonce": "other"}), "another sign-in"),
    "no nonce": (Said({"nonce": None}), "another sign-in"),
    "another issuer": (Said({"iss": "https://accounts.google.com"}), "another issuer"),
    "no issuer": (Said({"iss": None}), "all that it has to"),
    "for another client": (Said({"aud": "other"}), "somebody else"),
    "for others only": (Said({"aud": ["other", "third"]}), "somebody else"),
    "for several": (Said({"aud": ["mosaic", "other"]}), "for several"),
    "asked by another": (Said({"aud": ["mosaic", "other"], "azp": "other"}), "somebody else"),
    "azp of another": (Said({"azp": "other"}), "somebody else"),
    "expired": (Said({"exp": timedelta(seconds=-120)}), "too old"),
    "never expires": (Said({"exp": None}), "all that it has to"),
    "from the future": (Said({"iat": timedelta(seconds=600)}), "another time"),
    "made at no time": (Said({"iat": None}), "all that it has to"),
    "nobody": (Said({"sub": None}), "all that it has to"),
    "an empty name": (Said({"sub": ""}), "somebody else"),
    "a name that is too long": (Said({"sub": "x" * 256}), "no name"),
    "a name that is a number": (Said({"sub": 7}), "somebody else"),
    "no signature": (Said(token=unsigned), "a way that does not count"),
    "our own secret": (Said(token=by_our_secret), "a way that does not count"),
    "another key": (Said(token=by_another_key), "signature is wrong"),
    "a key that it does not have": (Said(header={"kid": "other"}), "does not have"),
    "a key id that is none": (Said(header={"kid": 7}), "with which key"),
    "an unknown extension": (Said(header={"crit": ["x"], "x": 1}), "no token"),
    "half a token": (Said(token=cut), "no token"),
    "no token": (Said(token=lambda header, claims: ""), "no token"),
    "words": (Said(token=lambda header, claims: "ünïcödé"), "no token"),
    "a long token": (Said(token=lambda header, claims: "x" * 40_000), "no token"),
    "userinfo of somebody else": (
        Said({"email": None}, userinfo={"sub": "bob", "email": "bob@example.com"}),
        "somebody else",
    ),
}


def test_what_is_right_gets_somebody_in(hostile: HostileIssuer, tmp_path: Path) -> None:
    async def scenario(provider: OIDC) -> None:
        for case, said in GOOD.items():
            hostile.said = said
            found = await signed_in(hostile)(provider)
            expected = Vouched(hostile.address, "ada", "ada@example.com", True, "Ada")
            assert found == expected, case

    opened(hostile, tmp_path, scenario)


def test_what_is_wrong_gets_nobody_in(hostile: HostileIssuer, tmp_path: Path) -> None:
    async def scenario(provider: OIDC) -> None:
        for case, (said, _) in BAD.items():
            hostile.said = said
            told[case] = await refusal(signed_in(hostile)(provider))

    told: dict[str, str] = {}
    opened(hostile, tmp_path, scenario)
    for case, (_, why) in BAD.items():
        assert re.search(why, told[case]), f"{case}: {told[case]}"
    assert "ada@example.com" not in str(told)


async def refusal(signing_in: Awaitable[Vouched]) -> str:
    """What is said to who is not let in; that they are, if they are."""
    try:
        return f"let in as {await signing_in}"
    except IdentityTampered as error:
        return str(error)


def test_an_address_is_verified_when_the_issuer_says_so_and_else_not(
    hostile: HostileIssuer, tmp_path: Path
) -> None:
    async def scenario(provider: OIDC) -> None:
        for value in (False, None, "no", 0, []):
            hostile.said = Said({"email_verified": value})
            assert not (await signed_in(hostile)(provider)).email_verified, value

    opened(hostile, tmp_path, scenario)
    trusted = opened(hostile, tmp_path, signed_in(hostile), way={"addresses_verified": True})
    assert trusted.email_verified


def test_an_answer_of_another_issuer_is_told_from_ours(
    hostile: HostileIssuer, tmp_path: Path
) -> None:
    assert opened(hostile, tmp_path, signed_in(hostile, iss=hostile.address))
    with pytest.raises(IdentityTampered, match="another issuer"):
        opened(hostile, tmp_path, signed_in(hostile, iss="https://evil.example"))
    hostile.said = Said(metadata={"authorization_response_iss_parameter_supported": True})
    with pytest.raises(IdentityTampered, match="from whom"):
        opened(hostile, tmp_path, signed_in(hostile))


def test_every_algorithm_on_the_list_counts(hostile: HostileIssuer, tmp_path: Path) -> None:
    kinds: dict[str, Any] = {
        "RS256": jwk.RSAKey.generate_key(2048, {"kid": "r"}),
        "ES384": jwk.ECKey.generate_key("P-384", {"kid": "e"}),
        "Ed25519": jwk.OKPKey.generate_key("Ed25519", {"kid": "o"}),
    }
    names = {"RS256": "RS256", "PS512": "RS256", "ES384": "ES384", "Ed25519": "Ed25519"}
    hostile.keys = [key.as_dict(private=False) for key in kinds.values()]
    hostile.keys += [{"kty": "oct", "k": "AAAA"}, {"kty": "?"}, 7, {"kty": "RSA", "n": "AA"}]
    for algorithm, kind in names.items():
        key = kinds[kind]
        hostile.said = Said(
            token=lambda header, claims, key=key, algorithm=algorithm: jwt.encode(
                {"alg": algorithm}, claims, key, algorithms=[algorithm]
            )
        )
        assert opened(hostile, tmp_path, signed_in(hostile)).subject == "ada"


def test_new_keys_count_at_once_and_are_not_asked_for_more_often_than_that(
    hostile: HostileIssuer, tmp_path: Path
) -> None:
    async def scenario(provider: OIDC) -> None:
        sign_in, now = signed_in(hostile), [1_000.0]
        provider._issuers._clock = lambda: now[0]
        await sign_in(provider)
        await sign_in(provider)
        assert hostile.asked.count("/jwks") == 1
        assert hostile.asked.count("/.well-known/openid-configuration") == 1
        now[0] += 11
        hostile.rotate()
        await sign_in(provider)
        assert hostile.asked.count("/jwks") == 2
        hostile.said = Said(header={"kid": "made up"})
        for _ in range(5):
            with pytest.raises(IdentityTampered, match="does not have"):
                await sign_in(provider)
        assert hostile.asked.count("/jwks") == 2, "a flood of invented keys asks for none"
        now[0] += 11
        with pytest.raises(IdentityTampered):
            await sign_in(provider)
        assert hostile.asked.count("/jwks") == 3
        assert hostile.asked.count("/.well-known/openid-configuration") == 1
        now[0] += 3_600
        hostile.said = Said()
        await sign_in(provider)
        assert hostile.asked.count("/.well-known/openid-configuration") == 2

    opened(hostile, tmp_path, scenario, refetch=10)


METADATA: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"issuer": "https://evil.example"}, "calls itself 'https://evil.example'"),
    "no name": ({"issuer": None}, "lacks issuer"),
    "no keys": ({"jwks_uri": None}, "lacks jwks_uri"),
    "a list": ({"token_endpoint": ["x"]}, "lacks token_endpoint"),
    "a script": ({"authorization_endpoint": "javascript:alert(1)"}, "no address by https"),
    "in the clear": ({"token_endpoint": "http://example.com/token"}, "no address by https"),
    "a password": ({"jwks_uri": "https://a:b@example.com/"}, "no address by https"),
    "a line": ({"authorization_endpoint": "https://example.com/\r\nx"}, "no address by https"),
    "no PKCE": ({"code_challenge_methods_supported": ["plain"]}, "does not do PKCE"),
}


def test_an_issuer_that_describes_itself_wrongly_is_told_how(
    hostile: HostileIssuer, tmp_path: Path
) -> None:
    async def scenario(provider: OIDC) -> None:
        for metadata, why in METADATA.values():
            hostile.said = Said(metadata=metadata)
            with pytest.raises(IdentityMisconfigured, match=why):
                await provider.examine("company")

    opened(hostile, tmp_path, scenario)


ANSWERS: dict[str, tuple[str, Any, type[Exception], str]] = {
    "not there": ("description", (404, {}), IdentityMisconfigured, "is not there"),
    "somewhere else": ("description", (302, {}), IdentityMisconfigured, "is somewhere else"),
    "a page": ("description", (200, b"<html>"), IdentityMisconfigured, "is no JSON"),
    "a deep hole": ("description", (200, b"[" * 200_000), IdentityMisconfigured, "no JSON"),
    "endless": ("description", (200, b" " * 600_000), IdentityMisconfigured, "longer than"),
    "a list": ("description", (200, []), IdentityMisconfigured, "lacks"),
    "broken": ("description", (500, {}), IdentityUnavailable, "answer is 500"),
    "keys that are none": ("jwks", (200, {}), IdentityMisconfigured, "are none"),
    "another client": (
        "token",
        (401, {"error": "invalid_client"}),
        IdentityMisconfigured,
        "client",
    ),
    "tokens that are none": ("token", (200, []), IdentityTampered, "no token"),
    "a redirect of a token": ("token", (307, {}), IdentityMisconfigured, "somewhere else"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_issuer_answers_is_told_in_our_words(
    hostile: HostileIssuer, tmp_path: Path, case: str
) -> None:
    name, answer, error, why = ANSWERS[case]
    hostile.said = Said(answers={name: answer})
    with pytest.raises(error, match=why) as caught:
        opened(hostile, tmp_path, signed_in(hostile))
    assert SECRET not in str(caught.value)
    assert "/elsewhere" not in hostile.asked, "no redirect is followed"


def test_an_issuer_that_does_not_answer_is_waited_for_so_long(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def silent(reader: Any, writer: Any) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        way = {"issuer": address, "client_id": "mosaic"}
        settings = OIDCSettings.model_validate({"ways": {"slow": way}, "timeout": 0.2})
        async with mosaic_identity().open(settings, make_services(tmp_path)) as provider:
            with pytest.raises(IdentityUnavailable, match=r"within 0\.2 s"):
                await provider.begin("slow", CALLBACK)
            server.close()
            with pytest.raises(IdentityUnavailable, match="cannot be had"):
                await provider.begin("slow", CALLBACK)

    asyncio.run(scenario())


def test_a_certificate_is_one_that_is_trusted(tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with HostileIssuer(tls) as issuer:
        assert issuer.address.startswith("https://")
        with pytest.raises(IdentityUnavailable, match="certificate"):
            opened(issuer, tmp_path, signed_in(issuer))
        assert opened(issuer, tmp_path, signed_in(issuer), ca_file="ca.pem").subject == "ada"


def test_a_tenants_issuer_leads_nowhere_into_our_network(
    hostile: HostileIssuer, tmp_path: Path
) -> None:
    internal = (
        *("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.0.0.1/"),
        *("https://169.254.169.254/latest", "https://[::ffff:192.168.0.1]/", "https://0.0.0.0/"),
        *("https://[64:ff9b::a00:1]/", "https://[fe80::1]/", "https://2130706433/"),
    )

    async def scenario(provider: OIDC) -> None:
        for address in internal:
            with pytest.raises(IdentityMisconfigured, match="no server on the public Internet"):
                await provider.examine(OwnIssuer(address, "client"))
        for address in (hostile.address, "http://example.com", "ftp://example.com", "https://"):
            with pytest.raises(IdentityMisconfigured, match="no address by https"):
                await provider.examine(OwnIssuer(address, "client"))

    opened(hostile, tmp_path, scenario)
    assert hostile.asked == []


def test_nothing_shows_a_secret(hostile: HostileIssuer, tmp_path: Path) -> None:
    given = {"ways": {"a": {"client_id": "x", "client_secret": SECRET, "issuer": "https://a.test"}}}
    assert SECRET not in repr(OIDCSettings.model_validate(given))
    assert SECRET not in repr(OwnIssuer("https://a.test", "x", SECRET))
    with pytest.raises(ValueError, match="needs issuer") as caught:
        OIDCSettings.model_validate({"ways": {"a": {"client_id": "x", "client_secret": SECRET}}})
    assert SECRET not in str(caught.value)
