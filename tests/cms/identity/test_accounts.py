"""Signing up, verifying an address, setting a password anew, changing what one is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import time_machine

from mosaic_core.errors import (
    Conflict,
    Denied,
    InvalidInput,
    InvalidMail,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import ADA, ELSEWHERE, HOME, PASSWORD, Meet, People, cheaply

OTHER = "four unlikely words together"


def test_somebody_signs_up_confirms_their_address_and_signs_in(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        given = {"email": ADA, "name": "Ada", "password": PASSWORD}
        await people.ask("accounts.sign_up", **given)
        token = await people.token()
        with pytest.raises(Denied, match="not verified"):
            await people.browser()
        await people.ask("accounts.verify", token=token, password=PASSWORD)
        ada, cookie = await people.browser()
        assert await people.finds(cookie)
        view = await people.ask("accounts.show", ada)
        assert (view.email, view.name, view.verified, view.has_password) == (ADA, "Ada", True, True)
        # Whatever the case of the address: it is one person's.
        await people.browser(ADA.upper())

    meet(scenario)


def test_who_signs_up_with_a_known_address_learns_nothing_and_its_owner_all(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        new = await people.ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)
        (mail,) = await people.mails()
        assert mail.subject == "Confirm your address for MOSAIC"
        await people.ask("accounts.reset", token=await _reset(people), password=PASSWORD)
        await people.mails()
        known = await people.ask("accounts.sign_up", email=ADA, name="Eve", password=OTHER)
        assert known == new
        (mail,) = await people.mails()
        assert mail.subject == "You have an account at MOSAIC"
        assert "token=" not in mail.text
        assert "Eve" not in mail.text
        await people.browser()  # all is as it was
        with pytest.raises(Unauthenticated):
            await people.browser(password=OTHER)

    meet(scenario)


async def _reset(people: People) -> str:
    await people.ask("accounts.request_reset", email=ADA)
    return await people.token()


def test_nobody_gets_an_account_confirmed_by_its_victim(meet: Meet) -> None:
    """Eve signs up with Ada's address and waits for Ada to follow the link."""

    async def scenario(people: People) -> None:
        await people.ask("accounts.sign_up", email=ADA, name="Eve", password=OTHER)
        token = await people.token()
        with pytest.raises(Unauthenticated):
            await people.ask("accounts.verify", token=token, password=PASSWORD)
        await people.ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)
        fresh = await people.token()
        with pytest.raises(InvalidInput, match="does not count"):
            await people.ask("accounts.verify", token=token, password=OTHER)
        await people.ask("accounts.verify", token=fresh, password=PASSWORD)
        with pytest.raises(Unauthenticated):
            await people.browser(password=OTHER)
        ada, _ = await people.browser()
        assert (await people.ask("accounts.show", ada)).name == "Ada"

    meet(scenario)


def test_a_reset_link_works_once_also_for_two_at_once(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        _, cookie = await people.browser()
        token = await _reset(people)
        used = await asyncio.gather(
            *(people.ask("accounts.reset", token=token, password=OTHER) for _ in range(3)),
            return_exceptions=True,
        )
        assert sorted(isinstance(answer, InvalidInput) for answer in used) == [False, True, True]
        with pytest.raises(InvalidInput, match="does not count"):
            await people.ask("accounts.reset", token=token, password=PASSWORD)
        assert not await people.finds(cookie)
        (told,) = await people.mails()
        assert told.subject == "The password of your account at MOSAIC was changed"
        await people.browser(password=OTHER)

    meet(scenario)


def test_a_link_expires(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel("2031-01-15T08:00Z") as clock:
            await people.signed_up()
            token = await _reset(people)
            await people.ask("accounts.request_reset", email=ADA)
            clock.shift(timedelta(hours=1))
            with pytest.raises(InvalidInput):
                await people.ask("accounts.reset", token=token, password=OTHER)
            assert await people.mails() == []  # a letter that would be of no use is not sent

    meet(scenario)


def test_a_request_to_reset_says_nothing_about_who_has_an_account(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        known = await people.ask("accounts.request_reset", email=ADA)
        assert len(await people.mails()) == 1
        assert await people.ask("accounts.request_reset", email="eve@example.com") == known
        await people.rule("accounts.deactivate", email=ADA)
        assert await people.ask("accounts.request_reset", email=ADA) == known
        assert await people.mails() == []

    meet(scenario)


def test_an_address_gets_only_so_many_mails(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        for number in range(8):
            given = {"email": ADA, "name": "Ada", "password": PASSWORD}
            await people.ask("accounts.sign_up", f"192.0.2.{number + 9}", **given)
        assert len(await people.mails()) == 4  # and the one before
        for number in range(8):
            await people.ask("accounts.request_reset", f"192.0.2.{number + 9}", email=ADA)
        assert len(await people.mails()) == 5
        for number in range(29):  # with the one who signed up
            await people.ask("accounts.request_reset", email=f"a{number}@example.com")
        with pytest.raises(TooManyRequests) as refused:
            await people.ask("accounts.request_reset", email="one.more@example.com")
        assert 0 < refused.value.retry_after <= 3600

    meet(scenario)


def test_a_changed_password_ends_the_other_sessions(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, here = await people.browser()
        _, there = await people.browser(address=ELSEWHERE)
        link = await _reset(people)
        with pytest.raises(Unauthenticated, match="not the account's password"):
            await people.ask("accounts.change_password", ada, old="wrong", new=OTHER)
        with pytest.raises(InvalidInput, match="very common"):
            await people.ask("accounts.change_password", ada, old=PASSWORD, new="password1234")
        assert await people.finds(there)
        await people.ask("accounts.change_password", ada, old=PASSWORD, new=OTHER)
        assert await people.finds(here)
        assert not await people.finds(there)
        with pytest.raises(InvalidInput):  # what was on its way counts no more
            await people.ask("accounts.reset", token=link, password=PASSWORD)
        with pytest.raises(Unauthenticated):
            await people.browser()
        await people.browser(password=OTHER)

    meet(scenario)


def test_an_address_is_changed_when_the_new_one_is_confirmed(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        await people.ask("accounts.change_address", ada, email="ada@new.example", password=PASSWORD)
        (mail,) = await people.mails()
        assert mail.to == "ada@new.example"
        assert (await people.ask("accounts.show", ada)).email == ADA
        token = mail.text.partition("?token=")[2].split()[0]
        with pytest.raises(Unauthenticated):  # a stranger at a mistyped address
            await people.ask("accounts.verify", token=token, password=OTHER)
        await people.ask("accounts.verify", token=token, password=PASSWORD)
        assert (await people.ask("accounts.show", ada)).email == "ada@new.example"
        (told,) = await people.mails()
        assert told.to == ADA
        assert "ada@new.example" in told.text
        await people.browser("ada@new.example")
        with pytest.raises(Unauthenticated):
            await people.browser()

    meet(scenario)


def test_an_address_that_somebody_has_is_not_taken(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        await people.signed_up("bob@example.com")
        ada, _ = await people.browser()
        given = {"email": "bob@example.com", "password": PASSWORD}
        answer = await people.ask("accounts.change_address", ada, **given)
        (told,) = await people.mails()
        assert (told.to, told.subject) == ("bob@example.com", "You have an account at MOSAIC")
        # The same for an address that becomes somebody's while the link is on its way.
        given["email"] = "carl@example.com"
        assert await people.ask("accounts.change_address", ada, **given) == answer
        token = await people.token()
        await people.signed_up("carl@example.com")
        with pytest.raises(Conflict, match="in use"):
            await people.ask("accounts.verify", token=token, password=PASSWORD)
        assert (await people.ask("accounts.show", ada)).email == ADA

    meet(scenario)


def test_who_never_showed_that_an_address_is_theirs_keeps_nobody_from_it(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        new = "new@example.com"
        await people.ask("accounts.sign_up", email=new, name="Eve", password=OTHER)
        planted = await people.token()
        await people.ask("accounts.change_address", ada, email=new, password=PASSWORD)
        await people.ask("accounts.verify", token=await people.token(), password=PASSWORD)
        assert (await people.ask("accounts.show", ada)).email == new
        with pytest.raises(InvalidInput, match="does not count"):
            await people.ask("accounts.verify", token=planted, password=OTHER)
        with pytest.raises(Unauthenticated):
            await people.browser(new, OTHER)
        await people.browser(new)

    meet(scenario)


def test_who_operators_made_a_member_keeps_their_address(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        new = "new@example.com"
        await people.rule("accounts.create", email=new, name="Bob")
        await people.deployment.do("members.add", email=new, role="viewer")
        await people.mails()
        await people.ask("accounts.change_address", ada, email=new, password=PASSWORD)
        with pytest.raises(Conflict, match="in use"):
            await people.ask("accounts.verify", token=await people.token(), password=PASSWORD)

    meet(scenario)


def test_a_name_is_changed_and_is_one_line(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, _ = await people.browser()
        view = await people.ask("accounts.change", ada, name="Ada\x00\nLovelace")
        assert view.name == "Ada Lovelace"
        for name in ("", "\n", "x" * 101):
            with pytest.raises(InvalidInput):
                await people.ask("accounts.change", ada, name=name)

    meet(scenario)


def test_a_closed_account_is_signed_out_and_nobody_signs_in(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        ada, cookie = await people.browser()
        assert await people.finds(cookie)
        await people.rule("accounts.deactivate", email=ADA)
        assert not await people.finds(cookie)
        with pytest.raises(Unauthenticated):
            await people.browser(password=OTHER)
        with pytest.raises(Denied, match="closed"):
            await people.browser()
        with pytest.raises(NotFound):
            await people.ask("accounts.show", ada)
        await people.rule("accounts.activate", email=ADA)
        await people.browser()

    meet(scenario)


def test_an_operator_makes_an_account_whose_owner_sets_the_password(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.rule("accounts.create", email=ADA, name="Ada")
        with pytest.raises(Unauthenticated):
            await people.browser()
        (mail,) = await people.mails()
        assert mail.subject == "Your account at MOSAIC"
        token = mail.text.partition("?token=")[2].split()[0]
        await people.ask("accounts.reset", token=token, password=PASSWORD)
        await people.browser()
        with pytest.raises(Conflict):
            await people.rule("accounts.create", email=ADA.lower(), name="Ada")
        rows = await people.rule("accounts.list")
        assert [(row.email, row.verified) for row in rows] == [(ADA, True)]

    meet(scenario)


def test_where_nobody_signs_up_nobody_does(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        cheaply(deployment.product)
        people = People(deployment)
        with pytest.raises(Denied, match="Nobody can sign up here"):
            await people.ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)

    deployments(scenario, identity={"sign_up": False})


def test_a_token_that_was_made_up_does_nothing(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        for token in ("", "x", "A" * 43, "\x00", "ü" * 43, "\ud800", "../" * 20, "x" * 300):
            for action in ("accounts.verify", "accounts.reset"):
                with pytest.raises(InvalidInput):
                    await people.ask(action, token=token, password=PASSWORD)

    meet(scenario)


def test_what_is_no_address_or_password_is_refused(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        given = {"name": "Ada", "password": PASSWORD}
        for email in ("", "ada", "a@b@c", "a@b.example\nBcc: x@y.example", "\x00@b.example"):
            with pytest.raises((InvalidMail, InvalidInput)):
                await people.ask("accounts.sign_up", email=email, **given)
            with pytest.raises((InvalidMail, InvalidInput)):
                await people.browser(email)
        for password in ("", "x" * 1_001, "\ud800" * 20, None, 7):
            with pytest.raises(InvalidInput):
                await people.ask("accounts.sign_up", email=ADA, name="Ada", password=password)
        assert await people.mails() == []
        assert await people.rule("accounts.list") == []

    meet(scenario)


def test_somebody_without_an_account_of_their_own_is_told_so(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with pytest.raises(Denied, match="own account"):
            await people.rule("accounts.show")
        with pytest.raises(Denied, match="whoever is signed in"):
            await people.ask("accounts.show", HOME)

    meet(scenario)
