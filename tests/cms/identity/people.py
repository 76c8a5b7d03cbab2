"""People who sign up and in, and what a browser of theirs asks."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from argon2.profiles import CHEAPEST

from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.product import Product
from mosaic_cms.scope import Actor
from mosaic_core.mail import Mail
from mosaic_core.testing.fakes import MemoryMailer
from tests.cms.deployment import OPERATOR, Deployment

PASSWORD = "correct horse battery staple"
ADA = "Ada@example.com"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def cheaply(product: Product) -> Product:
    """The same product, whose passwords cost little to hash."""
    product.identity.passwords = Passwords(CHEAPEST)
    return product


@dataclass
class People:
    """What somebody does at a deployment. Their mail is in ``mailer``."""

    deployment: Deployment
    mailer: MemoryMailer = field(default_factory=MemoryMailer)

    @property
    def product(self) -> Product:
        return self.deployment.product

    async def ask(self, action: str, actor: Actor | str = HOME, /, **given: Any) -> Any:
        """Performs an action: as an actor, or as a visitor from an address."""
        if isinstance(actor, str):
            actor = Actor("visitor", address=actor)
        scope = self.product.platform_scope(actor)
        return await self.product.actions.perform(action, scope, given)

    async def mails(self) -> list[Mail]:
        """What was written since the last time."""
        self.mailer.sent.clear()
        await self.product.postman.deliver()
        return list(self.mailer.sent)

    async def token(self) -> str:
        """The token in the one mail with a token that was written."""
        (mail,) = [mail for mail in await self.mails() if "?token=" in mail.text]
        return token_in(mail)

    async def signed_up(self, email: str = ADA, password: str = PASSWORD) -> None:
        """Somebody with an account whose address is verified."""
        await self.ask("accounts.sign_up", email=email, name="Ada", password=password)
        await self.ask("accounts.verify", token=await self.token(), password=password)

    async def browser(
        self, email: str = ADA, password: str = PASSWORD, *, address: str = HOME, **given: Any
    ) -> tuple[Actor, str]:
        """Who signed in, and their cookie."""
        signed = await self.ask("sessions.create", address, email=email, password=password, **given)
        return self.actor(signed, address), signed.cookie.get_secret_value()

    def actor(self, signed: Any, address: str = HOME) -> Actor:
        return Actor(
            "account",
            str(signed.account_id),
            address=address,
            agent="Firefox",
            session=signed.session_id,
        )

    async def finds(self, cookie: str) -> bool:
        """Whether a cookie signs somebody in."""
        return await self.product.identity.sessions.find(cookie) is not None

    async def rule(self, action: str, /, **given: Any) -> Any:
        """Performs an action as an operator."""
        return await self.ask(action, OPERATOR, **given)


def token_in(mail: Mail) -> str:
    (token,) = re.findall(r"\?token=([\w-]+)\n", mail.text)
    return str(token)


Scenario = Callable[[People], Awaitable[Any]]
Meet = Callable[[Scenario], None]
