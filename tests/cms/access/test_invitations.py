"""Invitations: whoever reads the mailbox that was invited joins, once, and in time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from mosaic_cms.identity.invitations import MOST
from mosaic_cms.identity.tables import Invitation
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, InvalidInput, InvalidMail, NotFound
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.cms.access.people import People, set_account
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with
from tests.platforms import kept_in

OWNER, ADMIN, EDITOR, VIEWER = Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER


async def staff(deployment: Deployment) -> People:
    people = People(deployment)
    await people.add("olga", OWNER)
    await people.add("adam", ADMIN)
    await people.add("zoe")
    return people


async def invite(people: People, who: str = "zoe", by: str = "adam", **given: Any) -> Any:
    given = {"role": "editor"} | given
    return await people.do(by, "invitations.create", email=f"{who}@example.com", **given)


def test_the_mail_has_a_link_that_makes_a_member(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = MemoryMailer()

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await invite(people, "Zoe")
        assert await people.product.postman.deliver() == 1
        (mail,) = mailer.sent
        assert mail.to == "Zoe@example.com"
        assert mail.subject == "Adam invites you to Aurora"
        assert "Adam invites you to Aurora on MOSAIC, as Editor." in mail.text
        link = re.search(r"https://mosaic\.test/account/invitation\?token=([\w-]{43})\n", mail.text)
        assert link is not None
        assert f'<a href="{link[0].strip()}">' in (mail.html or "")
        joined = await people.own("zoe", "invitations.accept", token=link[1])
        assert (joined.slug, joined.role) == ("aurora", EDITOR)
        assert await people.role("zoe") is EDITOR
        with pytest.raises(NotFound, match="does not count any more"):
            await people.own("zoe", "invitations.accept", token=link[1])
        assert await people.do("adam", "invitations.list") == []

    hooks = {"mosaic_mail": lambda: memory_mailer(mailer)}
    deployments(scenario, plugins=plugins_with(monkeypatch, post_office=hooks))


def test_names_in_the_mail_do_nothing(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = MemoryMailer()
    hostile = '<a href="https://evil.example">Adam</a>\r\nBcc: a@b.example =?utf-8?q?a=0Ab?='

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await set_account(people.product, people.ids["adam"], name=hostile)
        await invite(people)
        await people.product.postman.deliver()
        (mail,) = mailer.sent
        assert re.findall(r'href="([^"?]*)', mail.html or "") == [
            "https://mosaic.test/account/invitation"
        ]
        assert "\n" not in mail.subject
        assert "=?" not in mail.subject

    hooks = {"mosaic_mail": lambda: memory_mailer(mailer)}
    deployments(scenario, plugins=plugins_with(monkeypatch, post_office=hooks))


def test_what_was_taken_back_is_not_sent(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = MemoryMailer()

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        first = await invite(people)
        second = await invite(people, role="viewer")  # in the place of the first
        assert first.id != second.id
        assert [one.role for one in await people.do("adam", "invitations.list")] == [VIEWER]
        with pytest.raises(NotFound):
            await people.accept("zoe", first.id)
        third = await invite(people, "new")
        await people.do("adam", "invitations.revoke", id=third.id)
        assert await people.product.postman.deliver() == 3
        assert [mail.to for mail in mailer.sent] == ["zoe@example.com"]
        await people.accept("zoe", second.id)

    hooks = {"mosaic_mail": lambda: memory_mailer(mailer)}
    deployments(scenario, plugins=plugins_with(monkeypatch, post_office=hooks))


def test_only_the_verified_address_that_was_invited_accepts(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await people.add("una", verified=False)
        await people.add("eve")
        made = await invite(people, "una")
        with pytest.raises(Denied, match=r"another address than eve@example\.com") as refused:
            await people.accept("eve", made.id)
        assert "una@" not in str(refused.value)
        with pytest.raises(Denied, match=r"Nobody has shown yet that una@example\.com is theirs"):
            await people.accept("una", made.id)
        key = await people.do("olga", "keys.create", name="Key", role="owner")
        with pytest.raises(Denied):  # a program has no address
            await people.through(
                await people.identity.keys.find(key.key), "invitations.accept", token="x" * 43
            )
        await set_account(people.product, people.ids["una"], verified_at=made.created_at)
        await people.accept("una", made.id)

    deployments(scenario)


def test_letters_beyond_ascii_are_as_they_are_in_every_address(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        for name in ("Änne", "Öse"):
            await people.add(name)
        made = await people.do(
            "adam", "invitations.create", email="Änne@EXAMPLE.com", role="viewer"
        )
        await people.accept("Änne", made.id)
        with pytest.raises(Conflict, match="member already"):
            await people.do("adam", "invitations.create", email="Änne@example.com", role="viewer")
        given = {"email": "Öse@example.com", "role": "viewer"}
        assert (await deployment.do("members.add", **given)).account == people.ids["Öse"]

    deployments(scenario)


def test_a_made_up_token_accepts_nothing(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await invite(people)
        for token in ("", "x" * 43, "ä\ud800", "x" * 200, "\0", "x" * 201):
            with pytest.raises((NotFound, InvalidInput)):
                await people.own("zoe", "invitations.accept", token=token)

    deployments(scenario)


def test_an_invitation_expires_after_a_week(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people)
        with time_machine.travel(made.expires_at - timedelta(seconds=5), tick=False):
            assert len(await people.do("adam", "invitations.list")) == 1
        with time_machine.travel(made.expires_at, tick=False):
            assert await people.do("adam", "invitations.list") == []
            with pytest.raises(NotFound):
                await people.accept("zoe", made.id)
            again = await invite(people)
            await people.accept("zoe", again.id)

    deployments(scenario)


def test_who_is_invited_signs_up_where_not_everybody_does(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people, "new")
        right = people.identity.secrets.token("invitation", str(made.id))

        async def sign_up(email: str, **given: Any) -> None:
            visitor = people.product.platform_scope(Actor("visitor", address="192.0.2.1"))
            command = {"email": email, "name": "New", "password": "correct horse battery staple"}
            await people.product.actions.perform("accounts.sign_up", visitor, command | given)

        for email, given in (
            ("new@example.com", {}),
            ("new@example.com", {"invitation": "x" * 43}),
            ("eve@example.com", {"invitation": right}),
        ):
            with pytest.raises(Denied, match="Nobody can sign up here"):
                await sign_up(email, **given)
        await sign_up("New@example.com", invitation=right)
        with time_machine.travel(made.expires_at), pytest.raises(Denied):
            await sign_up("new@example.com", invitation=right)

    deployments(scenario, identity={"sign_up": False})


def test_accepted_by_two_at_once_it_makes_one_member(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people)
        done = await asyncio.gather(
            *(people.accept("zoe", made.id) for _ in range(3)), return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in done) == [
            "NotFound",
            "NotFound",
            "OwnTenant",
        ]

    deployments(scenario)


def test_a_member_is_not_invited_and_no_address_that_is_none(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with pytest.raises(Conflict, match="is a member already"):
            await invite(people, "Olga")
        for address in ("zoe", "a@b.example\r\nBcc: c@d.example", "Z <z@example.com>"):
            with pytest.raises(InvalidMail):
                await people.do("adam", "invitations.create", email=address, role="viewer")
        with pytest.raises(InvalidInput, match="needs a role"):
            await invite(people, role=None)
        with pytest.raises(InvalidInput, match="There is no site 'shop'"):
            await invite(people, sites={"shop": "editor"})
        assert await people.do("adam", "invitations.list") == []

    deployments(scenario)


Way = Callable[[People], Awaitable[Any]]


@pytest.mark.parametrize(
    "way",
    [
        lambda people: people.do("olga", "members.remove", account=people.ids["adam"]),
        lambda people: people.do("adam", "members.leave"),
        lambda people: people.do(
            "olga", "members.change", account=people.ids["adam"], role="viewer"
        ),
    ],
    ids=["removed", "left", "demoted"],
)
def test_an_invitation_ends_with_what_its_maker_had(deployments: Deployments, way: Way) -> None:
    """Else who is about to be removed invites another address of theirs."""

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people)
        kept = await invite(people, "new", by="olga")
        await way(people)
        with pytest.raises(NotFound):
            await people.accept("zoe", made.id)
        assert [one.id for one in await people.do("olga", "invitations.list")] == [kept.id]

    deployments(scenario)


def test_nobody_comes_back_by_an_old_invitation(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people, "zed")
        await people.add("zed", VIEWER)
        await people.do("olga", "members.remove", account=people.ids["zed"])
        with pytest.raises(NotFound):
            await people.accept("zed", made.id)

    deployments(scenario)


def test_another_tenant_s_invitations_are_out_of_reach(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        others = People(deployment, "bread")
        await others.add("olaf", OWNER)
        theirs = await others.do("olaf", "invitations.create", email="b@example.com", role="viewer")
        with pytest.raises(NotFound):
            await people.do("olga", "invitations.revoke", id=theirs.id)
        await people.do("olga", "invitations.create", email="b@example.com", role="viewer")
        assert [one.id for one in await others.do("olaf", "invitations.list")] == [theirs.id]

    deployments(scenario)


def test_only_so_many_invitations_wait(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await invite(people, "one")
        await invite(people, "two")
        with pytest.raises(Conflict, match="2 invitations wait"):
            await invite(people, "three")
        await invite(people, "two")

    assert MOST == 200
    monkeypatch.setattr("mosaic_cms.identity.invitations.MOST", 2)
    deployments(scenario)


def test_neither_the_database_nor_its_log_has_a_token(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await invite(people)
        token = people.identity.secrets.token("invitation", str(made.id))
        assert token.encode() not in await kept_in(deployment.product.platform.directory.database)
        async with people.identity.store.session() as session:
            assert (await session.get_one(Invitation, made.id)).digest

    deployments(scenario)
