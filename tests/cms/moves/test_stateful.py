"""A whole site against a plain model of it, while its tenant moves between databases, leaves as a
bundle and comes back, and processes end."""

from __future__ import annotations

import asyncio
import secrets

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.cms.moves.moving import TIERS, Ground, everything
from tests.cms.stateful.machine import SiteMachine
from tests.cms.stateful.world import START, World


class Grounds(World):
    """A process after the other, each of which can move tenants."""

    def __init__(
        self, ground: Ground, runner: asyncio.Runner, clock: time_machine.Traveller
    ) -> None:
        super().__init__(ground.root, runner, clock)
        self.ground = ground

    def open(self) -> None:
        self._opened = self.ground.opened()
        self.deployment = self.run(self._opened.__aenter__())

    def new_tenant(self) -> str:
        slug = f"site-{secrets.token_hex(4)}"
        self.run(self.deployment.rule("tenants.create", slug=slug, name="Site", tier="file"))
        return slug


class TravellingMachine(SiteMachine):
    """A site whose tenant does not stay where it is."""

    world: Grounds

    @rule(tier=st.sampled_from(TIERS))
    def travel(self, tier: str) -> None:
        deployment = self.world.deployment
        tenant = deployment.scope(self.slug).tenant
        if tenant.tier != tier:
            moving = deployment.product.platform.moving
            self.world.run(moving.move(tenant, tier, actor="operator"))
            self.whole()

    @precondition(lambda self: not self.piling)  # a copy is not there before it is rendered
    @rule(tier=st.sampled_from(TIERS))
    def leave_and_come_back(self, tier: str) -> None:
        """Under another name: what happens now happens to the copy."""
        file = self.world.ground.root / f"{self.slug}.mosaic"
        back = f"site-{secrets.token_hex(4)}"
        self.do("tenants.export", file=file)
        rule = self.world.deployment.rule
        self.world.run(rule("tenants.suspend", slug=self.slug))
        self.world.run(rule("tenants.import", file=file, slug=back, tier=tier))
        file.unlink()
        self.slug = back
        self.whole()

    def whole(self) -> None:
        """The home's log is whole, and says what is there."""
        deployment = self.world.deployment
        self.world.run(everything(deployment, deployment.scope(self.slug).tenant))


def search(ground: Ground, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with asyncio.Runner() as runner, time_machine.travel(START) as clock:
        runner.run(ground.make())
        world = Grounds(ground, runner, clock)
        world.open()
        try:
            run_state_machine_as_test(lambda: TravellingMachine(world), settings=chosen)
        finally:
            world.close()


def test_visitors_see_what_the_model_says_wherever_the_tenant_is(ground: Ground) -> None:
    search(ground, 4, 12)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_visitors_see_what_the_model_says_wherever_the_tenant_is_in_the_long_run(
    ground: Ground,
) -> None:
    search(ground, 30, 30)
