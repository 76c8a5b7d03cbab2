"""A deployment that people sign up at."""

from __future__ import annotations

import pytest

from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.cms.anywhere import deployments, place_of_many
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import Meet, People, Scenario, cheaply
from tests.cms.plugs import plugins_with

__all__ = ["deployments", "place_of_many"]


@pytest.fixture
def meet(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Meet:
    """Runs a scenario with people, whose mail is kept."""

    def run(scenario: Scenario) -> None:
        mailer = MemoryMailer()
        plugins = plugins_with(
            monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)}
        )

        async def opened(deployment: Deployment) -> None:
            cheaply(deployment.product)
            await scenario(People(deployment, mailer))

        deployments(opened, plugins=plugins)

    return run
