"""API keys: their form, what they reach, and when they end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from mosaic_cms.identity.key_format import PATTERN, checksum, is_key, make_key
from mosaic_cms.rights import Role
from mosaic_core.errors import Conflict, Denied, InvalidInput, NotFound
from tests.cms.access.people import People, set_account
from tests.cms.deployment import Deployment, Deployments, opened
from tests.platforms import place

__all__ = ["place"]  # of these, all run on each kind of server each time

OWNER, ADMIN, EDITOR, VIEWER = Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER


async def staff(deployment: Deployment) -> People:
    people = People(deployment)
    for name, role in {"olga": OWNER, "adam": ADMIN, "edith": EDITOR}.items():
        await people.add(name, role)
    return people


async def make(people: People, by: str = "adam", **given: Any) -> Any:
    return await people.do(by, "keys.create", **({"name": "Import", "role": "editor"} | given))


async def use(people: People, key: Any, action: str = "pages.list", **given: Any) -> Any:
    return await people.through(await people.identity.keys.find(key.key), action, **given)


# The form


def test_a_key_has_a_form_that_scanners_find() -> None:
    made = [make_key() for _ in range(50)]
    assert len({text for text, _ in made}) == 50
    for text, prefix in made:
        assert is_key(text)
        assert text.startswith(f"{prefix}_")
        assert re.findall(PATTERN, f"token={text}; next") == [text]
    assert checksum("") == "000000"
    assert checksum("123456789") == "3jZRME"  # CRC-32 has the check value cbf43926


def test_whatever_differs_from_a_key_in_one_character_is_none() -> None:
    text, _ = make_key()
    for spot in range(len(text)):
        for other in ("0", "z", "A", "_", "é", "\n", ""):
            changed = text[:spot] + other + text[spot + 1 :]
            assert changed == text or not is_key(changed)
    for strange in (
        "",
        text + "\n",
        f" {text}",
        text * 2,
        "mosaic__",
        "\ud800" * 54,
        "mosaic_" * 9,
    ):
        assert not is_key(strange)


def test_what_is_no_key_asks_no_database(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = (await make(people)).key
        keys = people.identity.keys

        async def never(digest: bytes) -> None:
            raise AssertionError("it asked")

        assert await keys.find(key) is not None
        monkeypatch.setattr(keys, "_look", never)
        assert await keys.find(key) is not None  # it is in memory now
        for strange in (key[:-1] + ("0" if key[-1] != "0" else "1"), "", "Bearer", key.lower()):
            assert await keys.find(strange) is None
        with pytest.raises(AssertionError, match="it asked"):
            await keys.find(make_key()[0])

    deployments(scenario)


# What it reaches


def test_a_key_acts_with_its_role_in_its_tenant(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people)
        assert (key.created_by, key.role) == (f"account:{people.ids['adam']}", EDITOR)
        assert key.key.startswith(key.prefix)
        await use(people, key, "pages.edit", path="/", title="New")
        with pytest.raises(Denied, match="Editor lacks read on members"):
            await use(people, key, "members.list")
        with pytest.raises(Denied, match="whoever is signed in has it"):
            await use(people, key, "tenants.mine")
        principal = await people.identity.keys.find(key.key)
        assert principal is not None
        elsewhere = deployment.scope("bread").tenant.tenant_id
        actor = await people.identity.actor_for(principal, elsewhere)
        assert (actor.kind, actor.name, actor.role) == ("key", str(key.id), None)

    deployments(scenario)


def test_a_key_reaches_its_actions_and_sites_alone(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        key = await make(people, actions=["pages.*", "menus.show"], sites=["shop"])
        await use(people, key, "pages.list", site="shop")
        with pytest.raises(Denied, match=r"for pages\.\*, menus\.show only"):
            await use(people, key, "redirects.list", site="shop")
        with pytest.raises(Denied, match="for the sites shop only"):
            await use(people, key, "pages.list", site="main")
        with pytest.raises(Denied, match="for the sites shop only"):
            await use(people, key, "pages.list")

    deployments(scenario)


def test_a_wish_for_nothing_that_there_is_is_a_mistake(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with pytest.raises(InvalidInput, match=r"No action is called 'page\.list'; did you mean"):
            await make(people, actions=["page.list"])
        with pytest.raises(InvalidInput, match="There is no site 'shop'"):
            await make(people, sites=["shop"])
        past = datetime.now(UTC) - timedelta(seconds=1)
        for given in (
            {"expires_at": past},
            {"expires_at": "2040-01-01T00:00:00"},  # in which zone?
            {"role": "operator"},
            {"actions": ["[a-z]"]},
            {"actions": ["pages.*\n"]},
            {"name": "a\nb"},
            {"name": ""},
        ):
            with pytest.raises(InvalidInput):
                await make(people, **given)
        with pytest.raises(InvalidInput, match="Nobody is Owner of a site alone"):
            await make(people, "olga", role="owner", sites=["main"])
        assert await people.do("adam", "keys.list") == []

    deployments(scenario)


def test_a_key_is_never_more_than_its_maker(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        with pytest.raises(Denied, match="Editor lacks create on keys"):
            await make(people, "edith", role="viewer")
        with pytest.raises(Denied, match="Owner is more than Admin"):
            await make(people, role="owner")
        given = {"account": people.ids["adam"], "sites": {"shop": "viewer"}}
        await people.do("olga", "members.change", **given)
        for sites in ([], ["shop"], ["main", "shop"]):
            with pytest.raises(Denied, match="Editor is more than Viewer at the site 'shop'"):
                await make(people, sites=sites)
        await make(people, sites=["main"])

    deployments(scenario)


def test_neither_a_key_nor_a_restricted_token_makes_keys(deployments: Deployments) -> None:
    """Else one for this action alone would be one for all of them."""

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people, "olga", role="owner")
        wish = {"name": "Key", "role": "viewer"}
        with pytest.raises(Denied, match="makes keys"):
            await use(people, key, "keys.create", **wish)
        tokens = await people.own("olga", "tokens.create", tenant="aurora", actions=["keys.*"])
        with pytest.raises(Denied, match="makes keys"):
            await people.through(
                await people.identity.bearer.verify(tokens.access_token), "keys.create", **wish
            )

    deployments(scenario)


# When it ends


def test_a_revoked_key_is_none_at_once_here_and_soon_elsewhere(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people)
        async with opened(deployments.root) as other:
            elsewhere = other.product.identity.keys
            assert await elsewhere.find(key.key) is not None
            view = await people.do("olga", "keys.revoke", id=key.id)
            assert view.revoked_at is not None
            assert await people.identity.keys.find(key.key) is None
            await asyncio.sleep(people.product.platform.settings.platform.freshness)
            assert await elsewhere.find(key.key) is None
        again = await people.do("olga", "keys.revoke", id=key.id)
        assert again.revoked_at == view.revoked_at
        (listed,) = await people.do("adam", "keys.list")
        assert listed.revoked_at == view.revoked_at

    deployments(scenario)


def test_a_key_expires_to_the_second_also_from_memory(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        ends = datetime.now(UTC) + timedelta(days=1)
        key = await make(people, expires_at=ends)
        with time_machine.travel(ends - timedelta(seconds=1), tick=False):
            assert await people.identity.keys.find(key.key) is not None
        with time_machine.travel(ends, tick=False):
            assert await people.identity.keys.find(key.key) is None

    deployments(scenario)


Way = Callable[[People], Awaitable[Any]]


@pytest.mark.parametrize(
    ("way", "left"),
    [
        (lambda p: p.do("olga", "members.remove", account=p.ids["adam"]), []),
        (lambda p: p.do("adam", "members.leave"), []),
        (
            lambda p: p.do("olga", "members.change", account=p.ids["adam"], role="viewer"),
            ["viewer"],
        ),
        (
            lambda p: p.do("olga", "members.change", account=p.ids["adam"], role="editor"),
            ["editor", "viewer"],
        ),
    ],
    ids=["removed", "left", "demoted to viewer", "demoted to editor"],
)
def test_a_key_ends_with_what_its_maker_had(
    deployments: Deployments, way: Way, left: list[str]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        roles = ("admin", "editor", "viewer")
        made = {role: await make(people, role=role) for role in roles}
        others = await make(people, "olga", role="owner")
        outcome = await way(people)
        assert getattr(outcome, "keys", 3) == 3
        found = {role: await people.identity.keys.find(key.key) for role, key in made.items()}
        assert sorted(role for role, principal in found.items() if principal) == left
        assert await people.identity.keys.find(others.key) is not None

    deployments(scenario)


def test_a_key_does_not_count_while_its_maker_s_account_is_closed(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people)
        operator_s = await deployment.do("keys.create", name="Backup", role="owner")
        for active in (False, True):
            await set_account(people.product, people.ids["adam"], active=active)
            assert (await people.identity.keys.find(key.key) is not None) == active
            assert await people.identity.keys.find(operator_s.key) is not None

    deployments(scenario)


def test_what_a_key_invited_ends_with_the_key(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people, role="admin")
        await use(people, key, "invitations.create", email="new@example.com", role="admin")
        (invited,) = await people.do("adam", "invitations.list")
        assert invited.invited_by == "Import"
        await people.do("olga", "members.remove", account=people.ids["adam"])
        assert await people.do("olga", "invitations.list") == []

    deployments(scenario)


def test_an_owner_s_key_is_less_after_the_transfer(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        most, less = [await make(people, "olga", role=role) for role in ("owner", "admin")]
        await people.do("olga", "members.transfer", to=people.ids["adam"])
        assert await people.identity.keys.find(most.key) is None
        assert await people.identity.keys.find(less.key) is not None

    deployments(scenario)


def test_another_tenant_s_keys_are_out_of_reach(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        others = People(deployment, "bread")
        await others.add("olaf", OWNER)
        key = await others.do("olaf", "keys.create", name="Theirs", role="viewer")
        assert await people.do("olga", "keys.list") == []
        with pytest.raises(NotFound):
            await people.do("olga", "keys.revoke", id=key.id)
        with pytest.raises(Denied, match="being no member"):
            await use(people, key)

    deployments(scenario)


def test_a_tenant_has_only_so_many_keys_that_count(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        keys = [await make(people) for _ in range(2)]
        with pytest.raises(Conflict, match="The tenant has 2 keys"):
            await make(people)
        await people.do("adam", "keys.revoke", id=keys[0].id)
        await use(people, keys[1])
        await people.identity.keys.uses.flush()
        await make(people)
        assert len(await people.do("adam", "keys.list")) == 3
        await people.do("adam", "keys.revoke", id=keys[1].id)
        with time_machine.travel(datetime.now(UTC) + timedelta(days=91)):
            await make(people)
            assert len(await people.do("adam", "keys.list")) == 2  # what ended is forgotten

    monkeypatch.setattr("mosaic_cms.identity.keys.MOST", 2)
    deployments(scenario)


# When it was used


def test_the_last_use_of_a_key_is_known_and_outlives_the_process(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        key = await make(people)
        assert (await people.do("adam", "keys.list"))[0].used_at is None
        principal = await people.identity.keys.find(key.key)
        assert principal is not None
        await people.identity.actor_for(principal, people.tenant_id, "192.0.2.44")
        (view,) = await people.do("adam", "keys.list")
        assert view.used_from == "192.0.2.44"
        async with opened(deployments.root) as other:
            elsewhere = People(other)
            elsewhere.ids = people.ids
            assert (await elsewhere.do("adam", "keys.list"))[0].used_at is None
            await people.identity.keys.uses.flush()
            assert (await elsewhere.do("adam", "keys.list"))[0].used_at == view.used_at
            # What another process saw later stays.
            await elsewhere.identity.actor_for(principal, people.tenant_id, "192.0.2.45")
            with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
                await people.identity.actor_for(principal, people.tenant_id, "192.0.2.46")
            await elsewhere.identity.keys.uses.flush()
            await people.identity.keys.uses.flush()
            assert (await people.do("adam", "keys.list"))[0].used_from == "192.0.2.45"

    deployments(scenario)


def test_uses_are_written_when_the_server_stops(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await use(people, await make(people))
        running = asyncio.create_task(deployment.product.noted.run())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with opened(deployments.root) as other:
            elsewhere = People(other)
            elsewhere.ids = people.ids
            assert (await elsewhere.do("adam", "keys.list"))[0].used_at is not None

    deployments(scenario)
