"""The suite of the identity contract fails what breaks it: each fault is noticed by a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.errors import IdentityError, NotFound
from mosaic_core.identity import Begun, IdentityProvider, OwnIssuer, SignInWay, Vouched, Way
from mosaic_core.testing.fakes import MemoryIdentity
from mosaic_core.testing.identity import IdentityContract
from tests.contracts.test_the_suites_notice import failing, provided


class Stateless(MemoryIdentity):
    """Takes an answer for whatever was begun."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        remembered = {**begun.remembered, "state": answer.get("state", "")}
        return await super().complete(way, Begun("", remembered), answer)


class Loose(MemoryIdentity):
    """Takes a code of any sign-in for that of this one."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        state = begun.remembered.get("state", "")
        code = answer.get("code", "")
        if code in self._codes:
            self._codes[code] = (state, self.who)
        return await super().complete(way, begun, answer)


class Repeating(MemoryIdentity):
    """Takes an answer as often as it comes."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        kept = dict(self._codes)
        try:
            return await super().complete(way, begun, answer)
        finally:
            self._codes.update(kept)


class Mixing(MemoryIdentity):
    """Does not mind in which way a sign-in was begun."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        named = f"{way.issuer} {way.client_id}" if isinstance(way, OwnIssuer) else way
        remembered = {**begun.remembered, "way": named}
        return await super().complete(way, Begun("", remembered), answer)


class Predictable(MemoryIdentity):
    """Begins every sign-in alike."""

    async def begin(self, way: Way, callback: str) -> Begun:
        begun = await super().begin(way, callback)
        fixed = {**begun.remembered, "state": "state"}
        return Begun(f"{self.ISSUER}/?state=state", fixed)


class Forgetful(MemoryIdentity):
    """Forgets what people are called."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        return dataclasses.replace(await super().complete(way, begun, answer), name="")


class Changing(MemoryIdentity):
    """Calls people something else each time."""

    times = 0

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        self.times += 1
        who = await super().complete(way, begun, answer)
        return dataclasses.replace(who, subject=f"{who.subject} {self.times}")


class Polite(MemoryIdentity):
    """Signs in who declines."""

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        return self.who if "error" in answer else await super().complete(way, begun, answer)


class Plain(MemoryIdentity):
    """Sends browsers away in the clear."""

    async def begin(self, way: Way, callback: str) -> Begun:
        begun = await super().begin(way, callback)
        return Begun(begun.address.replace("https", "http"), begun.remembered)


class Everything(MemoryIdentity):
    """Has every way."""

    async def examine(self, way: Way) -> None: ...


class Unnamed(MemoryIdentity):
    """Has one way twice."""

    def __init__(self) -> None:
        super().__init__(ways=[SignInWay("memory", "Memory", self.ISSUER)] * 2)


FAULTS: dict[type[MemoryIdentity], str] = {
    Stateless: "an_answer_counts_for_what_it_was_begun_with_only",
    Loose: "an_answer_counts_for_what_it_was_begun_with_only",
    Repeating: "an_answer_counts_once",
    Mixing: "an_answer_counts_in_the_way_that_it_was_begun_only",
    Predictable: "no_two_sign_ins_begin_alike",
    Forgetful: "a_person_comes_back_as_who_they_are",
    Changing: "a_person_is_the_same_each_time",
    Polite: "who_declines_is_told_so",
    Plain: "a_browser_is_sent_to_an_address_and_what_is_remembered_is_text",
    Everything: "a_way_that_there_is_not_is_said_not_to_be",
    Unnamed: "its_ways_have_names_and_titles",
}


def suite(identity: type[MemoryIdentity]) -> type[IdentityContract]:
    class Suite(IdentityContract):
        provider = provided(lambda services: identity())
        way = "memory"
        person = MemoryIdentity().who
        own = OwnIssuer("https://issuer.example", "client", "secret")

        async def comes_back(
            self, provider: IdentityProvider, begun: Begun, *, declines: bool = False
        ) -> Mapping[str, str]:
            assert isinstance(provider, MemoryIdentity)
            return provider.answer(begun, declines=declines)

    return Suite


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_provider_fails(fault: type[MemoryIdentity], tmp_path: Path) -> None:
    test: Any = getattr(suite(fault)(), f"test_{FAULTS[fault]}")
    with pytest.raises((AssertionError, IdentityError, NotFound, pytest.fail.Exception)):
        test("faulty", tmp_path)


def test_one_that_does_it_properly_fails_nothing(tmp_path: Path) -> None:
    assert failing(suite(MemoryIdentity), tmp_path) == set()
