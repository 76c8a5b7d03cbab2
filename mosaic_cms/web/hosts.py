"""The first station: from a request's host to a tenant and site. A dictionary, once it is known."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from mosaic_cms.web.responses import Scope
from mosaic_core.errors import InvalidHost, UnknownHost
from mosaic_core.head import Watched
from mosaic_core.platform import Platform
from mosaic_core.resolution import normalise_host
from mosaic_core.tenants import TenantContext

#: Host headers remembered; a flood of invented ones starts over.
_MOST = 50_000


@dataclass(frozen=True, slots=True)
class SiteHandle:
    """A tenant's site as hosts lead to it. ``site`` is its key, None for the tenant's first.

    ``origin`` is how the site calls itself: ``https://`` and its first custom domain, or its
    subdomain; the scheme is the request's, and the port where it
    is one of ours.
    """

    tenant: TenantContext
    site: str | None
    head: Watched
    origin: str


class Hosts:
    """Finds the site of a request and remembers it until the directory has news."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._directory = platform.directory
        self._known: dict[bytes, SiteHandle] = {}
        self._generation = -1
        self._proxies = platform.settings.platform.proxies
        serve = platform.settings.serve
        self._ports = {serve.port, *serve.public_ports}

    def known(self, host: bytes) -> SiteHandle | None:
        """The site of a Host header that was seen before."""
        if self._generation != self._directory.generation:
            self._known.clear()
            self._generation = self._directory.generation
        return self._known.get(host)

    def find(self, host: bytes, scheme: str) -> SiteHandle:
        """The site of a Host header, asked for by a scheme.

        Raises:
            InvalidHost: it is no host name.
            UnknownHost: no tenant has it.
        """
        # Without proxies, every request of a process has the same scheme.
        key = host + b" " + scheme.encode() if self._proxies else host
        found = self.known(key)
        if found is not None:
            return found
        name = normalise_host(host.decode("utf-8", "surrogateescape"))
        match = self._platform.resolve(name)
        tenant = self._directory.tenant(match.tenant_id) if match else None
        if match is None or tenant is None:
            raise UnknownHost(f"No site lives at {name}.", hint="Check the address.")
        origin = f"{scheme}://{self._directory.host_of(match)}{self._port(host, scheme)}"
        watched = self._platform.heads.watched(tenant.tenant_id)
        handle = SiteHandle(tenant, match.site, watched, origin)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = handle
        return handle

    def renamed(self, host: bytes, scheme: str) -> str | None:
        """The origin of the tenant that had this host as its subdomain until a while ago."""
        name = normalise_host(host.decode("utf-8", "surrogateescape"))
        there = self._directory.renamed(name)
        return None if there is None else f"{scheme}://{there}{self._port(host, scheme)}"

    def host_of(self, scope: Scope, headers: dict[bytes, bytes]) -> bytes:
        """The host that the visitor asked for; a proxy's word counts when it is configured.

        Raises:
            InvalidHost: there is no Host header, or more than one.
        """
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise InvalidHost("The request has two Host headers.", hint="Send one.")
        forwarded = headers.get(b"x-forwarded-host")
        if forwarded and self._proxies and self._from_proxy(scope):
            return forwarded.split(b",")[0].strip()
        return headers.get(b"host", b"")

    def scheme_of(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """http or https; a proxy's word counts when it is configured."""
        forwarded = headers.get(b"x-forwarded-proto")
        if forwarded and self._proxies and self._from_proxy(scope):
            return "https" if forwarded.split(b",")[0].strip().lower() == b"https" else "http"
        return "https" if scope.get("scheme") == "https" else "http"

    def client_of(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """The visitor's address, as far as it is known; a proxy's word counts when it is
        configured: the last address that is none of the proxies'."""
        peer = scope["client"][0] if scope.get("client") else ""
        forwarded = headers.get(b"x-forwarded-for")
        if forwarded and self._proxies and self._from_proxy(scope):
            for part in reversed(forwarded.decode("latin-1").split(",")):
                peer = part.strip()
                if not self._is_proxy(peer):
                    break
        return peer

    def _from_proxy(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and self._is_proxy(client[0])

    def _is_proxy(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def _port(self, host: bytes, scheme: str) -> str:
        """The port of a Host header, unless it is the scheme's own. One that leads nowhere counts
        as none: what a visitor invents is no part of an address, nor of a key in a cache."""
        _, _, port = host.rpartition(b":")
        own = 443 if scheme == "https" else 80
        given = int(port) if port.isdigit() and len(port) <= 5 else own
        return f":{given}" if given != own and given in self._ports else ""
