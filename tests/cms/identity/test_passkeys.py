"""Passkeys: made and used in a browser, once for each challenge, at the platform's origin only."""

from __future__ import annotations

import asyncio
import copy
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mosaic_cms.identity.tables import LONGEST_CREDENTIAL
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, InvalidInput, NotFound, Unauthenticated
from tests.cms.deployment import Deployments
from tests.cms.identity.authenticator import Authenticator, shown
from tests.cms.identity.people import ADA, PASSWORD, Meet, People, cheaply

OWN = {"password": PASSWORD}


async def with_passkey(people: People, email: str = ADA) -> tuple[Actor, Authenticator]:
    await people.signed_up(email)
    ada, _ = await people.browser(email)
    device = Authenticator()
    begun = await people.ask("passkeys.begin", ada, **OWN)
    made = device.make(begun.options)
    await people.ask("passkeys.add", ada, name="Phone", credential=made)
    return ada, device


async def challenge(people: People) -> Any:
    return (await people.ask("passkeys.begin_sign_in")).options


async def sign_in(people: People, credential: Any) -> Any:
    return await people.ask("passkeys.sign_in", credential=credential)


def test_a_passkey_signs_in_without_a_password(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, device = await with_passkey(people)
        options = await challenge(people)
        assert "allowCredentials" not in options or options["allowCredentials"] == []
        signed = await sign_in(people, device.sign(options))
        assert str(signed.account_id) == ada.name
        assert await people.finds(signed.cookie.get_secret_value())
        (view,) = await people.ask("passkeys.list", ada)
        assert (view.id, view.name) == (shown(device.id), "Phone")
        assert view.used_at is not None

    meet(scenario)


def test_a_challenge_is_answered_once_also_by_two_at_once(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, device = await with_passkey(people)
        answer = device.sign(await challenge(people))
        tries = await asyncio.gather(
            *(sign_in(people, answer) for _ in range(3)), return_exceptions=True
        )
        assert sum(isinstance(result, Unauthenticated) for result in tries) == 2
        begun = await people.ask("passkeys.begin", ada, **OWN)
        other = Authenticator()
        made = other.make(begun.options)
        await people.ask("passkeys.add", ada, name="Key", credential=made)
        await people.ask("passkeys.remove", ada, id=shown(other.id), **OWN)
        with pytest.raises(InvalidInput, match="answered already"):
            await people.ask("passkeys.add", ada, name="Key", credential=made)

    meet(scenario)


def test_a_challenge_counts_for_five_minutes(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        with time_machine.travel("2031-01-15T08:00Z") as clock:
            ada, device = await with_passkey(people)
            options = await challenge(people)
            begun = await people.ask("passkeys.begin", ada, **OWN)
            clock.shift(timedelta(minutes=5, seconds=1))
            with pytest.raises(Unauthenticated, match="too old"):
                await sign_in(people, device.sign(options))
            with pytest.raises(InvalidInput, match="too old"):
                await people.ask(
                    "passkeys.add", ada, name="Late", credential=Authenticator().make(begun.options)
                )

    meet(scenario)


def test_what_was_signed_elsewhere_or_for_somebody_else_is_refused(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, device = await with_passkey(people)
        bob, other = await with_passkey(people, "bob@example.com")
        # On a tenant's page, which is below the platform's domain.
        device.origin = "https://aurora.mosaic.test"
        with pytest.raises(Unauthenticated, match="origin"):
            await sign_in(people, device.sign(await challenge(people)))
        device.origin = "https://mosaic.test"
        # By a device that did not recognise its user, by another's key, or a copied one.
        for strange in (Authenticator(verifies=False), Authenticator()):
            strange.id, strange.handle, strange.count = device.id, device.handle, 50
            with pytest.raises(Unauthenticated):
                await sign_in(people, strange.sign(await challenge(people)))
        for _ in range(2):
            await sign_in(people, device.sign(await challenge(people)))
        device.count = 0
        with pytest.raises(Unauthenticated, match="sign count"):
            await sign_in(people, device.sign(await challenge(people)))
        other.handle = device.handle
        with pytest.raises(Unauthenticated, match="another account"):
            await sign_in(people, other.sign(await challenge(people)))
        # A challenge to make one key does not make another's, and is none to sign in with.
        begun = await people.ask("passkeys.begin", ada, **OWN)
        made = Authenticator().make(begun.options)
        with pytest.raises(InvalidInput, match="not from here"):
            await people.ask("passkeys.add", bob, name="Mine", credential=made)
        mixed = {"rpId": "mosaic.test", "challenge": begun.options["challenge"]}
        with pytest.raises(Unauthenticated, match="not from here"):
            await sign_in(people, device.sign(mixed))

    meet(scenario)


def test_a_passkey_is_its_owner_s_and_counts_until_it_is_removed(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, device = await with_passkey(people)
        await people.signed_up("bob@example.com")
        bob, _ = await people.browser("bob@example.com")
        begun = await people.ask("passkeys.begin", bob, **OWN)
        with pytest.raises(Conflict, match="known"):
            await people.ask(
                "passkeys.add", bob, name="Ada's", credential=device.make(begun.options)
            )
        device.handle = b""
        assert await people.ask("passkeys.list", bob) == []
        for nobodys in (shown(device.id), "!", "", "ü", "A"):
            with pytest.raises(NotFound):
                await people.ask("passkeys.remove", bob, id=nobodys, **OWN)
        with pytest.raises(Unauthenticated):
            await people.ask("passkeys.remove", ada, id=shown(device.id), password="x")
        await people.ask("passkeys.remove", ada, id=shown(device.id), **OWN)
        with pytest.raises(Unauthenticated, match="not known here"):
            await sign_in(people, device.sign(await challenge(people)))

    meet(scenario)


def test_an_id_that_is_longer_than_any_is_of_no_passkey(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        ada, device = await with_passkey(people)
        device.id = bytes(LONGEST_CREDENTIAL + 1)
        with pytest.raises(Unauthenticated, match="not known here"):
            await sign_in(people, device.sign(await challenge(people)))
        with pytest.raises(NotFound):
            await people.ask("passkeys.remove", ada, id=shown(device.id), **OWN)
        begun = await people.ask("passkeys.begin", ada, **OWN)
        made = device.make(begun.options)
        with pytest.raises(InvalidInput):
            await people.ask("passkeys.add", ada, name="Long", credential=made)

    meet(scenario)


def test_a_passkey_opens_no_closed_account(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        _, device = await with_passkey(people)
        await people.rule("accounts.deactivate", email=ADA)
        with pytest.raises(Denied, match="closed"):
            await sign_in(people, device.sign(await challenge(people)))

    meet(scenario)


def test_whatever_a_browser_sends_is_answered_in_words(deployments: Deployments) -> None:
    texts = st.text(max_size=40) | st.binary(max_size=40).map(shown)
    places = st.sampled_from(["id", "rawId", "type", "clientDataJSON", "attestationObject"])

    with deployments.held() as (deployment, runner):
        people = People(deployment)
        cheaply(deployment.product)
        scope = deployment.product.platform_scope(Actor("account", str(uuid.uuid4())))
        device = Authenticator()
        passkeys = deployment.product.identity.passkeys

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.dictionaries(places, texts | st.none() | st.integers(), min_size=1))
        def search(changes: dict[str, Any]) -> None:
            challenge = passkeys._challenge(f"passkey of {scope.actor.name}").decode()
            options = {
                "challenge": shown(challenge.encode()),
                "rp": {"id": "mosaic.test"},
                "user": {"id": shown(b"x")},
            }
            answer = copy.deepcopy(device.make(options))
            for place, value in changes.items():
                whole = answer if place in answer else answer["response"]
                whole[place] = value
            with pytest.raises((InvalidInput, Unauthenticated, NotFound)) as refused:
                runner.run(people.ask("passkeys.add", scope.actor, name="Phone", credential=answer))
            assert "Traceback" not in str(refused.value)

        search()
