"""The suite of the mail contract fails what breaks it: each fault here is noticed by a test."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from mosaic_core.errors import MailDeferred, MailError, MailRefused, MailUnavailable
from mosaic_core.mail import Mail, Mailer
from mosaic_core.testing.fakes import MemoryMailer
from mosaic_core.testing.mail import RefusingContract
from mosaic_core.types import new_id
from tests.contracts.test_the_suites_notice import failing, provided

REFUSED, DEFERRED = "nobody@example.com", "later@example.com"


def answer(mail: Mail) -> MailError | None:
    kinds: dict[str, type[MailError]] = {REFUSED: MailRefused, DEFERRED: MailDeferred}
    return kinds[mail.to](mail.to) if mail.to in kinds else None


class Kept(MemoryMailer):
    """Does it properly. ``out`` is what arrived at the other end."""

    def __init__(self) -> None:
        super().__init__(answer)

    @property
    def out(self) -> list[bytes]:
        return [mail.as_bytes() for mail in self.sent]


class Changing(Kept):
    """Has something done to each mail on its way."""

    def change(self, mail: Mail) -> Mail:
        raise NotImplementedError

    async def send(self, mail: Mail) -> None:
        await super().send(self.change(mail))


class Plain(Changing):
    """Leaves the HTML out."""

    def change(self, mail: Mail) -> Mail:
        return dataclasses.replace(mail, html=None)


class Unanswerable(Changing):
    """Forgets who gets the answers."""

    def change(self, mail: Mail) -> Mail:
        return dataclasses.replace(mail, reply_to=None)


class Renaming(Changing):
    """Gives each mail an id of its own."""

    def change(self, mail: Mail) -> Mail:
        return dataclasses.replace(mail, message_id=f"{new_id().hex}@mosaic.example")


class Cutting(Changing):
    """Has room for so much."""

    def change(self, mail: Mail) -> Mail:
        return dataclasses.replace(mail, text=mail.text[:4_000])


class Shortening(Changing):
    """Has room for a subject of one line."""

    def change(self, mail: Mail) -> Mail:
        return dataclasses.replace(mail, subject=mail.subject[:70])


class Unstuffed(Kept):
    """Leaves out the dots at the beginning of lines, as one who forgot them once too often."""

    @property
    def out(self) -> list[bytes]:
        return [content.replace(b"\n.", b"\n") for content in super().out]


class Adding(Kept):
    """Adds who else is to get it."""

    @property
    def out(self) -> list[bytes]:
        return [b"Bcc: archive@example.com\r\n" + content for content in super().out]


class Mixing(Kept):
    """Keeps the mail that it is at where others reach it."""

    async def send(self, mail: Mail) -> None:
        self.current = mail
        await asyncio.sleep(0)
        await super().send(self.current)


class Twice(Kept):
    """Makes sure."""

    async def send(self, mail: Mail) -> None:
        await super().send(mail)
        self.sent.append(mail)


class Silent(Kept):
    """Says that all went well."""

    async def send(self, mail: Mail) -> None:
        try:
            await super().send(mail)
        except MailError:
            return


class Vague(Kept):
    """Knows one kind of error."""

    async def send(self, mail: Mail) -> None:
        try:
            await super().send(mail)
        except MailError as error:
            raise MailUnavailable(error.message) from error


class Losing(Kept):
    """Forgets the next one when one was refused."""

    lose = False

    async def send(self, mail: Mail) -> None:
        if self.lose:
            self.lose = False
            return
        self.lose = answer(mail) is not None
        await super().send(mail)


class Stuck(Kept):
    """Does not get over one that was cancelled."""

    busy = False

    async def send(self, mail: Mail) -> None:
        if self.busy:
            return
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        await super().send(mail)


FAULTS: dict[type[Kept], str] = {
    Plain: "a_mail_arrives_with_all_that_it_has",
    Unanswerable: "a_mail_arrives_with_all_that_it_has",
    Renaming: "a_repeat_is_recognised_by_its_id",
    Cutting: "a_long_mail_arrives_whole",
    Shortening: "any_subject_arrives_and_is_the_only_thing_that_it_becomes",
    Unstuffed: "any_text_arrives_as_it_is",
    Adding: "a_mail_arrives_with_nothing_that_it_does_not_have",
    Mixing: "many_at_once_arrive_each_at_its_own_address",
    Twice: "many_at_once_arrive_each_at_its_own_address",
    Silent: "a_refused_mail_is_an_error_and_the_others_arrive",
    Vague: "a_refused_mail_is_an_error_and_the_others_arrive",
    Losing: "a_refused_mail_is_an_error_and_the_others_arrive",
    Stuck: "one_that_is_cancelled_does_not_harm_the_next",
}


def suite(mailer: type[Kept]) -> type[RefusingContract]:
    class Suite(RefusingContract):
        provider = provided(lambda services: mailer())
        refusals = {REFUSED: MailRefused, DEFERRED: MailDeferred}

        async def received(self, mailer: Mailer) -> Sequence[bytes]:
            assert isinstance(mailer, Kept)
            return mailer.out

    return Suite


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_mailer_fails(fault: type[Kept], tmp_path: Path) -> None:
    test = getattr(suite(fault)(), f"test_{FAULTS[fault]}")
    with pytest.raises((AssertionError, KeyError, MailError, pytest.fail.Exception)):
        test("faulty", tmp_path)


def test_one_that_does_it_properly_fails_nothing(tmp_path: Path) -> None:
    assert failing(suite(Kept), tmp_path) == set()
