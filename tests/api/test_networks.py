"""A tenant says from which networks it is reached, on every face."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mosaic_cms.networks import Lists, network
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import DatabaseError, Denied, InvalidInput
from tests.api.conftest import Service, Services, problem
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments, ask, opened

HOST = [(b"host", b"aurora.mosaic.test")]


def lists(allow: str = "", block: str = "") -> Lists:
    return Lists(tuple(map(network, allow.split())), tuple(map(network, block.split())))


@pytest.mark.parametrize(
    ("given", "address", "refused"),
    [
        (lists(), "192.0.2.7", False),
        (lists("192.0.2.0/24"), "192.0.2.7", False),
        (lists("192.0.2.0/24"), "198.51.100.7", True),
        (lists("192.0.2.0/24"), "::ffff:192.0.2.7", False),
        (lists("192.0.2.0/24"), "2001:db8::1", True),
        (lists("192.0.2.0/24"), "", True),
        (lists("192.0.2.0/24", "192.0.2.7"), "192.0.2.7", True),
        (lists("192.0.2.0/24", "192.0.2.7"), "192.0.2.8", False),
        (lists(block="2001:db8::/32"), "2001:db8:1::1", True),
        (lists(block="2001:db8::/32"), "fe80::1%eth0", False),
        (lists(block="192.0.2.7"), "::ffff:192.0.2.7", True),
        (lists(block="192.0.2.7"), "", False),
        (lists(block="192.0.2.7"), "nonsense", False),
        # A household, as it is noted of whoever asks.
        (lists("2001:db8::/32"), "2001:db8:1:2::/64", False),
        (lists("2001:db8:1:2::1"), "2001:db8:1:2::/64", True),
    ],
)
def test_an_address_is_let_in_or_not(given: Lists, address: str, refused: bool) -> None:
    assert given.refuse(address) is refused


@pytest.mark.parametrize("text", ["", "300.0.0.1", "192.0.2.0/33", "example.com", "192.0.2", "%"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no network"):
        network(text)


def test_who_comes_from_elsewhere_gets_nothing_on_any_face(services: Services) -> None:
    async def scenario(service: Service) -> None:
        app = service.deployment.app
        key = {"x_api_key": await service.key("owner")}

        async def visit(peer: str, path: str = "/", method: str = "GET") -> Any:
            return await ask(app, path, HOST, method=method, peer=peer)

        assert (await visit("198.51.100.7")).status == 200
        public = (await visit("198.51.100.7")).headers["cache-control"]
        assert "s-maxage" in public
        given = {"allow": ["127.0.0.0/8", "192.0.2.0/24"], "block": ["192.0.2.66"]}
        answer = await service.ask("PUT", "/networks", json=given, **key)
        assert answer.json() == {"allow": given["allow"], "block": ["192.0.2.66/32"]}
        for peer in ("198.51.100.7", "192.0.2.66", "2001:db8::1"):
            for path in ("/", "/visit/", "/search/?q=a", "/sitemap.xml", "/no/", "/-/media/x"):
                refused = await visit(peer, path)
                assert refused.status == 403, path
                assert "the network that you are in" in refused.text
                assert "aurora" not in refused.text.lower()
            assert (await visit(peer, "/", "POST")).status == 403
        for _ in range(2):  # the second time from the page cache
            seen = await visit("192.0.2.7")
            assert seen.status == 200
            assert seen.headers["cache-control"] == "private, no-cache"
        assert (await ask(app, "/", [(b"host", b"bread.mosaic.test")])).status == 200
        # The API: its client comes from 127.0.0.1.
        assert (await service.get("/pages", **key)).status_code == 200
        await service.deployment.do("networks.set", block=["127.0.0.1"])
        told = problem(await service.get("/pages", **key), 403)
        assert "network" in told["detail"]
        problem(await service.get("/content/pages"), 403)
        log = await service.deployment.do("audit.list", limit=200)
        assert [line.address for line in log if line.action == "networks.refuse"]
        await service.deployment.do("networks.set")
        assert (await service.get("/pages", **key)).status_code == 200
        assert (await visit("198.51.100.7")).headers["cache-control"] == public

    services(scenario)


def test_nobody_keeps_themselves_out_unawares(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        given = {"allow": ["192.0.2.0/24"]}
        told = problem(await service.ask("PUT", "/networks", json=given, **key), 409)
        assert "127.0.0.1" in told["detail"]
        assert "force" in told["hint"]
        assert (await service.get("/networks", **key)).json() == {"allow": [], "block": []}
        forced = await service.ask("PUT", "/networks", json=given | {"force": True}, **key)
        assert forced.status_code == 200
        problem(await service.get("/networks", **key), 403)
        problem(await service.ask("PUT", "/networks", json={"allow": ["x"]}, **key), 403)

    services(scenario)


def test_who_comes_from_elsewhere_is_refused_by_the_registry_itself(services: Services) -> None:
    async def scenario(service: Service) -> None:
        product = service.deployment.product
        await service.deployment.do("networks.set", allow=["2001:db8:1:2::7"])

        async def listed(**where: str) -> Any:
            actor = Actor("account", "somebody", Role.OWNER, **where)
            scope = service.deployment.scope(actor=actor)
            return await product.actions.perform("pages.list", scope, {})

        assert await listed(address="2001:db8:1:2::/64", client="2001:db8:1:2::7")
        for where in ({"address": "2001:db8:1:2::/64"}, {"client": "2001:db8:1:2::8"}, {}):
            with pytest.raises(Denied, match="the network that you are in"):
                await listed(**where)

    services(scenario)


def test_who_is_kept_out_has_to_wait_and_takes_nothing_from_the_tenant(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await service.deployment.do("networks.set", block=["127.0.0.1"])
        for _ in range(3):
            problem(await service.get("/content/pages"), 403)
        waits = problem(await service.get("/content/pages"), 429)
        assert "You send more than 3 requests" in waits["detail"]
        await service.deployment.do("networks.set")
        problem(await service.get("/pages"), 401)

    services(scenario, rates={"tenant": 3, "actor": 3})


def test_a_tier_may_have_no_lists(services: Services) -> None:
    tiers = {
        "open": {
            "persistence": "tenancy_sqlite",
            "storage": "storage_local",
            "limits": {"network_lists": False},
        }
    }

    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        given = {"block": ["192.0.2.0/24"]}
        told = problem(await service.ask("PUT", "/networks", json=given, **key), 409)
        assert "no lists of networks" in told["detail"]
        assert (await service.ask("PUT", "/networks", json={}, **key)).status_code == 200

    services(scenario, tiers=tiers)


def test_other_instances_know_within_a_second(services: Services) -> None:
    async def scenario(service: Service) -> None:
        async with opened(service.deployment.product.platform.settings.root) as other:
            assert (await other.ask("/")).status == 200
            await service.deployment.do("networks.set", block=["192.0.2.1"])
            began = time.monotonic()
            while (await other.ask("/")).status == 200:
                assert time.monotonic() - began < 1
                await asyncio.sleep(0.02)

    services(scenario)


def test_lists_that_cannot_be_read_let_nobody_in(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(service: Service) -> None:
        await service.deployment.do("networks.set", block=["192.0.2.1"])
        networks, store = (
            service.deployment.product.networks,
            (service.deployment.product.identity.store),
        )

        def broken() -> Any:
            raise DatabaseError("The disk is gone.")

        networks.clear()
        with monkeypatch.context() as patched:
            patched.setattr(store, "session", broken)
            for peer in ("192.0.2.1", "192.0.2.2"):
                assert (await service.deployment.ask("/", peer=peer)).status == 503
        assert (await service.deployment.ask("/", peer="192.0.2.1")).status == 403
        assert (await service.deployment.ask("/", peer="192.0.2.2")).status == 200

    services(scenario)


def test_the_operator_lets_an_owner_in_again(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    told = invoke("tenant", "networks", "aurora", "--allow", "192.0.2.0/24")
    assert "allowed: 192.0.2.0/24" in told
    assert "blocked: none" in invoke("tenant", "networks", "aurora")
    assert "allowed: all" in invoke("tenant", "networks", "aurora", "--everybody")
