"""Which passwords are good enough, and how they are kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.identity.passwords import Passwords
from mosaic_core.errors import InvalidInput, Unauthenticated
from tests.cms.identity.people import ADA, PASSWORD, Meet, People


def run(work: Callable[[Passwords], Awaitable[Any]], parameters: Any = CHEAPEST) -> Any:
    async def main() -> Any:
        return await work(Passwords(parameters))

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "0 characters"),
        ("elevenchars", "11 characters"),
        ("x" * 1_001, "more than 1,000"),
        ("password1234", "very common"),
        ("aaaaaaaaaaaa", "Repeats"),
        ("a" * 1_000, "Repeats"),
        ("qwertyuiop[]", "similar to a commonly used"),
        ("1q2w3e4r5t6y", "very common"),
        ("ada@example.com", "easy to guess"),
        ("lovelacelovelace", "easy to guess|only slightly harder"),
    ],
)
def test_a_password_that_can_be_guessed_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as refused:
        run(lambda p: p.require_good(password, about=("ada@example.com", "Ada Lovelace")))
    assert refused.value.problems[0][0] == "password"
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize(
    "password", [PASSWORD, "Zürich-Vogel-Treppe", "mQ7#vL2!xR9z", "aaaa" * 20 + PASSWORD]
)
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    run(lambda passwords: passwords.require_good(password))


@pytest.mark.parametrize("sign", ["4@8({[<3691!|70$5+%2x", "1234567890!@#$+(", "aA", "ü\u0301"])
def test_no_password_takes_long_to_judge(sign: str) -> None:
    began = time.process_time()
    with contextlib.suppress(InvalidInput):
        run(lambda passwords: passwords.require_good((sign * 1_000)[:1_000]))
    assert time.process_time() - began < 5


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_password_that_was_kept_is_the_same_and_no_other_is(password: str) -> None:
    async def work(passwords: Passwords) -> None:
        kept = await passwords.hash(password)
        assert len(kept) <= 200
        assert await passwords.matches(kept, password)
        assert not await passwords.matches(kept, password + "x")

    run(work)


def test_a_password_counts_however_a_keyboard_writes_it() -> None:
    async def work(passwords: Passwords) -> None:
        kept = await passwords.hash("Zu\u0308rich\u00a0Vogel Treppe")
        assert await passwords.matches(kept, "Z\u00fcrich Vogel Treppe")

    run(work)


def test_a_kept_password_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    kept = run(lambda passwords: passwords.hash(PASSWORD), RFC_9106_LOW_MEMORY)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_where_there_is_no_password_none_is_right_and_the_work_is_the_same() -> None:
    async def work(passwords: Passwords) -> None:
        kept = await passwords.hash(PASSWORD)
        took = []
        for known in (kept, None):
            began = time.process_time()
            for _ in range(2):
                assert not await passwords.matches(known, "a wrong password")
            took.append(time.process_time() - began)
        assert 1 / 3 < took[0] / took[1] < 3

    run(work, RFC_9106_LOW_MEMORY)


def test_what_is_no_hash_matches_nothing() -> None:
    async def work(passwords: Passwords) -> None:
        for kept in ("", "x", "$2b$12$abcdefghijklmnopqrstuv"):
            assert not await passwords.matches(kept, "")

    run(work)


def test_a_password_is_hashed_anew_when_the_parameters_are_others(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up()
        identity = people.product.identity
        account, before = await identity.account_admin.find(ADA)
        dearer = Passwords(CHEAPEST.__class__(**{**vars_of(CHEAPEST), "time_cost": 2}))
        identity.sign_in._passwords = dearer
        with pytest.raises(Unauthenticated):
            await people.browser(password="a wrong password")
        assert (await identity.accounts.show(account.id))[1].password == before.password
        await people.browser()
        _, after = await identity.accounts.show(account.id)
        assert after.password is not None
        assert dearer.is_outdated(before.password or "")
        assert not dearer.is_outdated(after.password)
        await people.browser()

    meet(scenario)


def vars_of(parameters: Any) -> dict[str, Any]:
    return {name: getattr(parameters, name) for name in parameters.__slots__}
