"""The second factor: asked for once it was confirmed, each code once, and a way in without it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine

from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, InvalidInput, TooManyRequests, Unauthenticated
from tests.cms.identity.authenticator import Authenticator
from tests.cms.identity.people import ADA, ELSEWHERE, HOME, PASSWORD, Meet, People

START = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)
OWN = {"password": PASSWORD}
GIVEN = {"email": ADA, "password": PASSWORD}


async def with_factor(people: People) -> tuple[Actor, pyotp.TOTP, list[str]]:
    """Somebody whose second factor was confirmed a minute ago."""
    await people.signed_up()
    ada, _ = await people.browser()
    made = await people.ask("accounts.totp_begin", ada, **OWN)
    app = pyotp.parse_uri(made.uri)
    assert isinstance(app, pyotp.TOTP)
    assert app.secret == made.secret
    done = await people.ask("accounts.totp_confirm", ada, code=app.now())
    return ada, app, done.codes


def test_with_a_second_factor_signing_in_has_two_steps(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            ada, app, _ = await with_factor(people)
            assert (await people.ask("accounts.show", ada)).second_factor
            clock.shift(timedelta(minutes=1))
            first = await people.ask("sessions.create", **GIVEN)
            assert (first.cookie, first.account_id, first.name) == (None, None, "")
            step = {"pending": first.pending}
            with pytest.raises(Unauthenticated, match="wrong"):
                await people.ask("sessions.second_step", **step, code="000000")
            signed = await people.ask("sessions.second_step", **step, code=app.now())
            assert await people.finds(signed.cookie.get_secret_value())
            with pytest.raises(Unauthenticated, match="was used"):
                await people.ask("sessions.second_step", **step, code=app.now())

    meet(scenario)


def test_a_code_counts_once_also_for_two_at_once(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            _, app, codes = await with_factor(people)
            clock.shift(timedelta(minutes=1))
            first = await people.ask("sessions.create", **GIVEN)
            for code in (app.now(), codes[0]):
                tries = await asyncio.gather(
                    *(
                        people.ask("sessions.second_step", pending=first.pending, code=code)
                        for _ in range(2)
                    ),
                    return_exceptions=True,
                )
                assert sum(isinstance(result, Unauthenticated) for result in tries) == 1

    meet(scenario)


def test_a_clock_may_be_a_step_off_and_no_more(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            _, app, _ = await with_factor(people)
            for off, counts in ((-60, False), (-30, True), (30, True), (60, False)):
                clock.shift(timedelta(minutes=5))
                first = await people.ask("sessions.create", **GIVEN)
                code = app.at(datetime.now(UTC) + timedelta(seconds=off))
                second = people.ask("sessions.second_step", pending=first.pending, code=code)
                if counts:
                    await second
                else:
                    with pytest.raises(Unauthenticated):
                        await second

    meet(scenario)


def test_recovery_codes_sign_in_once_each_however_they_are_typed(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, _, codes = await with_factor(people)
        assert len(set(codes)) == 10
        first = await people.ask("sessions.create", **GIVEN)
        typed = f" {codes[3].upper().replace('-', ' ')} "
        await people.ask("sessions.second_step", pending=first.pending, code=typed)
        with pytest.raises(Unauthenticated):
            await people.ask("sessions.second_step", pending=first.pending, code=codes[3])
        new = await people.ask("accounts.recovery_codes", ada, **OWN)
        assert not set(new.codes) & set(codes)
        with pytest.raises(Unauthenticated):
            await people.ask("sessions.second_step", pending=first.pending, code=codes[4])
        await people.ask("sessions.second_step", pending=first.pending, code=new.codes[0])

    meet(scenario)


def test_a_pending_sign_in_ends_with_time_and_with_the_password(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START) as clock:
            ada, app, codes = await with_factor(people)
            late = (await people.ask("sessions.create", **GIVEN)).pending
            clock.shift(timedelta(minutes=10, seconds=1))
            with pytest.raises(Unauthenticated, match="is over"):
                await people.ask("sessions.second_step", pending=late, code=app.now())
            pending = (await people.ask("sessions.create", **GIVEN)).pending
            account, until, remembered, signature = pending.split(".")
            for made_up in (
                "",
                "...",
                f"{account}.{int(until) + 900}.{remembered}.{signature}",
                f"{account}.{until}.1.{signature}",
                f"{account}.{until}.{remembered}.{'A' * 22}",
                f"{account}.x.{remembered}.{signature}",
                "\ud800",
            ):
                with pytest.raises((Unauthenticated, InvalidInput)):
                    await people.ask("sessions.second_step", pending=made_up, code=codes[0])
            new = "four unlikely words together"
            await people.ask("accounts.change_password", ada, old=PASSWORD, new=new)
            with pytest.raises(Unauthenticated, match="is over"):
                await people.ask("sessions.second_step", pending=pending, code=codes[0])

    meet(scenario)


def test_codes_are_not_guessed(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel(START):
            _, _, codes = await with_factor(people)
            first = await people.ask("sessions.create", ELSEWHERE, **GIVEN)
            step = {"pending": first.pending}
            for _ in range(4):
                with pytest.raises(Unauthenticated):
                    await people.ask("sessions.second_step", ELSEWHERE, **step, code="000000")
            with pytest.raises(TooManyRequests):
                await people.ask("sessions.second_step", ELSEWHERE, **step, code=codes[0])
            # The owner, at home, is not kept out.
            own = await people.ask("sessions.create", HOME, **GIVEN)
            await people.ask("sessions.second_step", HOME, pending=own.pending, code=codes[0])

    meet(scenario)


def test_a_second_factor_is_confirmed_before_it_is_asked_for(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        for action in ("accounts.totp_begin", "accounts.totp_remove", "accounts.recovery_codes"):
            with pytest.raises(Unauthenticated):
                await people.ask(action, ada, password="not the password")
        with pytest.raises(Conflict, match="being set up"):
            await people.ask("accounts.totp_confirm", ada, code="123456")
        with pytest.raises(Conflict, match="no second factor"):
            await people.ask("accounts.recovery_codes", ada, **OWN)
        made = await people.ask("accounts.totp_begin", ada, **OWN)
        for code in ("", "abc", "١٢٣٤٥٦", "0" * 64):
            with pytest.raises(InvalidInput):
                await people.ask("accounts.totp_confirm", ada, code=code)
        await people.browser()
        app = pyotp.TOTP(made.secret)
        await people.ask("accounts.totp_confirm", ada, code=app.now())
        with pytest.raises(Conflict, match="Remove it first"):
            await people.ask("accounts.totp_begin", ada, **OWN)
        await people.ask("accounts.totp_remove", ada, **OWN)
        await people.browser()

    meet(scenario)


def test_whoever_changes_how_an_account_is_signed_in_to_its_owner_is_told(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, app, _ = await with_factor(people)
        (mail,) = await people.mails()
        assert mail.subject == "How you sign in to your account at MOSAIC was changed"
        assert "A second factor is asked for from now on" in mail.text
        await people.ask("accounts.recovery_codes", ada, **OWN)
        assert "new recovery codes" in (await people.mails())[0].text
        first = await people.ask("sessions.create", **GIVEN)
        await people.rule("accounts.reset_factor", email=ADA)
        assert "No second factor is asked for" in (await people.mails())[0].text
        with pytest.raises(Unauthenticated):
            await people.ask("sessions.second_step", pending=first.pending, code=app.now())
        await people.browser()
        device = Authenticator()
        begun = await people.ask("passkeys.begin", ada, **OWN)
        made = device.make(begun.options)
        view = await people.ask("passkeys.add", ada, name="Key", credential=made)
        assert "A new passkey signs in to" in (await people.mails())[0].text
        await people.ask("passkeys.remove", ada, id=view.id, **OWN)
        assert "A passkey was removed" in (await people.mails())[0].text

    meet(scenario)
