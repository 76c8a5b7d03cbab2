"""Whoever asks about an address learns nothing from the answer, nor from the work behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event

from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.store import Kept
from mosaic_core.errors import MosaicError
from tests.cms.identity.people import ADA, PASSWORD, Meet, People
from tests.platforms import engine_of

EVE = "eve@example.com"


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("accounts.sign_up", {"name": "Ada", "password": PASSWORD}),
        ("accounts.request_reset", {}),
        ("sessions.create", {"password": "a wrong password"}),
    ],
)
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


def test_what_is_written_for_a_new_password_is_the_same_for_any_address(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        engine = engine_of(people.product.platform.directory.database)
        done: list[str] = []
        event.listen(engine, "after_cursor_execute", lambda *given: done.append(given[2]))
        seen = []
        for email in (ADA, EVE):
            done.clear()
            await people.ask("accounts.request_reset", email=email)
            seen.append(list(done))
        assert seen[0] == seen[1]
        (mail,) = await people.mails()
        assert mail.to == ADA

    meet(scenario)


async def _look_that_is_overtaken(kept: Kept[str, int]) -> int | None:
    async def look() -> int:
        kept.clear()  # something changes while the database answers
        return 1

    return await kept.look_up("key", look)


def test_what_was_found_before_a_change_is_not_kept_after_it() -> None:
    kept: Kept[str, int] = Kept()
    assert asyncio.run(_look_that_is_overtaken(kept)) == 1
    assert kept.get("key") is None
