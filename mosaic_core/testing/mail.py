"""The contract of sending mail, as tests. Subclass :class:`MailerContract` and set ``provider``."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from mosaic_core.errors import MailDeferred, MailRefused
from mosaic_core.mail import Mail, Mailbox, Mailer
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.types import new_id

SENDER = Mailbox("noreply@mosaic.example", "MOSAIC")
#: Every header of a mail, besides those that its way adds (``Received`` and ``X-…``).
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
}
#: Subjects that are more than words.
SUBJECTS = (
    "Plain words",
    "Ünïcödé 漢字 🎉",
    "x" * 250,
    "ü" * 250,
    "many words " * 20,
    '"Quoted" <a@b.example>, (c); d:',
    "Bcc: evil@example.com",
    "ends with a backslash \\",
)
#: Texts that a careless way would change or cut.
TEXTS = (
    "One line",
    "Two\nlines\n\nand a paragraph\n",
    ".\nafter a dot\n..\n.. two\n",
    "From here\nFrom there\n>From\n",
    "x" * 5_000,
    "ünïcödé " * 400,
    "-- \nsignature\n--\n--=boundary--\n",
    "\t tabs and spaces at the end \t\n",
    "=3D=\n=20",
)


def make_mail(**values: Any) -> Mail:
    """A mail with an id of its own; what is given replaces what it would have."""
    given: dict[str, Any] = {
        "message_id": f"{new_id().hex}@mosaic.example",
        "sender": SENDER,
        "to": "ada@example.com",
        "at": datetime.now(UTC).replace(microsecond=0),
        "subject": "About the lighthouse",
        "text": "It is lit.\n",
    }
    return Mail(**(given | values))


def parsed(content: bytes) -> EmailMessage:
    """A mail as a reader understands it."""
    return email.message_from_bytes(content, policy=email.policy.default)


def text_of(message: EmailMessage, kind: str = "plain") -> str | None:
    """The body of a kind, as it was written; None when there is none."""
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


class MailerContract(Contract[Mailer]):
    """What everything does that sends mail."""

    async def received(self, mailer: Mailer) -> Sequence[bytes]:
        """What arrived at the other end: whole mails, as they were sent. A subclass says how to
        look there."""
        raise NotImplementedError

    async def arrived(self, mailer: Mailer) -> dict[str, EmailMessage]:
        """What arrived, by message id; each was there once."""
        messages = [parsed(content) for content in await self.received(mailer)]
        found = {str(message["Message-ID"]).strip("<>"): message for message in messages}
        assert len(found) == len(messages), "a mail arrived more than once"
        return found

    async def sent(self, mailer: Mailer, mails: Sequence[Mail]) -> list[EmailMessage]:
        """What arrived of some mails that were sent one after the other."""
        for mail in mails:
            await mailer.send(mail)
        found = await self.arrived(mailer)
        assert set(found) == {mail.message_id for mail in mails}
        return [found[mail.message_id] for mail in mails]

    @contract_test
    async def test_a_mail_arrives_with_all_that_it_has(self, mailer: Mailer) -> None:
        assert isinstance(mailer, Mailer)
        mail = make_mail(html="<p>It is <b>lit</b>.</p>", reply_to="desk@museum.example")
        (found,) = await self.sent(mailer, [mail])
        assert str(found["From"]) == "MOSAIC <noreply@mosaic.example>"
        assert str(found["To"]) == "ada@example.com"
        assert str(found["Reply-To"]) == "desk@museum.example"
        assert str(found["Subject"]) == "About the lighthouse"
        assert found["Date"].datetime == mail.at
        assert found["Auto-Submitted"] == "auto-generated"
        assert text_of(found) == "It is lit.\n"
        assert text_of(found, "html") == "<p>It is <b>lit</b>.</p>\n"

    @contract_test
    async def test_a_mail_arrives_with_nothing_that_it_does_not_have(self, mailer: Mailer) -> None:
        (found,) = await self.sent(mailer, [make_mail()])
        assert text_of(found, "html") is None
        assert _own(found) == HEADERS

    @contract_test
    async def test_any_subject_arrives_and_is_the_only_thing_that_it_becomes(
        self, mailer: Mailer
    ) -> None:
        mails = [make_mail(subject=subject) for subject in SUBJECTS]
        for mail, found in zip(mails, await self.sent(mailer, mails), strict=True):
            assert str(found["Subject"]).split() == mail.subject.split()
            assert _own(found) == HEADERS
            assert str(found["To"]) == mail.to

    @contract_test
    async def test_any_text_arrives_as_it_is(self, mailer: Mailer) -> None:
        mails = [make_mail(text=text, html=f"<pre>{text}</pre>") for text in TEXTS]
        for mail, found in zip(mails, await self.sent(mailer, mails), strict=True):
            assert text_of(found) == _ended(mail.text)
            assert text_of(found, "html") == _ended(mail.html or "")

    @contract_test
    async def test_a_long_mail_arrives_whole(self, mailer: Mailer) -> None:
        lines = "".join(f"Line {number} of a long letter.\n" for number in range(20_000))
        (found,) = await self.sent(mailer, [make_mail(text=lines)])
        assert text_of(found) == lines

    @contract_test
    async def test_a_domain_may_be_in_any_script(self, mailer: Mailer) -> None:
        (found,) = await self.sent(mailer, [make_mail(to="desk@BÜCHER.example")])
        assert str(found["To"]) == "desk@xn--bcher-kva.example"

    @contract_test
    async def test_an_address_in_another_script_arrives_or_is_refused(self, mailer: Mailer) -> None:
        mail = make_mail(to="dörte@example.com")
        try:
            await mailer.send(mail)
        except MailRefused:
            assert await self.arrived(mailer) == {}
        else:
            assert str((await self.arrived(mailer))[mail.message_id]["To"]) == "dörte@example.com"

    @contract_test
    async def test_many_at_once_arrive_each_at_its_own_address(self, mailer: Mailer) -> None:
        mails = [
            make_mail(to=f"reader{number}@example.com", text=f"For {number} alone.")
            for number in range(20)
        ]
        await asyncio.gather(*map(mailer.send, mails))
        found = await self.arrived(mailer)
        assert {
            (str(message["To"]), (text_of(message) or "").strip()) for message in found.values()
        } == {(mail.to, mail.text) for mail in mails}

    @contract_test
    async def test_a_repeat_is_recognised_by_its_id(self, mailer: Mailer) -> None:
        mail = make_mail()
        await mailer.send(mail)
        await mailer.send(mail)
        ids = {str(parsed(content)["Message-ID"]) for content in await self.received(mailer)}
        assert ids == {f"<{mail.message_id}>"}

    @contract_test
    async def test_one_that_is_cancelled_does_not_harm_the_next(self, mailer: Mailer) -> None:
        for turns in range(12):
            task = asyncio.ensure_future(mailer.send(make_mail(to="cut@example.com")))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        mail = make_mail(to="whole@example.com")
        await mailer.send(mail)
        found = await self.arrived(mailer)
        assert text_of(found[mail.message_id]) == mail.text
        assert all(
            text_of(message) == mail.text and _own(message) == HEADERS for message in found.values()
        )


class RefusingContract(MailerContract):
    """For what can be made to refuse a mail in a test: set what ``refusals`` says."""

    #: Addresses that the other end refuses, and the error that each is.
    refusals: Mapping[str, type[MailRefused] | type[MailDeferred]]

    @contract_test
    async def test_a_refused_mail_is_an_error_and_the_others_arrive(self, mailer: Mailer) -> None:
        for address, error in self.refusals.items():
            with pytest.raises(error) as caught:
                await mailer.send(make_mail(to=address))
            assert type(caught.value) is error
            mail = make_mail()
            await mailer.send(mail)
            found = await self.arrived(mailer)
            assert mail.message_id in found
            assert address not in {str(message["To"]) for message in found.values()}


def _own(message: EmailMessage) -> set[str]:
    """The names of the headers that the mail was made with."""
    return {
        name
        for name in message
        if name not in {"Received", "Content-Transfer-Encoding"} and not name.startswith("X-")
    }


def _ended(text: str) -> str:
    """A body ends with a line end."""
    return text if text.endswith("\n") else f"{text}\n"
