"""Everything that ships and signs in by others' word keeps the contract, and so does the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mosaic_identity_oidc.plugin import mosaic_identity as oidc

from mosaic_core.identity import Begun, IdentityProvider, OwnIssuer, Vouched
from mosaic_core.provider import PlatformServices
from mosaic_core.testing.fakes import MemoryIdentity, memory_identity
from mosaic_core.testing.identity import CALLBACK, IdentityContract
from tests.issuers import GitHubStandIn
from tests.oidc_provider import (
    CLIENT,
    OTHER_CLIENT,
    OpenIDProvider,
    client,
    secret_of,
    signs_in,
)


class TestOpenIDConnect(IdentityContract):
    provider = oidc()
    way = "company"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _issuer(cls) -> Iterator[None]:
        clients = [client(name, [CALLBACK]) for name in (CLIENT, OTHER_CLIENT)]
        with OpenIDProvider(clients).running() as issuer:
            cls.person = Vouched(issuer.issuer, "ada", "ada@example.com", True, "Ada")
            cls.own = OwnIssuer(issuer.issuer, OTHER_CLIENT, secret_of(OTHER_CLIENT))
            given = {"client_id": CLIENT, "client_secret": secret_of(CLIENT)}
            company: dict[str, Any] = {"issuer": issuer.issuer, **given}
            cls.settings = {"ways": {"company": company}, "internal_issuers": True}
            yield

    async def comes_back(
        self, provider: IdentityProvider, begun: Begun, *, declines: bool = False
    ) -> Mapping[str, str]:
        return await signs_in(begun.address, declines=declines)


class TestGitHub(IdentityContract):
    provider = oidc()
    way = "github"

    @asynccontextmanager
    async def open(self, services: PlatformServices) -> AsyncIterator[IdentityProvider]:
        with GitHubStandIn() as self.github:
            given: dict[str, Any] = {
                "preset": "github",
                "server": self.github.address,
                "client_id": self.github.client_id,
                "client_secret": self.github.client_secret,
            }
            settings = self.provider.settings.model_validate(
                {"ways": {"github": given}, "own_issuers": False}
            )
            address = self.github.address
            self.person = Vouched(address, "583231", "ada@example.com", True, "Ada Lovelace")
            async with self.provider.open(settings, services) as opened:
                yield opened

    async def comes_back(
        self, provider: IdentityProvider, begun: Begun, *, declines: bool = False
    ) -> Mapping[str, str]:
        return self.github.comes_back(begun.address, declines=declines)


class TestMemory(IdentityContract):
    provider = memory_identity()
    way = "memory"
    person = MemoryIdentity().who
    own = OwnIssuer("https://issuer.example", "client", "secret")

    async def comes_back(
        self, provider: IdentityProvider, begun: Begun, *, declines: bool = False
    ) -> Mapping[str, str]:
        assert isinstance(provider, MemoryIdentity)
        return provider.answer(begun, declines=declines)
