"""Reading over the API, against a Starlette route with the same queries; and what it costs to know
who asks and whether they may."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from bench import route, tiles
from bench.deployment import MOSAIC, READY_PATH, Deployment, scratch
from bench.figures import Figure, Target, compared
from bench.harness import Spread, measure, rounds
from bench.process import BenchError, Server
from bench.progress import tell
from mosaic_cms.identity.tables import Account
from mosaic_cms.product import Product, open_product
from mosaic_cms.rights import Permission, Role
from mosaic_cms.scope import Actor

NAMES = ("api_read", "api_published", "who_asks", "who_asks.revoked")
_AGAINST = "a Starlette route"
_RATES = {
    "MOSAIC_RATES__ACTOR": "1000000000",
    "MOSAIC_RATES__TENANT": "1000000000",
    "MOSAIC_TIERS__FREE__LIMITS__API_REQUESTS_PER_MONTH": "1000000000",
}
_TIMES = 2_000


def take() -> list[Figure]:
    with ExitStack() as running:
        folder = running.enter_context(scratch())
        deployment = tiles.tiles(folder)
        figures = asyncio.run(_who_asks(deployment))
        key = _made(deployment, "key", "create", "bench", "-t", tiles.SLUG)["key"]
        _made(deployment, "site", "set", "--site", tiles.SLUG, "--api-public")
        command = deployment.serve()
        command = replace(command, env={**command.env, **_RATES})
        mosaic = running.enter_context(Server(command, ready_path=READY_PATH))
        (file,) = (deployment.folder / "data" / "tenants").glob("*.db")
        plain = running.enter_context(Server(route.serve(file), ready_path=route.READY))
        path = quote(tiles.PATH, safe="")
        asked = tiles.HOST | {"x-api-key": key}
        subjects = {
            "api_read": (f"/api/v1/pages/{path}", route.DRAFT),
            "api_published": (f"/api/v1/content/pages/{path}", route.PUBLISHED),
        }
        for name, (ours, theirs) in subjects.items():
            take = partial(measure, contains=b'"path":', seconds=3)
            found = rounds(
                {
                    _AGAINST: partial(take, plain, f"{theirs}?path={tiles.PATH}"),
                    name: partial(take, mosaic, ours, headers=asked),
                }
            )
            figures += compared(
                name, found[name], found[_AGAINST], _AGAINST, target=Target("≥", 0.5)
            )
    return figures


def _made(deployment: Deployment, *words: str) -> dict[str, str]:
    argv = [MOSAIC, "-c", str(deployment.folder), *words, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


async def _who_asks(deployment: Deployment) -> list[Figure]:
    async with open_product(deployment.settings()) as product:
        return await _measured(product)


async def _measured(product: Product) -> list[Figure]:
    identity = product.identity
    tenant = product.platform.directory.named(tiles.SLUG)
    operator = Actor("operator", "bench")
    scope = product.scope(tenant, operator)
    account = await identity.account_admin.create("ada@example.com", "Ada", operator)
    await product.actions.perform(
        "members.add", scope, {"email": "ada@example.com", "role": Role.EDITOR}
    )
    tokens = await identity.bearer.issue(account.id, tenant.tenant_id, (), operator)
    started = await identity.store.write(
        lambda write: identity.sessions.start(write, account.id), actor="bench", action="bench"
    )
    needs = Permission("publish", "content")

    async def once() -> None:
        by_token = await identity.bearer.verify(tokens.access)
        by_session = await identity.sessions.find(started.cookie)
        assert by_token is not None
        assert by_session is not None
        actor = await identity.actor_for(by_token, tenant.tenant_id)
        assert actor.may(needs, "pages.publish").allowed

    spent: list[float] = []
    for turn in range(5):
        tell(f"round {turn + 1} of 5: {_TIMES} times a token, a session and a decision")
        await once()
        begun = time.process_time()
        for _ in range(_TIMES):
            await once()
        spent.append((time.process_time() - begun) / _TIMES * 1e6)
    note = "a token verified, a session found and a decision made, warm; CPU time"
    return [
        Figure("who_asks", Spread.of(spent), "µs", Target("≤", 100), note),
        await _revoked(product, account, operator),
    ]


async def _revoked(product: Product, account: Account, operator: Actor) -> Figure:
    """Seconds until another process refuses what this one ended."""
    tenant = product.platform.directory.named(tiles.SLUG)
    taken: list[float] = []
    async with open_product(product.platform.settings) as other:
        for _ in range(5):
            tokens = await product.identity.bearer.issue(account.id, tenant.tenant_id, (), operator)
            while await other.identity.bearer.verify(tokens.access) is None:
                await asyncio.sleep(0.01)
            await product.identity.bearer.revoke(account.id, None, operator)
            begun = time.monotonic()
            while await other.identity.bearer.verify(tokens.access) is not None:
                await asyncio.sleep(0.005)
            taken.append(time.monotonic() - begun)
    worst = Spread(max(taken), min(taken), max(taken))
    return Figure("who_asks.revoked", worst, "s, the longest", Target("<", 1), "in another process")
