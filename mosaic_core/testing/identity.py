"""The contract of signing in by others' word, as tests. Subclass :class:`IdentityContract`, set
``provider``, ``way`` and ``person``, and say how a browser comes back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from mosaic_core.errors import IdentityError, IdentityRefused, IdentityTampered, NotFound
from mosaic_core.identity import Begun, IdentityProvider, OwnIssuer, Vouched, Way
from mosaic_core.testing.contract import Contract, contract_test

CALLBACK = "https://mosaic.example/api/v1/sign-in/tested/callback"


class IdentityContract(Contract[IdentityProvider]):
    """What everything does that signs in by what an issuer says."""

    #: One of the ways that it offers, and who signs in with it.
    way: str
    person: Vouched
    #: An issuer of a tenant's that the same person signs in with; None where none is taken.
    own: OwnIssuer | None = None

    async def comes_back(
        self, provider: IdentityProvider, begun: Begun, *, declines: bool = False
    ) -> Mapping[str, str]:
        """The query with which the person's browser comes back from where it was sent. A subclass
        does what the person does there."""
        raise NotImplementedError

    async def vouched(self, provider: IdentityProvider, way: Way) -> Vouched:
        """Who it is, after a whole sign-in."""
        begun = await provider.begin(way, CALLBACK)
        return await provider.complete(way, begun, await self.comes_back(provider, begun))

    @contract_test
    async def test_its_ways_have_names_and_titles(self, provider: IdentityProvider) -> None:
        assert isinstance(provider, IdentityProvider)
        names = [way.name for way in provider.ways]
        assert self.way in names
        assert len(set(names)) == len(names)
        assert all(way.title and way.issuer for way in provider.ways)
        assert provider.takes_own == (self.own is not None)

    @contract_test
    async def test_a_person_comes_back_as_who_they_are(self, provider: IdentityProvider) -> None:
        assert await self.vouched(provider, self.way) == self.person

    @contract_test
    async def test_a_person_is_the_same_each_time(self, provider: IdentityProvider) -> None:
        first, second = [await self.vouched(provider, self.way) for _ in range(2)]
        assert (first.issuer, first.subject) == (second.issuer, second.subject)

    @contract_test
    async def test_an_issuer_of_a_tenant_vouches_as_one_of_ours_does(
        self, provider: IdentityProvider
    ) -> None:
        if self.own is None:
            stranger = OwnIssuer("https://issuer.example", "client")
            with pytest.raises(NotFound):
                await provider.begin(stranger, CALLBACK)
            return
        found = await self.vouched(provider, self.own)
        assert found == dataclasses.replace(self.person, issuer=self.own.issuer)

    @contract_test
    async def test_a_browser_is_sent_to_an_address_and_what_is_remembered_is_text(
        self, provider: IdentityProvider
    ) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        parts = urlsplit(begun.address)
        assert parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}
        assert json.loads(json.dumps(dict(begun.remembered))) == dict(begun.remembered)
        assert len(json.dumps(dict(begun.remembered))) < 1_500, "it has to fit into a cookie"
        assert "remembered" not in repr(begun), "it is for nobody else"

    @contract_test
    async def test_no_two_sign_ins_begin_alike(self, provider: IdentityProvider) -> None:
        first, second = [await provider.begin(self.way, CALLBACK) for _ in range(2)]
        assert first.address != second.address
        assert first.remembered != second.remembered

    @contract_test
    async def test_an_answer_counts_for_what_it_was_begun_with_only(
        self, provider: IdentityProvider
    ) -> None:
        mine, other = [await provider.begin(self.way, CALLBACK) for _ in range(2)]
        answer = await self.comes_back(provider, other)
        with pytest.raises(IdentityTampered):
            await provider.complete(self.way, mine, answer)
        # Whoever puts in the state of this one has a code of the other one still.
        state = (await self.comes_back(provider, mine))["state"]
        with pytest.raises(IdentityError):
            await provider.complete(self.way, mine, {**answer, "state": state})

    @contract_test
    async def test_an_answer_counts_in_the_way_that_it_was_begun_only(
        self, provider: IdentityProvider
    ) -> None:
        if self.own is None:
            return
        begun = await provider.begin(self.way, CALLBACK)
        answer = await self.comes_back(provider, begun)
        with pytest.raises(IdentityTampered):
            await provider.complete(self.own, begun, answer)

    @contract_test
    async def test_an_answer_counts_once(self, provider: IdentityProvider) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        answer = await self.comes_back(provider, begun)
        await provider.complete(self.way, begun, answer)
        with pytest.raises(IdentityRefused):
            await provider.complete(self.way, begun, answer)

    @contract_test
    async def test_what_is_no_answer_says_nothing(self, provider: IdentityProvider) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        answer = dict(await self.comes_back(provider, begun))
        for name in ("state", "code"):
            without = {key: value for key, value in answer.items() if key != name}
            with pytest.raises(IdentityTampered):
                await provider.complete(self.way, begun, without)
        for broken in ({}, {**answer, "state": "\ud800"}, {**answer, "state": ""}):
            with pytest.raises(IdentityTampered):
                await provider.complete(self.way, begun, broken)
        with pytest.raises(IdentityTampered):
            await provider.complete(self.way, Begun(begun.address, {}), answer)

    @contract_test
    async def test_a_code_that_was_made_up_gets_nobody_in(self, provider: IdentityProvider) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        answer = await self.comes_back(provider, begun)
        with pytest.raises(IdentityRefused):
            await provider.complete(self.way, begun, {**answer, "code": "made-up"})

    @contract_test
    async def test_who_declines_is_told_so(self, provider: IdentityProvider) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        answer = await self.comes_back(provider, begun, declines=True)
        with pytest.raises(IdentityRefused):
            await provider.complete(self.way, begun, answer)

    @contract_test
    async def test_a_way_that_there_is_not_is_said_not_to_be(
        self, provider: IdentityProvider
    ) -> None:
        begun = await provider.begin(self.way, CALLBACK)
        with pytest.raises(NotFound):
            await provider.begin("nowhere", CALLBACK)
        with pytest.raises(NotFound):
            await provider.complete("nowhere", begun, {})
        with pytest.raises(NotFound):
            await provider.examine("nowhere")

    @contract_test
    async def test_a_way_that_works_passes_an_examination(self, provider: IdentityProvider) -> None:
        await provider.examine(self.way)
        if self.own is not None:
            await provider.examine(self.own)
