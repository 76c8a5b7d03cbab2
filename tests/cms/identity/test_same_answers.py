"""Whoever asks about an address learns nothing from the answer, nor from the work behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, func, select

from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.store import Kept
from mosaic_core.database import PlatformBase
from mosaic_core.errors import MosaicError, Unauthenticated
from mosaic_core.head import PLATFORM
from tests.cms.identity.people import ADA, ELSEWHERE, PASSWORD, Meet, People, token_in
from tests.platforms import engine_of

EVE = "eve@example.com"


ASKED = [
    ("accounts.sign_up", {"name": "Ada", "password": PASSWORD}),
    ("accounts.request_reset", {}),
    ("sessions.create", {"password": "a wrong password"}),
]


@pytest.mark.parametrize(("action", "more"), ASKED)
def test_an_address_with_an_account_is_answered_like_one_without(
    meet: Meet, monkeypatch: pytest.MonkeyPatch, action: str, more: dict[str, Any]
) -> None:
    work: Counter[str] = Counter()
    for name in ("hash", "matches", "require_good"):
        real = getattr(Passwords, name)

        async def counted(
            self: Passwords, *given: Any, _real: Any = real, _name: str = name, **named: Any
        ) -> Any:
            work[_name] += 1
            return await _real(self, *given, **named)

        monkeypatch.setattr(Passwords, name, counted)

    async def scenario(people: People) -> None:
        await people.signed_up()
        directory = people.product.platform.directory
        seen = []
        for email in (ADA, EVE):
            work.clear()
            before = directory.version
            try:
                answer: Any = await people.ask(action, email=email, **more)
            except MosaicError as error:
                answer = (type(error), str(error))
            await directory.refresh(now=True)
            seen.append((answer, dict(work), directory.version - before))
        assert seen[0] == seen[1]
        assert seen[0][2] == 1  # one write

    meet(scenario)


@pytest.fixture
def days_later() -> Iterator[Callable[[], None]]:
    """Has what is remembered for a day be forgotten: tries, and how many mails an address got."""
    with time_machine.travel("2031-01-15T08:00Z") as clock:
        yield lambda: clock.shift(timedelta(days=2))


async def known_ones(people: People) -> dict[str, str]:
    """Addresses by what there is of them."""
    await people.signed_up()
    unverified, closed = "unverified@example.com", "closed@example.com"
    await people.signed_up(closed)
    await people.rule("accounts.deactivate", email=closed)
    await people.ask("accounts.sign_up", email=unverified, name="Una", password=PASSWORD)
    await people.mails()
    return {"known": ADA, "unverified": unverified, "closed": closed, "unknown": EVE}


@pytest.mark.parametrize(("action", "more"), ASKED)
def test_the_same_statements_write_the_same_rows_for_any_address(
    meet: Meet, days_later: Callable[[], None], action: str, more: dict[str, Any]
) -> None:
    async def scenario(people: People) -> None:
        addresses = await known_ones(people)
        days_later()
        engine = engine_of(people.product.platform.directory.database)
        done: list[str] = []
        event.listen(engine, "after_cursor_execute", lambda *given: done.append(given[2]))
        seen: dict[str, Any] = {}
        # Of a network that was heard of before; by its own owners it is another matter.
        for kind, email in ({"first": "first@example.com"} | addresses).items():
            before = await rows_by_kind(people)
            done.clear()
            with contextlib.suppress(Unauthenticated):
                await people.ask(action, ELSEWHERE, email=email, **more)
            statements = list(done)
            seen[kind] = (statements, await rows_by_kind(people) - before)
        del seen["first"]
        assert all(told == seen["unknown"] for told in seen.values())
        assert len(seen["unknown"][0]) > 5
        assert seen["unknown"][1]

    meet(scenario)


def test_whoever_changes_their_address_learns_nothing_of_others(
    meet: Meet, days_later: Callable[[], None]
) -> None:
    async def scenario(people: People) -> None:
        addresses = await known_ones(people)
        days_later()
        await people.signed_up("own@example.com")
        own, _ = await people.browser("own@example.com")
        engine = engine_of(people.product.platform.directory.database)
        done: list[str] = []
        event.listen(engine, "after_cursor_execute", lambda *given: done.append(given[2]))
        seen = []
        for email in addresses.values():
            before = await rows_by_kind(people)
            done.clear()
            answer = await people.ask(
                "accounts.change_address", own, email=email, password=PASSWORD
            )
            statements = list(done)
            seen.append((answer, statements, await rows_by_kind(people) - before))
        assert all(told == seen[0] for told in seen)

    meet(scenario)


def test_what_differs_is_said_by_mail(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        addresses = await known_ones(people)
        for email in addresses.values():
            await people.ask("accounts.sign_up", email=email, name="Eve", password=PASSWORD)
        found = {mail.to: mail.subject for mail in await people.mails()}
        assert found == {
            ADA: "You have an account at MOSAIC",
            addresses["unverified"]: "Confirm your address for MOSAIC",
            addresses["closed"]: "You have an account at MOSAIC",
            EVE: "Confirm your address for MOSAIC",
        }

    meet(scenario)


def test_a_letter_that_is_tried_again_is_about_the_same_account_and_link(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.ask("accounts.sign_up", email=EVE, name="Eve", password=PASSWORD)
        await people.ask(
            "accounts.sign_up", email=EVE, name="Eva", password="a later long password"
        )
        (first, second) = await asked(people, "sign-up-asked")
        did = people.product.identity.asked
        one, again = await did.sign_up(first), await did.sign_up(first)
        assert one is not None
        assert one == again
        later = await did.sign_up(second)
        assert later is not None
        assert later.about["token"] == second["token"]
        assert await did.sign_up(first) is None, "what was asked for later counts"
        mails = await people.mails()
        (mail,) = [mail for mail in mails if "?token=" in mail.text]
        given = {"token": token_in(mail), "password": "a later long password"}
        await people.ask("accounts.verify", **given)
        assert await did.sign_up(second) is None, "it has done what it was for"

    meet(scenario)


async def asked(people: People, kind: str) -> list[dict[str, Any]]:
    """What waits in the platform's outbox, in order."""
    async with people.product.identity.store.session() as session:
        payloads = await session.scalars(select(PLATFORM.outbox.c.payload).order_by("id"))
        return [payload for payload in payloads if payload.get("kind") == kind]


async def rows_by_kind(people: People) -> Counter[str]:
    """The rows of every table, entries of the log by what they are about, and letters by form."""
    found: Counter[str] = Counter()
    async with people.product.identity.store.session() as session:
        for table in (*PlatformBase.metadata.tables.values(), PLATFORM.changes, PLATFORM.outbox):
            count = await session.scalar(select(func.count()).select_from(table))
            found[str(table.name)] = count or 0
        log = PLATFORM.changes
        for entity, operation in await session.execute(select(log.c.entity, log.c.operation)):
            found[f"{operation} {entity}"] += 1
        for payload in await session.scalars(select(PLATFORM.outbox.c.payload)):
            found[f"letter {payload['kind']} {sorted(payload)}"] += 1
    return found


async def _look_that_is_overtaken(kept: Kept[str, int]) -> int | None:
    async def look() -> int:
        kept.clear()  # something changes while the database answers
        return 1

    return await kept.look_up("key", look)


def test_what_was_found_before_a_change_is_not_kept_after_it() -> None:
    kept: Kept[str, int] = Kept()
    assert asyncio.run(_look_that_is_overtaken(kept)) == 1
    assert kept.get("key") is None
