"""Sends mail: out of every tenant's outbox, and out of the platform's own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mosaic_cms.mailing.letters import MAIL, Compose, Letter, Letters
from mosaic_cms.scope import SYSTEM, PlatformScope, TenantScope
from mosaic_core.errors import (
    ConfigurationError,
    InvalidMail,
    MailRefused,
    MailUnavailable,
    MosaicError,
)
from mosaic_core.head.outbox import Message, Outbox
from mosaic_core.mail import Mail, Mailer, one_line
from mosaic_core.tenants import TenantContext, TenantStatus

if TYPE_CHECKING:
    from mosaic_cms.product import Product

#: Seconds between looks for mail.
LOOK = 1.0
#: Seconds that one mail may take, and for which no other process takes it: longer, in any case.
LIMIT = 120.0
LEASE = timedelta(minutes=5)
#: How long after each try that failed comes the next; after the last one a mail is given up.
PAUSES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1_440, 1_440)
)
_TRIES = len(PAUSES) + 1
#: After so many tries, over an hour, somebody should know.
LATE = 5
#: Outboxes at one time, and mails of one before it is another's turn.
_AT_ONCE, _TURN = 4, 20
#: Seconds until the mailer is tried again that could send nothing: the first time, and at most.
_QUIET, _QUIETEST = 5.0, 300.0
#: Seconds until an outbox is looked into again whose database was in trouble.
_TROUBLED = 10.0
#: Seconds that a mail on its way is waited for when the process is to stop.
_STOPPING = 5.0
_log = logging.getLogger("mosaic.postman")


@dataclass(frozen=True, slots=True)
class _Box:
    """An outbox and for whom its letters are written."""

    name: str
    scope: TenantScope | PlatformScope
    outbox: Outbox


class Postman:
    """Any number of processes may run one. A mail is sent once; twice only when the process that
    sent it was killed, or lost its database, before it could say so.

    Args:
        kinds: what writes each kind of letter.
    """

    def __init__(self, product: Product, kinds: Mapping[str, Compose]) -> None:
        self._product = product
        self._platform = product.platform
        self._letters = Letters(kinds)
        self._room = asyncio.Semaphore(_AT_ONCE)
        #: Outboxes that have or await their turn; and set when one had more than that.
        self._going: set[str] = set()
        self._more = asyncio.Event()
        #: Outboxes in trouble, and when they are looked into again (monotonic seconds).
        self._troubled: dict[str, float] = {}
        #: Until when nothing is sent (monotonic seconds), and for how long that was.
        self._quiet_until = 0.0
        self._quiet = 0.0

    def now(self) -> datetime:
        """The instant that it is."""
        return datetime.now(UTC)

    async def run(self) -> None:
        """Sends mail when it is due, for ever; without a mailer there is nothing to do.

        An outbox that takes long is not waited for: it has its turn while others have theirs.
        """
        if self._platform.mailer is None:
            return
        async with asyncio.TaskGroup() as group:
            while True:
                self._more.clear()
                try:
                    for tenant in await self._due():
                        if _key(tenant) not in self._going:
                            self._going.add(_key(tenant))
                            group.create_task(self._turn(tenant))
                except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
                    _log.exception("mail could not be looked for; trying again")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._more.wait()

    async def deliver(self) -> int:
        """Goes round once, for who does not run for ever: every outbox that has mail which is due
        has its turn. Returns how many mails were tried."""
        return sum(await asyncio.gather(*map(self._turn, await self._due())))

    async def _due(self) -> list[TenantContext | None]:
        """Whose outbox may have mail that is due; the platform's comes first, without a question.
        A tenant that takes no writes gets its turn when it does again."""
        if self._platform.mailer is None or self.is_quiet:
            return []
        hinted = await self._platform.directory.hinted((MAIL,), by=self.now())
        return [None, *(tenant for tenant in hinted if tenant.status is TenantStatus.ACTIVE)]

    async def try_now(self, tenant: TenantContext | None, message_id: uuid.UUID) -> None:
        """Tries a mail at once and as if it were new, unless it is on its way.

        Args:
            tenant: whose it is; None for the platform's own.

        Raises:
            ConfigurationError: nothing that sends mail is selected.
        """
        self.mailer()
        box = self._box(tenant)
        taken = await box.outbox.take_anew(MAIL, message_id, self.now(), LEASE)
        if taken is not None:
            await _ended(self._send(box, taken))

    async def hand_over(self, letter: Letter, message_id: uuid.UUID, at: datetime) -> None:
        """Sends a letter, in the platform's name.

        Raises:
            InvalidMail, MailRefused, MailDeferred, MailUnavailable: it did not get out.
            ConfigurationError: nothing that sends mail is selected.
        """
        sender = self._platform.sender
        domain = sender.address.rpartition("@")[2]
        mail = Mail(
            message_id=f"{message_id.hex}@{domain}",
            sender=sender,
            to=letter.to,
            at=at,
            subject=letter.subject,
            text=letter.text,
            html=letter.html,
            reply_to=letter.reply_to,
        )
        try:
            async with asyncio.timeout(LIMIT):
                await self.mailer().send(mail)
        except TimeoutError as error:
            raise MailUnavailable(
                f"What sends mail did not answer within {LIMIT:g} s.",
                hint="Set a shorter limit in its plugin's settings, to learn where it hangs.",
            ) from error

    @property
    def is_quiet(self) -> bool:
        """Whether a mail has just found out that none can be sent."""
        return self._quiet_until > time.monotonic()

    def mailer(self) -> Mailer:
        """What sends mail.

        Raises:
            ConfigurationError: nothing that does is selected.
        """
        if self._platform.mailer is None:
            raise ConfigurationError(
                "No plugin that sends mail is selected.",
                hint="Add mail_smtp, or mail_folder for a machine that no mail is to leave, to "
                "[platform] plugins.",
            )
        return self._platform.mailer

    def _box(self, tenant: TenantContext | None) -> _Box:
        if tenant is None:
            outbox = self._platform.directory.outbox
            return _Box("the platform", self._product.platform_scope(SYSTEM), outbox)
        scope = self._product.scope(tenant, SYSTEM)
        return _Box(tenant.slug, scope, self._platform.writing.outbox(tenant))

    async def _turn(self, tenant: TenantContext | None) -> int:
        """Sends some of the mails of one outbox, one after the other; returns how many."""
        key, tried = _key(tenant), 0
        try:
            async with self._room:
                if self._troubled.get(key, 0.0) > time.monotonic():
                    return 0
                box = self._box(tenant)
                while tried < _TURN and not self.is_quiet:
                    message = await box.outbox.take(MAIL, self.now(), LEASE)
                    if message is None:
                        await box.outbox.rest((MAIL,), self.now())
                        break
                    tried += 1
                    await _ended(self._send(box, message))
                self._troubled.pop(key, None)
        except Exception:  # noqa: BLE001 - its mails stay where they are
            self._troubled[key] = time.monotonic() + _TROUBLED
            whose = "the platform" if tenant is None else tenant.slug
            _log.exception("the mails of %s could not be dealt with; trying again", whose)
        finally:
            self._going.discard(key)
            if tried == _TURN:
                self._more.set()
        return tried

    async def _send(self, box: _Box, message: Message) -> None:
        """Sends one mail that was taken, and says in its outbox what came of it."""
        if message.attempts > _TRIES:  # each time, something ended the process
            await self._failed(box, message, "No try came to an end.")
            return
        try:
            letter = await self._letters.compose(box.scope, message.payload)
            if letter is not None:  # else there is nothing to be said any more
                await self.hand_over(letter, message.id, message.at)
                self._quiet = 0.0
        except (InvalidMail, MailRefused) as error:
            await self._failed(box, message, str(error), for_good=True)
        except MailUnavailable as error:
            if not self.is_quiet:
                self._quiet = min(max(2 * self._quiet, _QUIET), _QUIETEST)
                self._quiet_until = time.monotonic() + self._quiet
            _log.warning("no mail can be sent now; trying again in %g s: %s", self._quiet, error)
            await self._failed(box, message, str(error))
        except MosaicError as error:
            await self._failed(box, message, str(error))
        except Exception as error:  # noqa: BLE001 - it must not hold up the others
            _log.exception("the mail %s of %s could not be sent", message.id, box.name)
            await self._failed(box, message, f"An error in the system: {type(error).__name__}.")
        else:
            await box.outbox.acknowledge(message.id)

    async def _failed(
        self, box: _Box, message: Message, why: str, *, for_good: bool = False
    ) -> None:
        given_up = for_good or message.attempts >= _TRIES
        due = None if given_up else self.now() + PAUSES[message.attempts - 1]
        if given_up:
            _log.warning(
                "a mail of %s was given up after %d tries; 'mosaic mail list' says why",
                box.name,
                message.attempts,
            )
        await box.outbox.put_off(message.id, due, one_line(why, 1_000))


def _key(tenant: TenantContext | None) -> str:
    return "" if tenant is None else tenant.tenant_id


async def _ended(work: Coroutine[Any, Any, None]) -> None:
    """Runs ``work``; when the process is to stop, what has begun gets a moment to end."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_STOPPING)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
