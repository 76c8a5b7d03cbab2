"""Mail through a mail server: its connections, and what is sent over one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
)

from mosaic_core.errors import ConfigurationError
from mosaic_core.mail import Mail
from mosaic_core.provider import PlatformServices
from mosaic_mail_smtp.errors import translated
from mosaic_mail_smtp.plugin import SMTPSettings

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
#: Seconds that taking leave may take.
_LEAVE = 2.0


class MailServer:
    """Implements :class:`mosaic_core.mail.Mailer`.

    A connection that a mail went over is kept for a few seconds, so the mails of a batch share
    their connections. Nothing is connected before the first mail.
    """

    def __init__(self, settings: SMTPSettings, tls: ssl.SSLContext, greeting: str) -> None:
        self._settings = settings
        self._port = settings.port or _PORTS[settings.security]
        self._tls = tls
        self._greeting = greeting
        self._room = asyncio.Semaphore(settings.connections)
        #: Connections without a mail, the one that was used last at the end.
        self._kept: dict[SMTP, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @classmethod
    async def prepared(cls, settings: SMTPSettings, services: PlatformServices) -> MailServer:
        """The server of these settings.

        Raises:
            ConfigurationError: the file of certificates cannot be used.
        """
        file = None if settings.ca_file is None else services.data_dir / settings.ca_file
        tls = await asyncio.to_thread(_context, file)
        return cls(settings, tls, services.hosts.platform_domain)

    @property
    def _name(self) -> str:
        return f"{self._settings.host}:{self._port}"

    async def send(self, mail: Mail) -> None:
        options = ["SMTPUTF8"] if mail.needs_utf8 else []
        async with self._room:
            with translated(self._name, self._settings.timeout):
                async with asyncio.timeout(self._settings.timeout), self._connected() as smtp:
                    await smtp.sendmail(
                        mail.sender.address, [mail.to], mail.as_bytes(), mail_options=options
                    )

    async def close(self) -> None:
        """Takes leave of the server."""
        for smtp in list(self._kept):
            self._let_go(smtp)
        if self._leaving:
            await asyncio.wait(self._leaving)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        """A connection that is signed in; it is kept when it is still good afterwards."""
        smtp = await self._reused() or await self._connect()
        try:
            yield smtp
        except (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError):
            self._keep(smtp)  # it was the mail
            raise
        except BaseException:  # in the middle of something
            smtp.close()
            raise
        self._keep(smtp)

    async def _reused(self) -> SMTP | None:
        while self._kept:
            smtp, timer = self._kept.popitem()
            timer.cancel()
            with suppress(SMTPException, OSError):
                await smtp.noop()  # servers end connections that wait
                return smtp
            smtp.close()
        return None

    async def _connect(self) -> SMTP:
        own = self._settings
        smtp = SMTP(
            hostname=own.host,
            port=self._port,
            username=own.username,
            password=None if own.password is None else own.password.get_secret_value(),
            local_hostname=self._greeting,
            timeout=own.timeout,
            use_tls=own.security == "tls",
            start_tls=own.security == "starttls",
            tls_context=self._tls,
        )
        await smtp.connect()
        return smtp

    def _keep(self, smtp: SMTP) -> None:
        if smtp.is_connected:
            loop = asyncio.get_running_loop()
            self._kept[smtp] = loop.call_later(self._settings.keep, self._let_go, smtp)

    def _let_go(self, smtp: SMTP) -> None:
        self._kept.pop(smtp).cancel()
        task = asyncio.create_task(_leave(smtp))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _leave(smtp: SMTP) -> None:
    try:
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=_LEAVE)
    finally:
        smtp.close()


def _context(file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigurationError(
            f"The certificates in {file} cannot be used: {error}.",
            hint="Mend ca_file in [plugins.mail_smtp]: a file of certificates in PEM.",
        ) from error
