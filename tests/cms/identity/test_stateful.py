"""Sessions against a plain model of them, as two processes see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from mosaic_cms.identity.account_rows import add_account
from mosaic_cms.identity.tables import Credentials
from mosaic_cms.product import open_product
from mosaic_cms.scope import Actor
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.errors import Denied, NotFound, Unauthenticated
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments, settings_for
from tests.cms.identity.people import People, cheaply
from tests.cms.plugs import SHIPPED
from tests.redis_server import RedisServer

START = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)
PASSWORDS = ("first secret of many", "second secret of many")
#: That a session is in use is written this often.
NOTED = timedelta(minutes=5)


class World:
    """Two processes over one deployment, which stay open from example to example."""

    def __init__(
        self, deployments: Deployments, runner: asyncio.Runner, tables: dict[str, Any]
    ) -> None:
        self.run = runner.run
        # Each look is at the database, so what one process wrote is seen by the other at once.
        platform = {"freshness": 0} | tables.pop("platform", {})
        self._settings = settings_for(deployments.copy(), platform=platform, **tables)
        self.numbers = count()
        self._stacks = [AsyncExitStack(), AsyncExitStack()]
        self.people: list[People] = []
        for stack in self._stacks:
            self.people.append(self.run(self._open(stack)))

    async def _open(self, stack: AsyncExitStack) -> People:
        product = cheaply(await stack.enter_async_context(open_product(self._settings)))
        return People(Deployment(product, SiteApp(product)))

    def restart(self, which: int) -> None:
        self.run(self._stacks[which].aclose())
        self._stacks[which] = AsyncExitStack()
        self.people[which] = self.run(self._open(self._stacks[which]))

    def close(self) -> None:
        for stack in self._stacks:
            self.run(stack.aclose())

    async def member(self, email: str) -> None:
        """Makes an account whose address is verified."""
        identity = self.people[0].product.identity
        password = await identity.passwords.hash(PASSWORDS[0])

        async def fn(write: Write) -> None:
            account = add_account(write, email, "Ada")
            account.verified_at = write.at
            await write.session.flush()
            credentials = await write.session.get_one(Credentials, account.id)
            credentials.password = password

        await identity.store.write(fn, actor="test", action="test")


@dataclass(eq=False)
class Browser:
    """A session as the model knows it. It has ended when ``used`` is None."""

    actor: Actor
    cookie: str
    lasts: timedelta
    used: datetime | None


class SessionMachine(RuleBasedStateMachine):
    browsers: Bundle[Browser] = Bundle("browsers")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.email = f"ada{next(world.numbers)}@example.com"
        self.password = 0
        self.active = True
        self.all: list[Browser] = []
        self.clock = time_machine.travel(START, tick=False)
        self.time = self.clock.start()
        world.run(world.member(self.email))

    def teardown(self) -> None:
        self.clock.stop()

    @rule(
        target=browsers,
        process=st.integers(0, 1),
        remember=st.booleans(),
        password=st.integers(0, 1),
        instead=st.none() | browsers,
    )
    def sign_in(
        self, process: int, remember: bool, password: int, instead: Browser | None
    ) -> Browser:
        asker = Actor("visitor", address="192.0.2.1")
        if instead is not None and self._lives(instead) is True:
            asker = Actor("visitor", address="192.0.2.1", session=instead.actor.session)
        given = {"email": self.email, "password": PASSWORDS[password], "remember": remember}
        right = password == self.password
        try:
            signed = self._ask(process, "sessions.create", asker, **given)
        except Unauthenticated:
            assert not right
            return self._nobody()
        except Denied:  # the password is right, and the account closed
            assert right
            assert not self.active
            return self._nobody()
        assert right
        assert self.active
        lasts = timedelta(days=30) if remember else timedelta(hours=8)
        people = self.world.people[process]
        made = Browser(
            people.actor(signed), signed.cookie.get_secret_value(), lasts, datetime.now(UTC)
        )
        self.all.append(made)
        if asker.session is not None and instead is not None:
            instead.used = None
        return made

    @rule(process=st.integers(0, 1), by=browsers, which=browsers)
    def end_one(self, process: int, by: Browser, which: Browser) -> None:
        if self._lives(by) is not True:
            return
        session = which.actor.session or by.actor.session
        assert session is not None
        target = which if which.actor.session else by
        lives = self._lives(target)
        try:
            self._ask(process, "sessions.end", by.actor, id=session)
            assert target.used is not None
        except NotFound:
            assert lives is not True
        target.used = None

    @rule(process=st.integers(0, 1), by=browsers)
    def end_others(self, process: int, by: Browser) -> None:
        if self._lives(by) is True:
            self._ask(process, "sessions.end_others", by.actor)
            self._end_all(but=by)

    @rule(process=st.integers(0, 1), by=browsers)
    def change_password(self, process: int, by: Browser) -> None:
        if self._lives(by) is True:
            old, new = PASSWORDS[self.password], PASSWORDS[1 - self.password]
            self._ask(process, "accounts.change_password", by.actor, old=old, new=new)
            self.password = 1 - self.password
            self._end_all(but=by)

    @rule(process=st.integers(0, 1))
    def operator_ends_all(self, process: int) -> None:
        self._rule(process, "accounts.end_sessions")
        self._end_all()

    @rule(process=st.integers(0, 1))
    def close_or_open_the_account(self, process: int) -> None:
        self._rule(process, "accounts.deactivate" if self.active else "accounts.activate")
        self.active = not self.active
        self._end_all()

    @rule(minutes=st.sampled_from([3, 30, 7 * 60, 8 * 60 + 1, 20 * 24 * 60, 31 * 24 * 60]))
    def time_goes_by(self, minutes: int) -> None:
        self.time.shift(timedelta(minutes=minutes))

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.world.restart(which)

    @rule(process=st.integers(0, 1), browser=consumes(browsers))
    def throw_away_the_browser(self, process: int, browser: Browser) -> None:
        if browser in self.all:
            self.all.remove(browser)

    @rule(process=st.integers(0, 1), browser=browsers)
    def use(self, process: int, browser: Browser) -> None:
        lives = self._lives(browser)
        found = self.world.run(
            self.world.people[process].product.identity.sessions.find(browser.cookie)
        )
        assert lives is None or (found is not None) == lives
        if found is None:
            browser.used = None
        else:
            assert str(found.id) == browser.actor.name
            assert found.session_id == browser.actor.session
            browser.used = datetime.now(UTC)

    @invariant()
    def both_processes_know_who_is_signed_in(self) -> None:
        for browser in self.all[-6:]:
            if browser.used is not None or self._lives(browser) is False:
                for process in (0, 1):
                    self.use(process, browser)

    @invariant()
    def the_list_has_what_lives(self) -> None:
        living = [browser for browser in self.all if self._lives(browser) is True]
        if living:
            views = self._ask(0, "sessions.list", living[-1].actor)
            ids = {view.id for view in views}
            assert {browser.actor.session for browser in living} <= ids

    def _lives(self, browser: Browser) -> bool | None:
        """Whether a cookie signs in; None when that depends on when its use was written."""
        if browser.used is None:
            return False
        unused = datetime.now(UTC) - browser.used
        if unused >= browser.lasts:
            return False
        return True if unused < browser.lasts - NOTED else None

    def _end_all(self, but: Browser | None = None) -> None:
        for browser in self.all:
            if browser is not but:
                browser.used = None

    def _ask(self, process: int, action: str, actor: Actor, **given: Any) -> Any:
        return self.world.run(self.world.people[process].ask(action, actor, **given))

    def _rule(self, process: int, action: str) -> Any:
        return self.world.run(self.world.people[process].rule(action, email=self.email))

    def _nobody(self) -> Browser:
        """A browser in which nobody is signed in; how often that failed does not matter here."""
        lockout = self.world.people[0].product.identity.lockout

        async def fn(write: Write) -> None:
            await lockout.admit(write, self.email, "192.0.2.1")

        self.world.run(
            self.world.people[0].product.identity.store.write(
                fn, actor="test", action="test", kept=False
            )
        )
        return Browser(Actor("visitor"), "", timedelta(0), None)


@contextmanager
def world_of(deployments: Deployments, tables: dict[str, Any]) -> Iterator[World]:
    with asyncio.Runner() as runner:
        world = World(deployments, runner, tables)
        try:
            yield world
        finally:
            world.close()


def search(deployments: Deployments, examples: int, steps: int, **tables: Any) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with world_of(deployments, tables) as world:
        run_state_machine_as_test(lambda: SessionMachine(world), settings=chosen)


@contextmanager
def in_redis() -> Iterator[dict[str, Any]]:
    """The tables of a deployment whose sessions are in a cache."""
    with RedisServer() as server:
        yield {
            "platform": {"plugins": [*SHIPPED, "cache_redis"]},
            "plugins": {"cache_redis": {"url": server.url, "timeout": 10}},
            "identity": {"sessions": "cache"},
        }


def test_who_is_signed_in_is_what_the_model_says(deployments: Deployments) -> None:
    search(deployments, 8, 12)


def test_so_it_is_when_a_cache_keeps_the_sessions(deployments: Deployments) -> None:
    with in_redis() as tables:
        search(deployments, 6, 12, **tables)


@pytest.mark.campaign
def test_who_is_signed_in_is_what_the_model_says_in_the_long_run(deployments: Deployments) -> None:
    search(deployments, 100, 30)


@pytest.mark.campaign
def test_so_it_is_in_the_long_run_when_a_cache_keeps_the_sessions(deployments: Deployments) -> None:
    with in_redis() as tables:
        search(deployments, 100, 30, **tables)
