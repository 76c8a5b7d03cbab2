"""Mail that has not got out: what waits, what was given up, and trying again."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.mailing.letters import MAIL
from mosaic_cms.mailing.trial import trial
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import MosaicError, NotFound
from mosaic_core.head.outbox import Message, Outbox
from mosaic_core.mail import check_address
from mosaic_core.tenants import TenantContext
from mosaic_core.types import new_id

#: Mails of one outbox that are looked at.
_MOST = 1_000
_log = logging.getLogger("mosaic.mails")


class WhichMails(Model):
    """Those of one tenant, by its slug, or of all and of the platform itself."""

    tenant: str | None = None


class OneMail(WhichMails):
    """One mail that has not got out."""

    id: uuid.UUID


class RetryMails(WhichMails):
    """One mail, or all that were tried and did not get out."""

    id: uuid.UUID | None = None


class TryMail(Model):
    """Where a mail goes that says nothing but that it came."""

    to: Annotated[str, Field(max_length=320)]


class MailView(Model):
    """A mail that has not got out.

    Attributes:
        kind: what it is about, such as ``form``.
        state: it waits for its first try or for the next one, is on its way, or was given up.
        error: why the last try failed.
    """

    id: uuid.UUID
    tenant: str | None
    kind: str
    to: str
    at: datetime
    state: Literal["waiting", "failed", "on its way", "given up"]
    due: datetime | None
    attempts: int
    error: str


class Retried(Model):
    """How many mails got out, and those that did not."""

    sent: int
    left: list[MailView]


class Sent(Model):
    """A mail that got out, by its id."""

    id: uuid.UUID
    to: str


@action("mails.list", needs=Permission("read", "mails"), effect="read", http="GET /mails")
async def list_mails(scope: PlatformScope, command: WhichMails) -> list[MailView]:
    """Lists the mails that have not got out, the oldest of each tenant first."""
    return [_view(tenant, message) async for tenant, _, message in _mails(scope, command.tenant)]


@action("mails.retry", needs=Permission("update", "mails"), http="POST /mails/retry")
async def retry(scope: PlatformScope, command: RetryMails) -> Retried:
    """Tries mails again, now and as if they were new: one, or all whose last try failed."""
    postman = scope.product.postman
    postman.mailer()
    sent, left = 0, []
    async for tenant, outbox, message in _mails(scope, command.tenant):
        if message.id != command.id if command.id is not None else not message.error:
            continue
        if not postman.is_quiet:
            await postman.try_now(tenant, message.id)
        after = await outbox.find(MAIL, message.id)
        sent += after is None
        left += [] if after is None else [_view(tenant, after)]
    if command.id is not None and not sent and not left:
        raise _no_such_mail(command.id)
    return Retried(sent=sent, left=left)


@action("mails.drop", needs=Permission("delete", "mails"), http="DELETE /mails/{id}")
async def drop(scope: PlatformScope, command: OneMail) -> MailView:
    """Has a mail never sent."""
    async for tenant, outbox, message in _mails(scope, command.tenant):
        if message.id == command.id:
            await outbox.acknowledge(message.id)
            return _view(tenant, message)
    raise _no_such_mail(command.id)


@action("mails.test", needs=Permission("create", "mails"), http="POST /mails/test")
async def send_test(scope: PlatformScope, command: TryMail) -> Sent:
    """Sends a mail at once, to see whether mail gets through."""
    settings = scope.product.platform.settings.platform
    letter = trial(check_address(command.to), settings.name, settings.domain)
    message_id = new_id()
    await scope.product.postman.hand_over(letter, message_id, datetime.now(UTC))
    return Sent(id=message_id, to=letter.to)


async def _mails(
    scope: PlatformScope, slug: str | None
) -> AsyncIterator[tuple[TenantContext | None, Outbox, Message]]:
    """The mails of one tenant, or of all that can be read and of the platform itself."""
    platform = scope.product.platform
    if slug is not None:
        tenant = platform.directory.named(slug)
        outbox = platform.writing.outbox(tenant)
        for message in await outbox.messages((MAIL,), _MOST):
            yield tenant, outbox, message
        return
    outbox = platform.directory.outbox
    for message in await outbox.messages((MAIL,), _MOST):
        yield None, outbox, message
    for record in await platform.directory.records():
        try:
            outbox = platform.writing.outbox(record.tenant)
            found = await outbox.messages((MAIL,), _MOST)
        except MosaicError as error:  # it is the doctor's, and hides no other's mail
            _log.info("the mails of %s cannot be read: %s", record.tenant.slug, error)
            continue
        for message in found:
            yield record.tenant, outbox, message


def _view(tenant: TenantContext | None, message: Message) -> MailView:
    about = message.payload
    return MailView(
        id=message.id,
        tenant=None if tenant is None else tenant.slug,
        kind=str(about.get("kind", "")),
        to=str(about.get("to", "")),
        at=message.at,
        state=_state(message),
        due=message.due,
        attempts=message.attempts,
        error=message.error,
    )


def _state(message: Message) -> Literal["waiting", "failed", "on its way", "given up"]:
    if message.due is None:
        return "given up"
    if message.error:
        return "failed"
    return "on its way" if message.attempts else "waiting"


def _no_such_mail(message_id: uuid.UUID) -> NotFound:
    return NotFound(
        f"There is no mail {message_id} that has not got out.",
        hint="'mosaic mail list' shows those there are.",
    )
