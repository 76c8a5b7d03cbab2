"""A whole site against a plain model of it, as its visitors see both."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cms.deployment import Deployments
from tests.cms.stateful.machine import SiteMachine
from tests.cms.stateful.world import opened_world


def search(deployments: Deployments, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with opened_world(deployments.copy()) as world:
        run_state_machine_as_test(lambda: SiteMachine(world), settings=chosen)


def test_visitors_see_what_the_model_says(deployments: Deployments) -> None:
    search(deployments, 12, 12)


@pytest.mark.campaign
def test_visitors_see_what_the_model_says_in_the_long_run(deployments: Deployments) -> None:
    search(deployments, 150, 50)
