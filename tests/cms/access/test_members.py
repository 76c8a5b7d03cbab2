"""Memberships: who may change whose, and that a tenant never loses its last Owner."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from mosaic_cms.rights import Role
from mosaic_core.errors import Conflict, Denied, InvalidInput, NotFound
from tests.cms.access.people import People, set_account
from tests.cms.deployment import Deployment, Deployments, opened
from tests.platforms import place

__all__ = ["place"]  # of these, all run on each kind of server each time

OWNER, ADMIN, EDITOR, VIEWER = Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER


async def staff(deployment: Deployment) -> People:
    people = People(deployment)
    for name, role in {"olga": OWNER, "adam": ADMIN, "edith": EDITOR, "vera": VIEWER}.items():
        await people.add(name, role)
    await people.add("zoe")
    return people


def test_a_member_has_the_role_of_the_membership_and_a_stranger_none(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        roles = {name: await people.role(name) for name in people.ids}
        assert roles == {
            "olga": OWNER,
            "adam": ADMIN,
            "edith": EDITOR,
            "vera": VIEWER,
            "zoe": None,
        }
        assert (await people.actor("olga", "bread")).role is None
        views = await people.do("adam", "members.list")
        assert [view.email.partition("@")[0] for view in views] == ["adam", "edith", "olga", "vera"]
        with pytest.raises(Denied, match="Viewer lacks read on members; Admin has it"):
            await people.do("vera", "members.list")
        assert (await people.do("adam", "members.show", account=people.ids["vera"])).role is VIEWER
        with pytest.raises(NotFound):
            await people.do("adam", "members.show", account=people.ids["zoe"])

    deployments(scenario)


def test_a_changed_role_counts_at_once(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with pytest.raises(Denied):
            await people.do("vera", "pages.edit", path="/", title="New")
        await people.do("adam", "members.change", account=people.ids["vera"], role="editor")
        await people.do("vera", "pages.edit", path="/", title="New")
        await people.do("adam", "members.remove", account=people.ids["vera"])
        with pytest.raises(Denied, match="being no member"):
            await people.do("vera", "pages.edit", path="/", title="Newer")

    deployments(scenario)


def test_a_role_can_differ_by_site(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        vera = people.ids["vera"]
        view = await people.do("adam", "members.change", account=vera, sites={"shop": "editor"})
        assert (view.role, view.sites) == (VIEWER, {"shop": EDITOR})
        await people.do("vera", "pages.edit", path="/", site="shop", title="New")
        with pytest.raises(Denied, match="Viewer lacks"):
            await people.do("vera", "pages.edit", path="/", site="main", title="New")
        await people.do("adam", "members.change", account=vera, role=None)
        with pytest.raises(Denied, match="being no member"):
            await people.do("vera", "pages.list", site="main")
        with pytest.raises(InvalidInput, match="There is no site 'shp'; did you mean 'shop'"):
            await people.do("adam", "members.change", account=vera, sites={"shp": "editor"})
        for given in ({"sites": {}}, {"sites": {"shop": "owner"}}, {"role": "owner"}):
            with pytest.raises(InvalidInput):
                await people.do("olga", "members.change", account=vera, **given)

    deployments(scenario)


def test_nobody_gives_more_than_they_have(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        vera, adam = people.ids["vera"], people.ids["adam"]
        for account in (vera, adam):
            with pytest.raises(Denied, match="Admin lacks update on owners; Owner has it"):
                await people.do("adam", "members.change", account=account, role="owner")
        with pytest.raises(Denied, match="Owner is more than Admin"):
            await people.do("adam", "invitations.create", email="new@example.com", role="owner")
        given = {"account": adam, "sites": {"shop": "viewer"}}
        await people.do("olga", "members.change", **given)
        for change in ({"role": "admin"}, {"sites": {"shop": "editor"}}):
            with pytest.raises(Denied, match="more than Viewer at the site 'shop'"):
                await people.do("adam", "members.change", account=vera, **change)
        with pytest.raises(Denied, match="Admin is more than Viewer at the site 'shop'"):
            await people.do("adam", "members.change", account=adam, sites={})
        await people.do("adam", "members.change", account=vera, sites={"main": "admin"})

    deployments(scenario)


def test_only_an_owner_touches_an_owner(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        olga = people.ids["olga"]
        with pytest.raises(Denied, match="Admin lacks update on owners"):
            await people.do("adam", "members.change", account=olga, role="viewer")
        with pytest.raises(Denied, match="Admin lacks delete on owners"):
            await people.do("adam", "members.remove", account=olga)
        await people.do("olga", "members.change", account=people.ids["adam"], role="owner")
        await people.do("adam", "members.change", account=olga, role="viewer")
        assert await people.role("olga") is VIEWER

    deployments(scenario)


def test_a_tenant_keeps_its_last_owner(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        olga = people.ids["olga"]
        for action, given in (
            ("members.leave", {}),
            ("members.remove", {"account": olga}),
            ("members.change", {"account": olga, "role": "admin"}),
        ):
            with pytest.raises(Conflict, match=r"no Owner\. Transfer the ownership first"):
                await people.do("olga", action, **given)
            if given:  # the operator neither
                with pytest.raises(Conflict):
                    await deployment.do(action, **given)
        # An Owner who may not sign in is none who could do anything.
        await people.do("olga", "members.change", account=people.ids["adam"], role="owner")
        await set_account(people.product, people.ids["adam"], active=False)
        with pytest.raises(Conflict):
            await people.do("olga", "members.leave")
        await set_account(people.product, people.ids["adam"], active=True)
        await people.do("olga", "members.leave")
        assert await people.role("olga") is None

    deployments(scenario)


def test_ownership_is_transferred_in_one_step(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with pytest.raises(Denied, match="Admin lacks update on owners"):
            await people.do("adam", "members.transfer", to=people.ids["adam"])
        for to, error in ((people.ids["zoe"], NotFound), (people.ids["olga"], Conflict)):
            with pytest.raises(error):
                await people.do("olga", "members.transfer", to=to)
        await people.do("olga", "members.transfer", to=people.ids["vera"])
        assert [await people.role(name) for name in ("vera", "olga")] == [OWNER, ADMIN]

    deployments(scenario)


def test_of_two_owners_who_leave_at_once_one_stays(deployments: Deployments) -> None:
    """In two processes, each of which knew the other Owner when it began."""

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await people.do("olga", "members.change", account=people.ids["adam"], role="owner")
        async with opened(deployments.root) as other:
            elsewhere = People(other)
            elsewhere.ids = people.ids
            done = await asyncio.gather(
                people.do("olga", "members.leave"),
                elsewhere.do("adam", "members.leave"),
                return_exceptions=True,
            )
        assert sorted(type(outcome).__name__ for outcome in done) == ["Conflict", "Gone"]

    deployments(scenario)


def test_who_was_removed_meanwhile_removes_nobody(deployments: Deployments) -> None:
    """What an actor may is looked at again inside the write."""

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        before = await people.actor("adam")
        await people.do("olga", "members.remove", account=people.ids["adam"])
        scope = deployment.scope(actor=before)
        perform = people.product.actions.perform
        vera = people.ids["vera"]
        attempts: list[tuple[str, dict[str, Any]]] = [
            ("members.remove", {"account": vera}),
            ("members.change", {"account": vera, "role": "editor"}),
            ("invitations.create", {"email": "new@example.com", "role": "viewer"}),
            ("keys.create", {"name": "Key", "role": "viewer"}),
        ]
        for action, given in attempts:
            with pytest.raises(Denied, match="being no member"):
                await perform(action, scope, given)

    deployments(scenario)


def test_a_change_elsewhere_is_known_within_the_freshness(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        async with opened(deployments.root) as other:
            elsewhere = People(other)
            elsewhere.ids = people.ids
            assert await elsewhere.role("vera") is VIEWER
            await people.do("adam", "members.remove", account=people.ids["vera"])
            await asyncio.sleep(people.product.platform.settings.platform.freshness)
            assert await elsewhere.role("vera") is None

    deployments(scenario)


def test_who_may_not_sign_in_is_nobody_anywhere(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await set_account(people.product, people.ids["vera"], active=False)
        assert await people.role("vera") is None
        views = await people.do("adam", "members.list")
        assert [view.email for view in views if not view.active] == ["vera@example.com"]

    deployments(scenario)


def test_one_tenant_s_members_are_out_of_another_s_reach(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        others = People(deployment, "bread")
        olaf = await others.add("olaf", OWNER)
        for action in ("members.show", "members.remove", "members.change"):
            more = {"role": "viewer"} if action == "members.change" else {}
            for account in (olaf, uuid4()):
                with pytest.raises(NotFound, match=f"{account} does not belong to this tenant"):
                    await people.do("olga", action, account=account, **more)
        with pytest.raises(NotFound):
            await people.do("olga", "members.transfer", to=olaf)
        scope = deployment.scope("bread", await people.actor("olga", "bread"))
        with pytest.raises(Denied, match="being no member"):
            await people.product.actions.perform("members.list", scope, {})

    deployments(scenario)


def test_an_account_is_made_a_member_unasked_by_operators_only(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        given = {"email": "zoe@example.com", "role": "viewer"}
        with pytest.raises(Denied, match="those who run this installation"):
            await people.do("olga", "members.add", **given)
        await deployment.do("members.add", **given)
        with pytest.raises(Conflict, match="is a member already"):
            await deployment.do("members.add", **given)
        with pytest.raises(NotFound, match="Invite whoever"):
            await deployment.do("members.add", email="nobody@example.com", role="viewer")
        with pytest.raises(InvalidInput, match="needs a role"):
            await deployment.do("members.add", email="zoe@example.com")

    deployments(scenario)


def test_the_audit_log_has_who_made_whom_what(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        others = People(deployment, "bread")
        await others.add("olaf", OWNER)
        vera = people.ids["vera"]
        await people.do("adam", "members.change", account=vera, role="editor")
        invited = await people.do(
            "adam", "invitations.create", email="x@example.com", role="viewer"
        )
        await people.do("adam", "invitations.revoke", id=invited.id)
        key = await people.do("adam", "keys.create", name="Import", role="admin")
        await people.do("olga", "members.remove", account=people.ids["adam"])
        entries = await people.do("olga", "audit.list", limit=200)
        told = [
            (entry.action, entry.reason)
            for entry in entries
            if entry.actor in {f"account:{people.ids[who]}" for who in ("adam", "olga")}
        ]
        assert told == [
            ("members.remove", f"the key Import ({key.prefix}…) revoked"),
            ("members.remove", "adam@example.com: no member"),
            ("keys.create", f"the key Import ({key.prefix}…) made"),
            ("invitations.revoke", "x@example.com not invited any more"),
            ("invitations.create", "x@example.com invited: Viewer"),
            ("members.change", "vera@example.com: Editor"),
        ]
        assert {entry.address for entry in entries if entry.action == "members.change"} == {
            "192.0.2.7"
        }
        assert not any("olaf" in entry.reason for entry in entries)

    deployments(scenario)


# One's own tenants


def test_whoever_founds_a_tenant_owns_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = await people.own("zoe", "tenants.found", slug="zoo", name="Zoo")
        assert (made.role, made.host) == (OWNER, "zoo.mosaic.test")
        assert (await deployment.get("/", "zoo.mosaic.test")).status_code == 200
        assert (await people.actor("zoe", "zoo")).role is OWNER
        mine = await people.own("zoe", "tenants.mine")
        assert [(one.slug, one.role) for one in mine] == [("zoo", OWNER)]
        for slug, name in (("zoo", "Other"), ("aurora", "Mine"), ("Ä b", "Bad")):
            with pytest.raises((Conflict, InvalidInput)):
                await people.own("zoe", "tenants.found", slug=slug, name=name)
        await people.own("zoe", "tenants.found", slug="zoo2", name="Zoo")
        with pytest.raises(Denied, match="You own 2 tenants"):
            await people.own("zoe", "tenants.found", slug="zoo3", name="Zoo")
        assert deployment.product.platform.directory.tenant_of_slug("zoo3") is None
        assert not list(deployments.root.rglob("*zoo3*"))

    deployments(scenario, identity={"own_tenants": 2})


def test_of_many_tenants_founded_at_once_no_more_are_made_than_one_may(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        done = await asyncio.gather(
            *(people.own("zoe", "tenants.found", slug=f"zoo{n}", name="Zoo") for n in range(4)),
            return_exceptions=True,
        )
        assert [type(outcome).__name__ for outcome in done].count("OwnTenant") == 1
        assert len(await people.own("zoe", "tenants.mine")) == 1

    deployments(scenario, identity={"own_tenants": 1})


def test_only_a_verified_address_founds_a_tenant_and_only_where_people_sign_up(
    deployments: Deployments,
) -> None:
    async def unverified(deployment: Deployment) -> None:
        people = People(deployment)
        await people.add("una", verified=False)
        with pytest.raises(Denied, match=r"Nobody has shown yet that una@example\.com is theirs"):
            await people.own("una", "tenants.found", slug="una", name="Una")

    async def closed(deployment: Deployment) -> None:
        people = await staff(deployment)
        with pytest.raises(Denied, match="those who run this installation"):
            await people.own("zoe", "tenants.found", slug="zoo", name="Zoo")

    deployments(unverified)
    deployments(closed, identity={"sign_up": False})


# Sites that go


def test_what_was_given_at_a_site_goes_with_the_site(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        await people.add("sara", shop=EDITOR)
        vera = people.ids["vera"]
        await people.do("adam", "members.change", account=vera, sites={"shop": "admin"})
        both = {"main": "viewer", "shop": "editor"}
        await people.do("adam", "invitations.create", email="new@example.com", sites=both)
        only = {"shop": "editor"}
        await people.do("adam", "invitations.create", email="shop@example.com", sites=only)
        made = [
            await people.do("adam", "keys.create", name="Key", role="editor", sites=sites)
            for sites in (["shop"], ["main", "shop"], ["main"])
        ]
        await people.do("adam", "sites.delete", site="shop")
        await deployment.do("sites.create", key="shop", title="Another")

        assert [await people.role(name) for name in ("sara", "vera")] == [None, VIEWER]
        assert (await people.actor("vera")).site_roles == ()
        (left,) = await people.do("adam", "invitations.list")
        assert (left.email, left.sites) == ("new@example.com", {"main": VIEWER})
        found = [await people.identity.keys.find(key.key) for key in made]
        assert [principal and principal.scopes for principal in found] == [
            None,
            *[found[2] and found[2].scopes] * 2,
        ]

    deployments(scenario)


def test_a_deletion_that_was_stopped_leaves_nothing_to_inherit(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await deployment.do("sites.create", key="shop", title="Shop")
        await people.add("sara", shop=EDITOR)

        async def killed(*args: Any, **options: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(people.identity, "forget_site", killed)
            with pytest.raises(RuntimeError):
                await people.do("adam", "sites.delete", site="shop")
        await deployment.do("sites.create", key="shop", title="Another")
        assert not (await people.actor("sara")).belongs

    deployments(scenario)


def test_a_site_that_cannot_be_made_takes_nothing_from_the_one_there(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        await people.add("mara", main=EDITOR)
        with pytest.raises(Conflict, match="There is a site 'main' already"):
            await deployment.do("sites.create", key="main", title="Main")
        assert (await people.actor("mara")).site_roles == (("main", EDITOR),)

    deployments(scenario)
