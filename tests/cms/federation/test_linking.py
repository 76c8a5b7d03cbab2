"""Whom an issuer vouches for gets into the account that is theirs, and into no other."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from mosaic_cms.scope import SYSTEM
from mosaic_core.errors import (
    Conflict,
    Denied,
    IdentityRefused,
    IdentityTampered,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from mosaic_core.testing.fakes import MemoryIdentity
from tests.cms.federation.conftest import TRUSTED, WAY, Federated, Meet
from tests.cms.identity.people import ADA, ELSEWHERE, PASSWORD

WHO = MemoryIdentity().who
STRANGER = replace(WHO, subject="stranger")


def test_who_is_not_known_gets_an_account_and_is_known_from_then_on(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        first = await people.comes(WHO, return_to="/welcome")
        assert (first.name, first.return_to, first.linked) == ("Ada", "/welcome", False)
        assert await people.finds(first.cookie.get_secret_value())
        shown = await people.ask("accounts.show", people.actor(first))
        assert (shown.email, shown.verified, shown.has_password) == (WHO.email, True, False)
        # Whatever the issuer says of them later, they are who they are.
        moved = replace(WHO, email="new@example.org", email_verified=False, name="Countess")
        assert (await people.comes(moved)).account_id == first.account_id
        other = replace(STRANGER, email="bob@example.com")
        assert (await people.comes(other)).account_id != first.account_id

    meet(scenario)


def test_an_address_links_when_the_issuer_and_we_have_seen_that_it_is_theirs(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        await people.signed_up(ADA)
        mine, _ = await people.browser()
        signed = await people.comes(replace(WHO, email=ADA.swapcase()))
        assert str(signed.account_id) == mine.name
        (mail,) = await people.mails()
        assert "signs in from now on" in mail.text
        (link,) = await people.ask("identities.list", mine)
        assert (link.issuer, link.title) == (WHO.issuer, "Memory")

    meet(scenario)


NOBODYS = (
    replace(STRANGER, email_verified=False),
    replace(STRANGER, email=""),
    replace(STRANGER, email="no address"),
    replace(STRANGER, email="ada@exa\nmple.com"),
    replace(STRANGER, email="\ud800@example.com"),
)


def test_an_address_that_nobody_vouches_for_links_and_makes_nothing(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        told = set()
        for who in NOBODYS:
            with pytest.raises(Denied, match="Nobody vouches") as caught:
                await people.comes(who)
            told.add(str(caught.value))
        await people.signed_up(ADA)
        for who in NOBODYS:
            with pytest.raises(Denied, match="link the two") as caught:
                await people.comes(who)
            told.add(str(caught.value))
        assert len(told) == 1, "nobody learns who has an account"
        assert len(await people.rule("accounts.list")) == 1

    meet(scenario)


def test_an_account_that_somebody_else_may_have_made_is_its_owners_from_then_on(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        """Somebody signs up with an address that is not theirs, and waits for its owner."""
        given = {"email": ADA, "name": "Mallory", "password": PASSWORD}
        await people.ask("accounts.sign_up", **given)
        token = await people.token()
        signed = await people.comes(WHO)
        shown = await people.ask("accounts.show", people.actor(signed))
        assert (shown.name, shown.verified, shown.has_password) == ("Ada", True, False)
        with pytest.raises(Unauthenticated):
            await people.browser(ADA, PASSWORD)
        with pytest.raises(InvalidInput, match="does not count"):
            await people.ask("accounts.verify", token=token, password=PASSWORD)
        assert (await people.comes(WHO)).account_id == signed.account_id

    meet(scenario)


def test_where_nobody_signs_up_who_is_invited_gets_an_account(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        with pytest.raises(Denied, match="Nobody can sign up here"):
            await people.comes(WHO)
        given = {"email": WHO.email, "role": "editor"}
        await people.deployment.do("invitations.create", **given)
        assert (await people.comes(WHO)).account_id is not None

    meet(scenario, identity={"sign_up": False})


def test_a_second_factor_is_asked_for_unless_the_issuer_has(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        mine = people.actor(await people.comes(WHO))
        await people.mails()
        secret = await _second_factor(people, mine.name)
        half = await people.comes(WHO, remember=True)
        assert half.pending
        assert half.cookie is None
        code = pyotp.TOTP(secret).at(0)
        with pytest.raises(Unauthenticated):
            await people.ask("sessions.second_step", pending=half.pending, code=code)
        with later(seconds=60):
            code = pyotp.TOTP(secret).now()
            given = {"pending": half.pending, "code": code}
            whole = await people.ask("sessions.second_step", **given)
            assert whole.max_age is not None, "it was to be remembered"
        assert (await people.comes(WHO, way=TRUSTED)).cookie is not None

    meet(scenario)


async def _second_factor(people: Federated, account: str) -> str:
    factor, account_id = people.product.identity.second_factor, uuid.UUID(account)
    made = await factor.begin(account_id, SYSTEM)
    await factor.confirm(account_id, pyotp.TOTP(made.secret).now(), SYSTEM)
    return made.secret


def later(**given: float) -> Any:
    """Some time from now; the clock goes on."""
    return time_machine.travel(datetime.now(UTC) + timedelta(**given), tick=True)


def test_a_closed_account_stays_closed(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        await people.comes(WHO)
        await people.rule("accounts.deactivate", email=WHO.email)
        with pytest.raises(Denied, match="closed"):
            await people.comes(WHO)

    meet(scenario)


def test_a_sign_in_counts_once_in_its_own_browser_and_for_a_while(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        issuer = people.issuer
        cookie, begun = await people.away()
        answer = issuer.answer(begun)
        other, _ = await people.away()
        with pytest.raises(IdentityTampered, match="another sign-in"):
            await people.back(other, answer)  # the victim of somebody who wants them signed in
        for forged in ("", "x", cookie[:-2] + "xx", "\ud800"):
            with pytest.raises(Unauthenticated, match="not begun in this browser"):
                await people.back(forged, answer)
        with pytest.raises(Unauthenticated):
            await people.back(cookie, answer, TRUSTED)
        outcomes = await asyncio.gather(
            *(people.back(cookie, answer) for _ in range(5)), return_exceptions=True
        )
        assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
        cookie, begun = await people.away()
        with pytest.raises(IdentityRefused):
            await people.back(cookie, issuer.answer(begun, declines=True))
        with pytest.raises(Unauthenticated):
            await people.back(cookie, issuer.answer(begun))
        cookie, begun = await people.away()
        with later(seconds=601), pytest.raises(Unauthenticated):
            await people.back(cookie, issuer.answer(begun))
        sealed = people.product.identity.secrets.seal(b'{"kind": "something else"}').decode()
        with pytest.raises(Unauthenticated):
            await people.back(sealed, answer)

    meet(scenario)


def test_a_session_that_somebody_planted_ends(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        planted = await people.comes(replace(STRANGER, email="mallory@example.com"))
        cookie = planted.cookie.get_secret_value()
        await people.comes(WHO, actor=people.actor(planted))
        assert not await people.finds(cookie)

    meet(scenario)


ELSEWHERES = (
    *("", "//evil.example", "/\\evil.example", "\\evil.example", "https://evil.example/"),
    *("/\t/evil.example", "/\r\nSet-Cookie: x", "/ü", "/a b", "javascript:alert(1)", "a/b"),
    *("/x\\..\\..", "/" + "x" * 500),
)


def test_nobody_is_returned_to_somewhere_else(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        for place in ELSEWHERES:
            with pytest.raises(InvalidInput):
                await people.away(return_to=place)

    meet(scenario)


def test_who_tries_too_often_waits(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        for _ in range(60):
            cookie, begun = await people.away()
            with pytest.raises(IdentityRefused):
                await people.back(cookie, people.issuer.answer(begun, declines=True))
        cookie, begun = await people.away()
        answer = people.issuer.answer(begun)
        with pytest.raises(TooManyRequests) as caught:
            await people.back(cookie, answer)
        assert caught.value.hint.endswith(" s, or sign in with a password.")
        assert (await people.back(cookie, answer, actor=ELSEWHERE)).cookie is not None

    meet(scenario)


def test_who_signs_in_takes_nothing_from_who_does_in_the_same_network(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        for _ in range(59):
            cookie, begun = await people.away()
            with pytest.raises(IdentityRefused):
                await people.back(cookie, people.issuer.answer(begun, declines=True))
        for _ in range(3):
            assert (await people.comes(WHO)).cookie is not None

    meet(scenario)


# From one's account


def test_who_is_signed_in_links_whatever_address_the_issuer_has(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        await people.signed_up(ADA)
        mine, _ = await people.browser()
        unverified = replace(STRANGER, email="other@example.org", email_verified=False)
        people.issuer.who = unverified
        for wrong in ({}, {"password": "another battery horse"}):
            with pytest.raises(Unauthenticated):
                await people.links(mine, **wrong)
        linked = await people.links(mine, password=PASSWORD, return_to="/account/")
        assert (linked.linked, linked.cookie, linked.return_to) == (True, None, "/account/")
        await people.links(mine, password=PASSWORD)  # again: nothing more
        (link,) = await people.ask("identities.list", mine)
        assert link.email == "", "it never counted as theirs"
        assert str((await people.comes(unverified)).account_id) == mine.name
        other = people.actor(await people.comes(replace(WHO, email="bob@example.com")))
        people.issuer.who = unverified
        with pytest.raises(Conflict, match="another account"):
            await people.links(other)
        await people.ask("identities.remove", mine, id=link.id, password=PASSWORD)
        with pytest.raises(NotFound):
            await people.ask("identities.remove", mine, id=link.id, password=PASSWORD)
        with pytest.raises(Denied):
            await people.comes(unverified)
        told = [mail.text for mail in await people.mails() if mail.to.lower() == ADA.lower()]
        assert "signs in from now on" in told[0]
        assert "does not sign in any more" in told[1]

    meet(scenario)


def test_a_link_that_was_begun_by_another_is_not_ended_by_who_is_signed_in(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        ada = people.actor(await people.comes(WHO))
        bob = people.actor(await people.comes(replace(STRANGER, email="bob@example.com")))
        sent = await people.ask("identities.begin", bob, way=WAY)
        cookie = sent.sealed.get_secret_value()
        for actor in (ada, "192.0.2.9"):
            with pytest.raises(Unauthenticated, match="not signed in any more"):
                await people.back(cookie, {"state": "x"}, actor=actor)

    meet(scenario)


def test_the_last_thing_that_signs_in_stays(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        mine = people.actor(await people.comes(WHO))
        (link,) = await people.ask("identities.list", mine)
        with pytest.raises(Conflict, match="all that signs in"):
            await people.ask("identities.remove", mine, id=link.id)
        people.issuer.who = STRANGER
        await people.links(mine)
        await people.ask("identities.remove", mine, id=link.id)
        (left,) = await people.ask("identities.list", mine)
        with pytest.raises(Conflict):
            await people.ask("identities.remove", mine, id=left.id)
        with later(minutes=11), pytest.raises(Unauthenticated, match="shown anew"):
            await people.links(mine)

    meet(scenario)


def test_what_is_sealed_and_what_signs_in_is_in_no_dump(meet: Meet) -> None:
    async def scenario(people: Federated) -> None:
        sent = await people.ask("sign_in.begin", way=WAY)
        assert sent.model_dump().keys() == {"address"}
        back = await people.comes(WHO)
        secret = back.cookie.get_secret_value()
        assert secret not in back.model_dump_json()
        assert secret not in repr(back)

    meet(scenario)
