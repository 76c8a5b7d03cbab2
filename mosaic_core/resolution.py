"""The contract for finding the tenant of a request, and what a host is."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import idna

from mosaic_core.errors import InvalidHost

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_PORT = re.compile(r":[0-9]{1,5}\Z")


@dataclass(frozen=True, slots=True)
class TenantMatch:
    """Whose request this is, and which of the tenant's sites (None: its first)."""

    tenant_id: str
    site: str | None = None


@runtime_checkable
class TenantResolver(Protocol):
    """Answers from memory: it is asked on the request path and does no I/O.

    One resolver knows one kind of evidence. Resolvers are asked in the order of configuration, and
    the first match counts.
    """

    def resolve(self, host: str) -> TenantMatch | None:
        """The match for a host in the form of :func:`normalise_host`, or None."""
        ...


class HostDirectory(Protocol):
    """What a resolver may ask the platform: lookups in memory."""

    def tenant_of_domain(self, host: str) -> TenantMatch | None:
        """The tenant and site that a custom domain was given to."""
        ...

    def tenant_of_slug(self, slug: str) -> TenantMatch | None:
        """The tenant with this slug."""
        ...

    @property
    def platform_domain(self) -> str:
        """The domain below which every tenant has ``<slug>.<domain>``, normalised."""
        ...


def normalise_host(raw: str) -> str:
    """A Host header's one form: no port, no trailing dot, lower case, IDNA's A-labels.

    ``BÜCHER.example.:8000`` becomes ``xn--bcher-kva.example``. IPv6 stays in brackets.

    Raises:
        InvalidHost: control characters, spaces, an empty or overlong label, two ports, …
    """
    if not raw or len(raw) > 300 or any(ord(c) <= 0x20 or ord(c) == 0x7F for c in raw):
        raise _invalid(raw)
    if raw.startswith("["):
        return _ipv6(raw)
    host = _PORT.sub("", raw)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise _invalid(raw) from None
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not all(_LABEL.match(label) for label in host.split(".")):
        raise _invalid(raw)
    return host


def _ipv6(raw: str) -> str:
    address, bracket, port = raw[1:].partition("]")
    try:
        # A zone such as %eth0 means something on the sender's machine only (RFC 6874, section 1).
        if not bracket or "%" in address or (port and not _PORT.match(port)):
            raise ValueError(raw)
        return f"[{ipaddress.IPv6Address(address).compressed}]"
    except ValueError:
        raise _invalid(raw) from None


def _invalid(raw: str) -> InvalidHost:
    shown = raw[:60].encode("unicode_escape").decode("ascii")
    return InvalidHost(
        f"The Host header {shown!r} is not a host name.",
        hint="Send a name such as 'www.example.com', with a port if there is one.",
    )
