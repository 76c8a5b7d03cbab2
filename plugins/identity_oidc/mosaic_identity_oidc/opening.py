"""The provider, opened: the deployment's ways, and issuers of tenants."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mosaic_core.errors import ConfigurationError, NotFound
from mosaic_core.identity import Begun, OwnIssuer, SignInWay, Vouched, Way
from mosaic_core.provider import PlatformServices
from mosaic_core.settings_problems import nearest
from mosaic_identity_oidc.connect import OpenIDConnect
from mosaic_identity_oidc.github import GitHub
from mosaic_identity_oidc.issuers import Issuers
from mosaic_identity_oidc.parties import Party, title_of
from mosaic_identity_oidc.plugin import OIDCSettings
from mosaic_identity_oidc.web import Web


class OIDC:
    """Implements :class:`mosaic_core.identity.IdentityProvider`.

    Args:
        web: asks the deployment's own issuers; own: asks those of tenants.
    """

    def __init__(self, settings: OIDCSettings, web: Web, own: Web) -> None:
        self._issuers = Issuers(web, own, keep=settings.keep, refetch=settings.refetch)
        self.takes_own = settings.own_issuers
        self._ways: dict[str, OpenIDConnect | GitHub] = {}
        offered = []
        for name, given in settings.ways.items():
            if given.preset == "github":
                github = self._ways[name] = GitHub(name, given, web)
                issuer = github.server
            else:
                party = Party.of(given)
                self._ways[name] = OpenIDConnect(name, party, self._issuers)
                issuer = party.issuer
            offered.append(SignInWay(name, title_of(name, given), issuer, given.second_factor))
        self.ways: Sequence[SignInWay] = tuple(offered)

    async def begin(self, way: Way, callback: str) -> Begun:
        return await self._way(way).begin(callback)

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        return await self._way(way).complete(begun, answer)

    async def examine(self, way: Way) -> None:
        await self._way(way).examine()

    def _way(self, way: Way) -> OpenIDConnect | GitHub:
        if isinstance(way, OwnIssuer):
            if not self.takes_own:
                raise NotFound("Issuers of tenants are not taken here.")
            # The same issuer with another client is another way: nobody mixes up their answers.
            told = hashlib.sha256(f"{way.client_id}\0{way.issuer}".encode()).hexdigest()
            return OpenIDConnect(f"own {told}", Party.of_tenant(way), self._issuers)
        found = self._ways.get(way)
        if found is None:
            raise NotFound(
                f"There is no way to sign in called {way[:40]!r}{nearest(way, self._ways)}"
            )
        return found


@asynccontextmanager
async def opened(settings: OIDCSettings, services: PlatformServices) -> AsyncIterator[OIDC]:
    """Opens the provider; nothing is asked before the first sign-in.

    Raises:
        ConfigurationError: the file of certificates cannot be used.
    """
    file = None if settings.ca_file is None else services.data_dir / settings.ca_file
    tls = await asyncio.to_thread(_context, file)
    web = Web(tls, settings.timeout, internal=True)
    own = Web(tls, settings.timeout, internal=settings.internal_issuers)
    try:
        yield OIDC(settings, web, own)
    finally:
        await web.close()
        await own.close()


def _context(file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigurationError(
            f"The certificates in {file} cannot be used: {error}.",
            hint="Mend ca_file in [plugins.identity_oidc]: a file of certificates in PEM.",
        ) from error
