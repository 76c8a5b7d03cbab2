"""What the records of a domain say: asked of a name server, which is the network's word for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mosaic_core.errors import Conflict
from mosaic_core.settings import nameserver

#: Seconds for all tries to get an answer, and texts that are looked at.
_LIFETIME, _MOST = 5.0, 100


class Records(Protocol):
    """Looks up texts (TXT, RFC 1035, 3.3.14)."""

    async def texts(self, name: str) -> list[str]:
        """The texts at a name, an empty list when there are none.

        Raises:
            Conflict: nobody can say now.
        """
        ...


class NameServers:
    """Implements :class:`Records`.

    Args:
        servers: whom to ask, as in ``[platform] nameservers``; none for whoever this machine asks.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = [found for text in servers if (found := nameserver(text)) is not None]

    async def texts(self, name: str) -> list[str]:
        import dns.asyncresolver
        import dns.exception
        import dns.resolver
        from dns.nameserver import Do53Nameserver

        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [Do53Nameserver(*server) for server in self._servers]
            resolver.lifetime = _LIFETIME
            answer = await resolver.resolve(f"{name}.", "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Conflict(
                f"The records of {name} cannot be read now ({type(error).__name__}).",
                hint="Check the name servers of the domain, and try again later.",
            ) from error
        return [b"".join(row.strings).decode("ascii", "replace") for row in answer][:_MOST]
