"""The real OpenID provider: its keys are rotated, and it insists on PKCE and on its clients."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from mosaic_identity_oidc.plugin import OIDCSettings, mosaic_identity

from mosaic_core.errors import IdentityMisconfigured, IdentityRefused
from mosaic_core.identity import Begun, IdentityProvider
from mosaic_core.testing.identity import CALLBACK
from mosaic_core.testing.services import make_services
from tests.oidc_provider import OpenIDProvider, client, secret_of, signs_in

PUBLIC = "public"
CLIENTS = [
    client("mosaic", [CALLBACK], id_token_signed_response_alg="ES256"),
    {**client(PUBLIC, [CALLBACK], token_endpoint_auth_method="none"), "client_secret": None},
]


def test_it_signs_in_whatever_its_keys_are_and_only_who_has_the_verifier(tmp_path: Path) -> None:
    issuer = OpenIDProvider([{k: v for k, v in one.items() if v} for one in CLIENTS])

    def way(name: str, **more: Any) -> dict[str, Any]:
        return {"issuer": issuer.issuer, "client_id": name} | more

    ways = {
        "mosaic": way("mosaic", client_secret=secret_of("mosaic")),
        "public": way(PUBLIC),
        "wrong": way("mosaic", client_secret="wrong"),
    }
    settings = OIDCSettings.model_validate({"ways": ways, "refetch": 0})

    async def sign_in(provider: IdentityProvider, name: str, who: str = "ada") -> Any:
        begun = await provider.begin(name, CALLBACK)
        return await provider.complete(name, begun, await signs_in(begun.address, who))

    async def main() -> None:
        async with mosaic_identity().open(settings, make_services(tmp_path)) as provider:
            with issuer.running():
                found = await sign_in(provider, "mosaic")
                assert (found.subject, found.email_verified) == ("ada", True)
                assert not (await sign_in(provider, "mosaic", "unverified-bob")).email_verified
                assert (await sign_in(provider, "public")).subject == "ada"
                with pytest.raises(IdentityMisconfigured, match="does not take this client"):
                    await sign_in(provider, "wrong")
                begun = await provider.begin("mosaic", CALLBACK)
                remembered = {**begun.remembered, "verifier": "x" * 64}
                forged = dataclasses.replace(begun, remembered=remembered)
                assert isinstance(forged, Begun)
                with pytest.raises(IdentityRefused, match="invalid_grant"):
                    await provider.complete("mosaic", forged, await signs_in(begun.address))
            with issuer.running():  # at the same address, with new keys
                assert (await sign_in(provider, "mosaic")).subject == "ada"

    asyncio.run(main())
