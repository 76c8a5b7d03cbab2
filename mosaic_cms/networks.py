"""Network addresses: what counts as one visitor, and who may come to a tenant."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from sqlalchemy import select

from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.platform_tables import NetworkList
from mosaic_cms.scope import Actor
from mosaic_core.errors import Denied, InvalidInput
from mosaic_core.head import Write

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def neighbourhood(address: str) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 that a household has of IPv6."""
    found = _address(address)
    if found is None:
        return address[:64]
    if isinstance(found, IPv4Address):
        return str(found)
    return str(IPv6Network((int(found) >> 64 << 64, 64)))


def network(text: str) -> Network:
    """A network in CIDR's notation (RFC 4632, RFC 4291), or a single address.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InvalidInput(
            f"{text[:80]!r} is no network.", hint="Write it as in 192.0.2.0/24 or 2001:db8::/32."
        ) from error


@dataclass(frozen=True, slots=True)
class Lists:
    """From which networks a tenant is reached: from those that are allowed, or from all where none
    is; from none that is blocked."""

    allow: tuple[Network, ...] = ()
    block: tuple[Network, ...] = ()

    def refuse(self, address: str) -> bool:
        """Whether who comes from an address, or from anywhere in a network, is not let in. Where
        only some are allowed, an address that is not known is not."""
        try:
            given = ipaddress.ip_network(str(_address(address) or address), strict=False)
        except ValueError:
            return bool(self.allow)
        within = any(_holds(one, given) for one in self.allow)
        return (bool(self.allow) and not within) or any(given.overlaps(x) for x in self.block)


class NetworkLists:
    """The lists of all tenants that have some, in memory, at most ``freshness`` old."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._lists: dict[str, Lists] = {}
        #: How often something changed, and up to which of these times they were read.
        self._changed, self._read = 1, 0
        self._turn = asyncio.Lock()
        store.keep(self)

    def clear(self) -> None:
        """Something has changed: they are read again."""
        self._changed += 1

    async def refresh(self) -> None:
        """Reads them, when anything may have changed. Nobody is let in by lists that could not be
        read: then this raises."""
        await self._store.refresh()
        if self._read == self._changed:
            return
        async with self._turn:
            while self._read != self._changed:
                reading = self._changed
                async with self._store.session() as session:
                    rows = list(await session.scalars(select(NetworkList)))
                self._lists = {row.tenant_id: _lists(row.allow, row.block) for row in rows}
                self._read = reading

    def of(self, tenant_id: str) -> Lists | None:
        """A tenant's lists as far as they are known; None when it has none."""
        return self._lists.get(tenant_id)

    async def require(self, tenant_id: str, address: str) -> None:
        """Raises Denied when a tenant is not reached from an address, whoever asks from there."""
        await self.refresh()
        lists = self.of(tenant_id)
        if lists is not None and lists.refuse(address):
            raise Denied(
                "This cannot be reached from the network that you are in.",
                hint="Ask an owner, whose list of networks it is.",
            )

    async def set(self, tenant_id: str, lists: Lists, *, actor: Actor | str, action: str) -> None:
        """Gives a tenant other lists; empty ones take them away."""

        async def fn(write: Write) -> None:
            row = await write.session.get(NetworkList, tenant_id)
            allow, block = list(map(str, lists.allow)), list(map(str, lists.block))
            if row is None:
                if allow or block:
                    write.session.add(NetworkList(tenant_id=tenant_id, allow=allow, block=block))
            elif allow or block:
                row.allow, row.block = allow, block
            else:
                await write.session.delete(row)

        await self._store.write(fn, actor=actor, action=action)
        await self.refresh()


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _holds(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)


def _lists(allow: Iterable[str], block: Iterable[str]) -> Lists:
    return Lists(tuple(map(ipaddress.ip_network, allow)), tuple(map(ipaddress.ip_network, block)))
