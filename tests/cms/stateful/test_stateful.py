"""A whole site against a plain model of it, as its visitors see both."""

from __future__ import annotations

import asyncio

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cms.deployment import Deployments
from tests.cms.stateful.machine import START, SiteMachine, World


def search(deployments: Deployments, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with asyncio.Runner() as runner, time_machine.travel(START) as clock:
        world = World(deployments.copy(), runner, clock)
        try:
            run_state_machine_as_test(lambda: SiteMachine(world), settings=chosen)
        finally:
            world.close()


def test_visitors_see_what_the_model_says(deployments: Deployments) -> None:
    search(deployments, 12, 12)


@pytest.mark.campaign
def test_visitors_see_what_the_model_says_in_the_long_run(deployments: Deployments) -> None:
    search(deployments, 150, 50)
