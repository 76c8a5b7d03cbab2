"""Asking an issuer over HTTP: within bounds of time and size, where it may lead, and nowhere else.

What goes wrong becomes one of MOSAIC's errors here: the one place.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore

from mosaic_core.errors import IdentityMisconfigured, IdentityUnavailable
from mosaic_core.mail import one_line

#: Bytes of an answer, and characters of an address.
_MOST, _ADDRESS = 512 * 1024, 2_000
#: IPv6 with an IPv4 address in its last 32 bits that a translator leads to (RFC 6052, 2.1).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_Socket = httpcore.SOCKET_OPTION


@dataclass(frozen=True, slots=True)
class Answer:
    """What an issuer answered: the status, and JSON."""

    status: int
    content: Any

    @property
    def object(self) -> dict[str, Any]:
        """The content where it is an object; empty where it is not."""
        return self.content if isinstance(self.content, dict) else {}


class Web:
    """Asks, by https only; on the loopback of this machine also without.

    No redirect is followed, no cookie kept, no proxy used.

    Args:
        timeout: seconds for one answer.
        internal: whether addresses of this network and this machine may be asked.
    """

    def __init__(self, tls: ssl.SSLContext, timeout: float, *, internal: bool) -> None:
        self._timeout = timeout
        self._internal = internal
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=20,
            max_keepalive_connections=5,
            keepalive_expiry=15.0,
            network_backend=None if internal else _PublicOnly(),
        )

    async def close(self) -> None:
        """Ends the connections."""
        await self._pool.aclose()

    def require_usable(self, address: str, what: str) -> str:
        """An address itself, when a browser or this server may be sent there.

        Raises:
            IdentityMisconfigured: it is none, or not by https.
        """
        try:
            parts = urlsplit(address)
            host, _ = parts.hostname or "", parts.port
            host.encode("idna")  # as looking it up does: an empty label is none
        except ValueError:  # UnicodeError, too
            host, parts = "", urlsplit("")
        plain = parts.scheme == "http" and self._internal and _is_loopback(host)
        usable = (
            host
            and (parts.scheme == "https" or plain)
            and len(address) <= _ADDRESS
            and address.isascii()
            and address.isprintable()
            and not set(" \\#") & set(address)
            and "@" not in parts.netloc
        )
        if not usable:
            raise IdentityMisconfigured(
                f"{what} is {one_line(address, 100)!r}, which is no address by https.",
                hint="Write it as in https://login.example.com.",
            )
        return address

    async def get(self, address: str, what: str, headers: Mapping[str, str] = {}) -> Answer:
        """What is at an address."""
        return await self._ask("GET", address, what, dict(headers), None)

    async def post(
        self, address: str, what: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        """What is answered to a form."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self._ask("POST", address, what, {**kind, **headers}, urlencode(form).encode())

    async def _ask(
        self, method: str, address: str, what: str, headers: dict[str, str], content: bytes | None
    ) -> Answer:
        """Raises IdentityUnavailable when there is no answer, and IdentityMisconfigured when it is
        none that can be used."""
        self.require_usable(address, what)
        host = urlsplit(address).netloc
        sent = {"accept": "application/json", "user-agent": "MOSAIC"} | headers
        try:
            async with asyncio.timeout(self._timeout):
                async with self._pool.stream(
                    method, address, headers=list(sent.items()), content=content
                ) as response:
                    body = await _read(response, what, host)
                    status = response.status
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise IdentityUnavailable(
                f"{what} at {host} did not come within {self._timeout:g} s.",
                hint="Try again in a moment.",
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise IdentityUnavailable(
                f"{what} at {host} cannot be had: {_why(error)}.",
                hint="Check the address, and whether its server can be reached from here.",
            ) from error
        if 300 <= status < 400:
            raise IdentityMisconfigured(
                f"{what} at {host} is somewhere else ({status}).",
                hint="Name the address itself: redirects are not followed.",
            )
        if status >= 500:
            raise IdentityUnavailable(
                f"{what} at {host} cannot be had: the answer is {status}.",
                hint="Try again in a moment.",
            )
        try:
            return Answer(status, json.loads(body))
        except (ValueError, RecursionError) as error:
            raise IdentityMisconfigured(
                f"{what} at {host} is no JSON (the answer is {status}).",
                hint="Check the address: something else answers there.",
            ) from error


async def _read(response: httpcore.Response, what: str, host: str) -> bytes:
    size, parts = 0, []
    async for part in response.aiter_stream():
        size += len(part)
        if size > _MOST:
            raise IdentityMisconfigured(
                f"{what} at {host} is longer than {_MOST // 1024} KiB.",
                hint="Check the address: something else answers there.",
            )
        parts.append(part)
    return b"".join(parts)


class _PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to addresses of the public Internet only.

    The name is looked up here, and what was looked at is what is connected to: a name that means
    something else a moment later gets nobody in.
    """

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_Socket] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(map(is_public, addresses)):
            raise IdentityMisconfigured(
                f"{host} is no server on the public Internet.",
                hint="Use an issuer that everybody can reach.",
            )
        error: Exception | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        assert error is not None
        raise error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet, whatever it is written in."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if within is not None:
            return is_public(str(within))
        if found.teredo is not None:
            return False
    return found.is_global and not found.is_multicast


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__, 200).rstrip(".")
