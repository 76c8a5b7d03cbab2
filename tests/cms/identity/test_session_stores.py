"""Sessions are the same whatever keeps them: the database, a cache that is shared, or one's own."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from mosaic_cache_redis.plugin import mosaic_cache as redis

from mosaic_cms.api.app import Api
from mosaic_cms.api.cookies import SESSION
from mosaic_cms.identity.sessions import Started
from mosaic_cms.identity.tables import Account, Credentials
from mosaic_cms.product import open_product
from mosaic_cms.scope import Actor
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.cache import Cache
from mosaic_core.errors import CacheUnavailable, ConfigurationError, NotFound, Unauthenticated
from mosaic_core.head import Write
from mosaic_core.plugins import Plugins
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from mosaic_core.types import new_id
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments, settings_for
from tests.cms.identity.people import ADA, ELSEWHERE, HOME, PASSWORD, People, cheaply
from tests.cms.plugs import plugins_with
from tests.redis_server import RedisServer

START = "2031-01-15T08:00Z"
BOB = "bob@example.com"
NEW = "another horse battery staple"


@dataclass
class Kept:
    """A deployment whose sessions something keeps, and ways to open it once more."""

    store: str
    deployments: Deployments
    plugins: Plugins
    tables: dict[str, dict[str, Any]]
    server: RedisServer | None
    mailer: MemoryMailer

    @property
    def shared(self) -> bool:
        """Whether another process finds what this one keeps."""
        return self.store != "memory"

    def __call__(self, scenario: Callable[[People], Awaitable[Any]]) -> None:
        async def main() -> None:
            self.deployments.copy()
            async with self.once_more() as people:
                await scenario(people)

        asyncio.run(main())

    @asynccontextmanager
    async def once_more(self, **tables: dict[str, Any]) -> AsyncIterator[People]:
        """Another process of the deployment."""
        settings = settings_for(self.deployments.root, **(self.tables | tables))
        async with open_product(settings, plugins=self.plugins) as product:
            deployment = Deployment(cheaply(product), SiteApp(product))
            async with deployment.client:
                yield People(deployment, self.mailer)


def kept_by(
    store: str, deployments: Deployments, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> Kept:
    mailer, server = MemoryMailer(), None
    hooks: dict[str, dict[str, Any]] = {
        "post_office": {"mosaic_mail": lambda: memory_mailer(mailer)}
    }
    tables: dict[str, dict[str, Any]] = {
        "identity": {"sessions": "database" if store == "database" else "cache"}
    }
    if store == "redis":
        server = stack.enter_context(RedisServer())
        hooks["cache_redis"] = {"mosaic_cache": redis}
        tables["plugins"] = {"cache_redis": {"url": server.url, "timeout": 10}}
    plugins = plugins_with(monkeypatch, **hooks)
    return Kept(store, deployments, plugins, tables, server, mailer)


@pytest.fixture(params=["database", "memory", "redis"])
def kept(
    request: pytest.FixtureRequest, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    with ExitStack() as stack:
        yield kept_by(request.param, deployments, monkeypatch, stack)


@pytest.fixture
def in_redis(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with ExitStack() as stack:
        yield kept_by("redis", deployments, monkeypatch, stack)


# What every store does


def test_a_session_is_found_by_its_cookie_and_by_nothing_else(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        identifier, secret, signature = cookie.split(".")
        found = await people.product.identity.sessions.find(cookie)
        assert found is not None
        assert (str(found.id), found.session_id) == (ada.name, ada.session)
        secrets = people.product.identity.secrets
        other = f"{identifier}.{'A' * 32}"
        for made_up in (
            f"{identifier}.{secret}.{'A' * 22}",
            f"{new_id().hex}.{secret}.{signature}",
            # Signed as by us, and yet of no session, or not with its secret.
            f"{other}.{secrets.signature('session', other)}",
            f"{new_id().hex}.{secret}.{signature}"[:86],
        ):
            assert not await people.finds(made_up)
        fresh = f"{new_id().hex}.{secret}"
        assert not await people.finds(f"{fresh}.{secrets.signature('session', fresh)}")

    kept(scenario)


def test_signing_in_begins_another_session_and_ends_the_one_that_the_browser_had(
    kept: Kept,
) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        await people.signed_up(BOB)
        bob, planted = await people.browser(BOB)
        asker = dataclasses.replace(bob, kind="visitor", name="")
        signed = await people.ask("sessions.create", asker, email=ADA, password=PASSWORD)
        assert signed.session_id != bob.session
        assert not await people.finds(planted)
        assert await people.finds(signed.cookie.get_secret_value())
        assert len(await people.ask("sessions.list", people.actor(signed))) == 1

    kept(scenario)


def test_a_session_lasts_from_its_last_use_and_longer_when_it_is_remembered(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            ada, short = await people.browser()
            _, long = await people.browser(remember=True)
            for _ in range(3):
                clock.shift(timedelta(hours=7, minutes=50))
                assert await people.finds(short)
            (seen, _) = await people.ask("sessions.list", ada)
            assert seen.expires_at - seen.seen_at == timedelta(hours=8)
            clock.shift(timedelta(hours=8))
            assert not await people.finds(short)
            clock.shift(timedelta(days=28))
            assert await people.finds(long)
            clock.shift(timedelta(days=29))
            assert await people.finds(long)
            clock.shift(timedelta(days=30))
            assert not await people.finds(long)
            assert await people.product.identity.sessions.of(uuid.UUID(ada.name)) == []

    kept(scenario)


def test_sessions_are_listed_and_ended_one_by_one_and_all_at_once(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        await people.signed_up(BOB)
        ada, here = await people.browser()
        other, there = await people.browser(address=ELSEWHERE)
        bob, bobs = await people.browser(BOB)
        listed = await people.ask("sessions.list", ada)
        assert [(view.address, view.current) for view in listed] == [
            (ELSEWHERE, False),
            (HOME, True),
        ]
        for nobodys in (new_id(), bob.session):
            with pytest.raises(NotFound):
                await people.ask("sessions.end", ada, id=nobodys)
        await people.ask("sessions.end", ada, id=other.session)
        with pytest.raises(NotFound):
            await people.ask("sessions.end", ada, id=other.session)
        assert [await people.finds(cookie) for cookie in (here, there, bobs)] == [True, False, True]
        more = [(await people.browser())[1] for _ in range(2)]
        assert (await people.ask("sessions.end_others", ada)).count == 2
        assert [await people.finds(cookie) for cookie in (here, *more, bobs)] == [
            True,
            False,
            False,
            True,
        ]
        assert [view.id for view in await people.ask("sessions.list", ada)] == [ada.session]
        assert (await people.rule("accounts.end_sessions", email=ADA)).count == 1
        assert not await people.finds(here)
        _, again = await people.browser()
        assert await people.finds(again), "who signs in afterwards is signed in"

    kept(scenario)


def test_many_who_sign_in_at_one_time_are_all_there(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        identity, account = people.product.identity, uuid.UUID(ada.name)

        async def begin() -> Started:
            return await identity.store.write(
                lambda write: identity.sessions.start(write, account), actor="test", action="test"
            )

        begun = await asyncio.gather(*(begin() for _ in range(12)))
        assert all([await people.finds(one.cookie) for one in begun])
        ids = {view.id for view in await people.ask("sessions.list", ada)}
        assert ids == {ada.session, *(one.id for one in begun)}

    kept(scenario)


async def change(people: People, ada: Actor) -> None:
    await people.ask("accounts.change_password", ada, old=PASSWORD, new=NEW)


async def reset(people: People, ada: Actor) -> None:
    await people.ask("accounts.request_reset", email=ADA)
    await people.ask("accounts.reset", token=await people.token(), password=NEW)


async def lock(people: People, ada: Actor) -> None:
    await people.rule("accounts.deactivate", email=ADA)


@pytest.mark.parametrize(("ending", "stays"), [(change, True), (reset, False), (lock, False)])
def test_another_password_and_a_closed_account_end_sessions(
    kept: Kept, ending: Callable[[People, Actor], Awaitable[None]], stays: bool
) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, here = await people.browser()
        _, there = await people.browser(remember=True)
        await people.mails()
        await ending(people, ada)
        assert [await people.finds(cookie) for cookie in (here, there)] == [stays, False]
        await people.rule("accounts.activate", email=ADA)
        assert [await people.finds(cookie) for cookie in (here, there)] == [stays, False]

    kept(scenario)


def test_an_end_elsewhere_counts_within_a_second(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        async with kept.once_more() as elsewhere:
            assert await elsewhere.finds(cookie) == kept.shared
            if kept.shared:
                await elsewhere.ask("sessions.end", ada, id=ada.session)
            else:  # a command that an operator runs beside the one process
                await elsewhere.rule("accounts.end_sessions", email=ADA)
            ended = time.monotonic()
            while await people.finds(cookie):
                assert time.monotonic() - ended < 1
                await asyncio.sleep(0.02)
            assert not await elsewhere.finds(cookie)

    kept(scenario)


def test_a_tenant_that_is_chosen_is_known_everywhere(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        await people.deployment.do("members.add", "aurora", email=ADA, role="viewer")
        tenant = people.deployment.scope().tenant.tenant_id
        assert (await _found(people, cookie)).tenant_id is None
        await people.ask("sessions.choose", ada, tenant="aurora")
        assert (await _found(people, cookie)).tenant_id == tenant
        if kept.shared:
            async with kept.once_more() as elsewhere:
                assert (await _found(elsewhere, cookie)).tenant_id == tenant
        await people.deployment.do("members.remove", account=uuid.UUID(ada.name))
        assert (await _found(people, cookie)).tenant_id is None

    kept(scenario)


def test_a_use_elsewhere_has_a_session_last(kept: Kept) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            _, cookie = await people.browser()
            async with kept.once_more() as elsewhere:
                if not kept.shared:
                    assert not await elsewhere.finds(cookie)
                    return
                clock.shift(timedelta(hours=7))
                assert await elsewhere.finds(cookie)
                await elsewhere.product.identity.session_store.flush()
                clock.shift(timedelta(hours=7))
                assert await people.finds(cookie)

    kept(scenario)


def test_a_sign_in_that_is_not_written_begins_no_session(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        identity = people.product.identity

        async def fails(write: Write) -> None:
            await identity.sessions.start(write, uuid.UUID(ada.name), instead_of=ada.session)
            raise Unauthenticated("It went wrong.")

        with pytest.raises(Unauthenticated, match="went wrong"):
            await identity.store.write(fails, actor="test", action="test")
        assert await people.finds(cookie)
        assert [view.id for view in await people.ask("sessions.list", ada)] == [ada.session]

    kept(scenario)


# A cache


def test_a_cache_that_is_away_says_so_and_signs_nobody_in_or_out(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        assert in_redis.server is not None
        await people.signed_up()
        ada, here = await people.browser()
        other, there = await people.browser()
        async with in_redis.once_more() as elsewhere:
            assert await people.finds(here)
            assert await people.finds(there)
            in_redis.server.stop()
            assert await people.finds(here), "what is known stays so"
            for asked in (
                elsewhere.finds(here),
                people.browser(),
                people.ask("sessions.list", ada),
            ):
                with pytest.raises(CacheUnavailable) as caught:
                    await asked
                assert caught.value.status == 503
            # And yet whoever is to be signed out is.
            await people.ask("sessions.end", ada, id=other.session)
            assert not await _finds(people, there)
            assert (await people.rule("accounts.end_sessions", email=ADA)).count is None
            assert not await _finds(people, here)
            in_redis.server.start()
            until = time.monotonic() + 20
            while True:
                try:
                    _, again = await people.browser()
                    break
                except CacheUnavailable:
                    assert time.monotonic() < until
                    await asyncio.sleep(0.1)
            assert await people.finds(again)
            assert [await people.finds(cookie) for cookie in (here, there)] == [False, False]

    in_redis(scenario)


def test_a_program_is_told_that_sessions_cannot_be_looked_up(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        assert in_redis.server is not None
        await people.signed_up()
        _, cookie = await people.browser()
        async with in_redis.once_more() as elsewhere:
            in_redis.server.stop()
            shown = {"cookie": f"{SESSION}={cookie}"}
            api = httpx.ASGITransport(app=Api(elsewhere.product))
            async with httpx.AsyncClient(transport=api, base_url="https://mosaic.test") as client:
                told = await client.get("/api/v1/sessions", headers=shown)
            assert told.status_code == 503
            assert told.headers["content-type"] == "application/problem+json"
            assert told.json()["type"].endswith("cache-unavailable")
            assert "set-cookie" not in told.headers, "the session may be well"
            page = await elsewhere.deployment.get("/", **shown)
            assert page.status_code == 200, "a page asks nobody who they are"

    in_redis(scenario)


def test_what_a_cache_brings_back_signs_nobody_in(in_redis: Kept) -> None:
    """Such as a replica that takes over, or a copy that is read in again."""

    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, here = await people.browser()
        other, there = await people.browser(remember=True)
        cache = people.product.platform.shared
        before = await content(cache, ada)
        await people.ask("sessions.end", ada, id=other.session)
        await restore(cache, before)
        async with in_redis.once_more() as fresh:
            assert [await fresh.finds(cookie) for cookie in (here, there)] == [True, False]
        await people.ask("accounts.request_reset", email=ADA)
        await people.ask("accounts.reset", token=await people.token(), password=NEW)
        await restore(cache, before)
        async with in_redis.once_more() as fresh:
            assert [await fresh.finds(cookie) for cookie in (here, there)] == [False, False]
            assert await fresh.product.identity.sessions.of(uuid.UUID(ada.name)) == []

    in_redis(scenario)


def test_what_a_cache_loses_signs_out_at_the_next_use(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            await people.signed_up()
            ada, cookie = await people.browser()
            assert await people.finds(cookie)
            cache = people.product.platform.shared
            await cache.delete(*await content(cache, ada))
            clock.shift(timedelta(minutes=6))
            assert not await people.finds(cookie)
            _, again = await people.browser()
            assert await people.finds(again)

    in_redis(scenario)


def test_who_can_write_to_the_cache_signs_nobody_in(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        await people.signed_up(BOB)
        ada, _ = await people.browser()
        bob, cookie = await people.browser(BOB)
        cache = people.product.platform.shared
        adas, bobs = await content(cache, ada), await content(cache, bob)
        assert not any(b"192.0.2" in value for value in adas.values()), "it tells nothing"
        (ada_key,) = [key for key in adas if key.startswith("sessions:")]
        (bob_key,) = [key for key in bobs if key.startswith("sessions:")]
        whose = f"session-of:{bob.session.hex}"  # type: ignore[union-attr]
        for changed in (
            {whose: uuid.UUID(ada.name).bytes},
            {whose: uuid.UUID(ada.name).bytes, ada_key: bobs[bob_key]},
            {whose: b"x"},
            {whose: uuid.UUID(bob.name).bytes, bob_key: adas[ada_key]},
            {bob_key: b"[]"},
            {bob_key: b"\xff\x00"},
        ):
            await restore(cache, changed)
            async with in_redis.once_more() as fresh:
                assert not await fresh.finds(cookie)
            await restore(cache, adas | bobs)
        async with in_redis.once_more() as fresh:
            assert await fresh.finds(cookie)

    in_redis(scenario)


def test_sessions_that_ended_stay_so_when_something_else_keeps_them(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        await people.signed_up(BOB)
        _, cached = await people.browser()
        _, bobs = await people.browser(BOB)
        database = {"identity": {"sessions": "database"}}
        async with in_redis.once_more(**database) as by_rows:
            assert not await by_rows.finds(cached)
            _, row = await by_rows.browser()
            await by_rows.rule("accounts.end_sessions", email=ADA)
            _, later = await by_rows.browser()
        async with in_redis.once_more() as by_cache:
            assert not await by_cache.finds(cached)
            assert await by_cache.finds(bobs)
            assert not await by_cache.finds(later)
            await by_cache.rule("accounts.end_sessions", email=ADA)
        async with in_redis.once_more(**database) as by_rows:
            assert [await by_rows.finds(cookie) for cookie in (row, later)] == [False, False]

    in_redis(scenario)


def test_who_has_no_account_any_more_is_nobody_whatever_a_cache_has(in_redis: Kept) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        account = uuid.UUID(ada.name)

        async def remove(write: Write) -> None:
            for table in (Credentials, Account):
                await write.session.delete(await write.session.get_one(table, account))
                await write.session.flush()

        await people.product.identity.store.write(remove, actor="test", action="test")
        assert not await people.finds(cookie)
        assert await people.product.identity.sessions.of(account), "though it is there"

    in_redis(scenario)


def test_commands_refuse_several_workers_that_share_no_cache(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = command_line(deployments, monkeypatch)
    path.write_text(path.read_text() + '[identity]\nsessions = "cache"\n')
    assert "are well" in invoke("doctor")
    told = invoke("serve", "--workers", "2", "--port", "0", code=1)
    assert "2 workers share none" in " ".join(told.split())
    assert "cache_redis" in told
    path.write_text(path.read_text() + "[serve]\nworkers = 3\n")
    told = invoke("doctor", code=1)
    assert "3 workers share none" in " ".join(told.split())


def test_several_workers_need_a_cache_that_they_share(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        own = kept_by("memory", deployments, monkeypatch, stack)
        own.tables["serve"] = {"workers": 2}

        async def never(people: People) -> None:
            raise AssertionError

        with pytest.raises(ConfigurationError, match="2 workers share none") as caught:
            own(never)
        assert "cache_redis" in caught.value.hint
        shared = kept_by("redis", deployments, monkeypatch, stack)
        shared.tables["serve"] = {"workers": 2}

        async def opens(people: People) -> None:
            assert isinstance(people.deployment, Deployment)

        shared(opens)


async def content(cache: Cache, actor: Actor) -> dict[str, bytes]:
    """What the cache has of somebody's sessions."""
    keys = (f"sessions:{uuid.UUID(actor.name).hex}", f"session-of:{actor.session.hex}")  # type: ignore[union-attr]
    found = {key: await cache.get(key) for key in keys}
    assert None not in found.values()
    return {key: value for key, value in found.items() if value is not None}


async def restore(cache: Cache, before: dict[str, bytes]) -> None:
    for key, value in before.items():
        await cache.set(key, value, seconds=3600)


async def _found(people: People, cookie: str) -> Any:
    found = await people.product.identity.sessions.find(cookie)
    assert found is not None
    return found


async def _finds(people: People, cookie: str) -> bool:
    """False also when nobody can say who it is."""
    try:
        return await people.finds(cookie)
    except CacheUnavailable:
        return False
