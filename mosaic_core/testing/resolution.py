"""The contract of tenant resolvers, as tests. Subclass :class:`ResolverContract`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from mosaic_core.provider import PlatformServices
from mosaic_core.resolution import TenantMatch, TenantResolver, normalise_host
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.services import PLATFORM_DOMAIN, MemoryHosts, make_services

#: The tenants that the contract knows: by slug, and by the domains that they brought along.
SLUGS = {"aurora": TenantMatch("id-aurora"), "nightshift": TenantMatch("id-nightshift")}
DOMAINS = {
    "www.aurora.example": TenantMatch("id-aurora"),
    "shop.aurora.example": TenantMatch("id-aurora", "shop"),
    "xn--bcher-kva.example": TenantMatch("id-nightshift"),
}

#: Hosts as a browser, a scanner or an attacker sends them; no resolver may stumble over one.
ODD_HOSTS = (
    "localhost",
    PLATFORM_DOMAIN,
    f"www.{PLATFORM_DOMAIN}",
    f"a.b.{PLATFORM_DOMAIN}",
    f"aurora.{PLATFORM_DOMAIN}.evil.example",
    f"aurora{PLATFORM_DOMAIN}",
    f"{PLATFORM_DOMAIN}.{PLATFORM_DOMAIN}",
    "127.0.0.1",
    "[::1]",
    "[2001:DB8::1]:8000",
    "xn--nxasmq6b.example",
    "_dmarc.example.com",
    "a",
    "1",
    ".".join(["a" * 63] * 3),
)


class ResolverContract(Contract[TenantResolver]):
    """What every resolver does. It is opened over :data:`SLUGS` and :data:`DOMAINS`."""

    #: Hosts, normalised, that the resolver must find, and what it must find.
    finds: ClassVar[Mapping[str, TenantMatch]]

    def make_services(self, data_dir: Path) -> PlatformServices:
        hosts = MemoryHosts(SLUGS, DOMAINS)
        return make_services(data_dir, provider=self.provider.name, hosts=hosts)

    @property
    def hosts(self) -> MemoryHosts:
        """The directory that the resolver asks; tests change it."""
        assert isinstance(self.services.hosts, MemoryHosts)
        return self.services.hosts

    @contract_test
    async def test_it_finds_whose_host_it_is(self, resolver: TenantResolver) -> None:
        assert isinstance(resolver, TenantResolver)
        assert self.finds, "set `finds`: a resolver that finds nothing is none"
        for host, match in self.finds.items():
            assert host == normalise_host(host)
            assert resolver.resolve(host) == match

    @contract_test
    async def test_it_finds_no_tenant_for_a_host_that_is_like_one(
        self, resolver: TenantResolver
    ) -> None:
        for host in self.finds:
            first, _, rest = host.partition(".")
            for like in (f"x{host}", f"{host}.evil.example", f"{first}x.{rest}", f"x.{host}"):
                if like not in self.finds:
                    assert resolver.resolve(like) is None, like

    @contract_test
    async def test_odd_hosts_are_unknown_and_no_error(self, resolver: TenantResolver) -> None:
        for raw in ODD_HOSTS:
            host = normalise_host(raw)
            if host not in self.finds:
                assert resolver.resolve(host) is None, host

    @contract_test
    async def test_every_match_is_a_tenant_of_the_directory(self, resolver: TenantResolver) -> None:
        known = {match.tenant_id for match in (*SLUGS.values(), *DOMAINS.values())}
        labels = ("aurora", "nightshift", "www", "shop", "xn--bcher-kva", "unknown")
        domains = (PLATFORM_DOMAIN, "aurora.example", "example", "mosaic.example.com")
        for host in (f"{label}.{domain}" for label in labels for domain in domains):
            match = resolver.resolve(host)
            assert match is None or match.tenant_id in known, host

    @contract_test
    async def test_it_learns_at_once_that_a_tenant_went_and_came_back(
        self, resolver: TenantResolver
    ) -> None:
        slugs, domains = dict(self.hosts.slugs), dict(self.hosts.domains)
        self.hosts.slugs.clear()
        self.hosts.domains.clear()
        for host in self.finds:
            assert resolver.resolve(host) is None, host
        self.hosts.slugs.update(slugs)
        self.hosts.domains.update(domains)
        for host, match in self.finds.items():
            assert resolver.resolve(host) == match

    @contract_test
    async def test_it_gives_a_host_to_nobody_else(self, resolver: TenantResolver) -> None:
        others = {slug: TenantMatch(f"other-{slug}") for slug in SLUGS}
        self.hosts.slugs.update(others)
        self.hosts.domains.update({host: TenantMatch("other-domain") for host in DOMAINS})
        for host in self.finds:
            match = resolver.resolve(host)
            assert match is not None
            assert match.tenant_id.startswith("other-"), "it remembers who had the host before"

    @contract_test
    async def test_it_answers_from_memory(self, resolver: TenantResolver) -> None:
        assert not inspect.iscoroutinefunction(resolver.resolve)
        hosts = [*self.finds, "unknown.example"]
        started = time.process_time()
        for _ in range(2_000 // len(hosts)):
            for host in hosts:
                resolver.resolve(host)
        # Generous for a dictionary (some 0.5 µs), impossible for a file, a socket or a database.
        assert time.process_time() - started < 2_000 * 50e-6

    @contract_test
    async def test_two_of_a_kind_do_not_disturb_each_other(self, resolver: TenantResolver) -> None:
        empty = make_services(self.services.data_dir, hosts=MemoryHosts())
        async with self.open(empty) as other:
            for host, match in self.finds.items():
                assert other.resolve(host) is None
                assert resolver.resolve(host) == match
