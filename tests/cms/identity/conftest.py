"""A deployment that people sign up at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import Meet, People, Scenario, cheaply
from tests.cms.plugs import plugins_with
from tests.platforms import KINDS_OF_MANY, Place, place_of
from tests.tsql import fits_sql_server, seen

__all__ = ["fits_sql_server", "seen"]


@pytest.fixture(params=KINDS_OF_MANY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place_of(request.param, tmp_path, request.getfixturevalue) as place:
        yield place


@pytest.fixture
def deployments(made_deployment: Path, tmp_path: Path, place: Place) -> Deployments:
    """With its platform database in a file, or on a server."""
    return Deployments(made_deployment, tmp_path, place)


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
