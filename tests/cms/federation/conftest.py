"""A deployment that people sign in to by others' word, whose mail is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mosaic_cms.scope import Actor
from mosaic_core.identity import Begun, SignInWay, Vouched
from mosaic_core.testing.fakes import MemoryIdentity, MemoryMailer, memory_identity, memory_mailer
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import HOME, People, cheaply
from tests.cms.plugs import plugins_with
from tests.name_server import NameServer

WAY, TRUSTED = "memory", "trusted"


@dataclass
class Federated(People):
    """People, and the issuer that vouches for them: ``issuer.who`` is who comes next."""

    issuer: MemoryIdentity = None  # type: ignore[assignment]
    dns: NameServer = None  # type: ignore[assignment]

    async def away(self, way: str = WAY, **given: Any) -> tuple[str, Begun]:
        """A browser that was sent away: its cookie, and where it is."""
        sent = await self.ask("sign_in.begin", way=way, **given)
        return sent.sealed.get_secret_value(), Begun(sent.address, {})

    async def back(
        self,
        cookie: str,
        answer: dict[str, str],
        way: str = WAY,
        actor: Actor | str = HOME,
    ) -> Any:
        """What becomes of a browser that comes back."""
        return await self.ask("sign_in.complete", actor, way=way, sealed=cookie, answer=answer)

    async def comes(
        self, who: Vouched | None = None, way: str = WAY, actor: Actor | str = HOME, **given: Any
    ) -> Any:
        """What becomes of somebody for whom the issuer vouches."""
        self.issuer.who = who or self.issuer.who
        cookie, begun = await self.away(way, **given)
        return await self.back(cookie, self.issuer.answer(begun), way, actor)

    async def links(self, actor: Actor, way: str = WAY, **given: Any) -> Any:
        """Somebody who is signed in links what the issuer says."""
        sent = await self.ask("identities.begin", actor, way=way, **given)
        answer = self.issuer.answer(Begun(sent.address, {}))
        return await self.back(sent.sealed.get_secret_value(), answer, way, actor)


Meet = Callable[..., None]


@pytest.fixture
def meet(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meet]:
    """Runs a scenario with people."""
    with NameServer() as dns:

        def run(scenario: Callable[[Federated], Awaitable[Any]], **tables: Any) -> None:
            mailer = MemoryMailer()
            address = MemoryIdentity.ISSUER
            issuer = MemoryIdentity(
                ways=(
                    SignInWay(WAY, "Memory", address),
                    SignInWay(TRUSTED, "Memory, with codes", address, second_factor=True),
                )
            )
            plugins = plugins_with(
                monkeypatch,
                post_office={"mosaic_mail": lambda: memory_mailer(mailer)},
                somebody_else={"mosaic_identity": lambda: memory_identity(issuer)},
            )

            async def opened(deployment: Deployment) -> None:
                cheaply(deployment.product)
                await scenario(Federated(deployment, mailer, issuer, dns))

            platform = {"nameservers": [dns.address]}
            deployments(opened, plugins=plugins, platform=platform, **tables)

        yield run
