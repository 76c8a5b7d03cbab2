"""Everything that ships and sends mail keeps the mail contract, and so does the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mosaic_mail_smtp.plugin import mosaic_mail as smtp

from mosaic_core.errors import MailDeferred, MailError, MailRefused
from mosaic_core.mail import Mail, Mailer
from mosaic_core.mail_folder import mosaic_mail as folder
from mosaic_core.provider import PlatformServices
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from mosaic_core.testing.mail import MailerContract, RefusingContract
from tests.mail_server import MailServer

REFUSED, DEFERRED = "nobody@example.com", "later@example.com"


class TestSMTP(RefusingContract):
    provider = smtp()
    refusals = {REFUSED: MailRefused, DEFERRED: MailDeferred}

    @asynccontextmanager
    async def open(self, services: PlatformServices) -> AsyncIterator[Mailer]:
        answers = {REFUSED: "550 5.1.1 No such mailbox", DEFERRED: "450 4.2.1 Try again later"}
        with MailServer(answers) as self.server:
            values: dict[str, Any] = {"host": "127.0.0.1", "port": self.server.port}
            settings = self.provider.settings.model_validate(values | {"security": "none"})
            async with self.provider.open(settings, services) as opened:
                yield opened

    async def received(self, mailer: Mailer) -> Sequence[bytes]:
        return [arrived.content for arrived in self.server.arrived]


class TestFolder(MailerContract):
    provider = folder()

    async def received(self, mailer: Mailer) -> Sequence[bytes]:
        found = sorted((self.services.data_dir / "mail").glob("*.eml"))
        return [path.read_bytes() for path in found]


class TestMemory(RefusingContract):
    refusals = {REFUSED: MailRefused, DEFERRED: MailDeferred}

    @staticmethod
    def failing(mail: Mail) -> MailError | None:
        kind = TestMemory.refusals.get(mail.to)
        return None if kind is None else kind("not this one")

    provider = memory_mailer(MemoryMailer())

    @asynccontextmanager
    async def open(self, services: PlatformServices) -> AsyncIterator[Mailer]:
        provider = memory_mailer(MemoryMailer(self.failing))
        async with provider.open(provider.settings(), services) as opened:
            yield opened

    async def received(self, mailer: Mailer) -> Sequence[bytes]:
        assert isinstance(mailer, MemoryMailer)
        return [mail.as_bytes() for mail in mailer.sent]
