"""Whatever the members of a tenant do, through two processes, against a plain model of it."""

from __future__ import annotations

from asyncio import Runner
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mosaic_cms.rights import Role
from mosaic_core.errors import Conflict, Denied, NotFound, Unauthenticated
from tests.cms.access.model import Family, Invitation, Key, Tenant
from tests.cms.access.people import People
from tests.cms.deployment import Deployment, Deployments, opened

#: How what may not be is answered.
REFUSALS = (Conflict, Denied, NotFound, Unauthenticated)
NAMES = ("a", "b", "c", "d")

names = st.sampled_from(NAMES)
#: Somebody, and more often than not one who may: 0 stands for an Owner, 1 for any who manages.
givers = st.sampled_from([0, 0, 1, 1, 1, *NAMES])
roles = st.sampled_from(list(Role))
numbers = st.integers(0, 20)
processes = st.integers(0, 1)


class World:
    """Two processes over one deployment, each of which looks for news before it does something."""

    def __init__(self, runner: Runner, deployments: list[Deployment]) -> None:
        self.run = runner.run
        self.deployments = deployments
        self.numbers = count()


class MembersMachine(RuleBasedStateMachine):
    """A tenant with an Owner, and three accounts that may become anything."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Tenant()
        #: All that were ever made, with what the product calls them.
        self.invited: list[tuple[Invitation, UUID]] = []
        self.keys: list[tuple[Key, UUID, str]] = []
        self.tokens: list[tuple[Family, list[Any]]] = []

    @initialize()
    def found(self) -> None:
        number, (first, second) = next(self.world.numbers), self.world.deployments
        slug = f"tenant-{number}"
        self.world.run(first.rule("tenants.create", slug=slug, name="Site", tier="open"))
        self.people = [People(first, slug)]
        for name in NAMES:
            self.world.run(self.people[0].add(f"{name}{number}"))
        self.world.run(second.product.platform.directory.refresh(now=True))
        self.people.append(People(second, slug))
        ids = {name: self.people[0].ids[f"{name}{number}"] for name in NAMES}
        for people in self.people:
            people.ids = ids
        self.emails = {name: f"{name}{number}@example.com" for name in NAMES}
        self.world.run(first.do("members.add", slug, email=self.emails["a"], role="owner"))
        self.model.members["a"] = Role.OWNER
        for who, role in (("b", Role.ADMIN), ("c", Role.EDITOR)):
            self.invite(0, "a", who, role)
            self.accept(1, 0, None)
        for by, role in (("a", Role.OWNER), ("b", Role.ADMIN), ("b", Role.VIEWER)):
            self.make_key(0, by, role)
        for who in ("a", "b", "c"):
            self.make_tokens(1, who)
        self.invite(0, "b", "d", Role.ADMIN)

    def giver(self, by: str | int) -> str:
        if isinstance(by, str):
            return by
        managers = [who for who in self.model.members if self.model.manages(who)]
        owners = [who for who in managers if self.model.role(who) is Role.OWNER]
        return [*NAMES[:1], *managers, *(owners if by == 0 else [])][-1]

    def do(self, process: int, who: str, action: str, *, allowed: bool, **given: Any) -> Any:
        people = self.looking(process)
        work = people.own if action.startswith(("tokens", "invitations.accept")) else people.do
        return self.outcome(work(who, action, **given), allowed=allowed)

    def looking(self, process: int) -> People:
        """A process that has just looked for news."""
        people = self.people[process]
        self.world.run(people.product.platform.directory.refresh(now=True))
        return people

    def outcome(self, work: Any, *, allowed: bool) -> Any:
        """What comes of it; None when it may not be, which is refused."""
        if allowed:
            return self.world.run(work)
        with pytest.raises(REFUSALS):
            self.world.run(work)
        return None

    # Invitations

    @rule(process=processes, by=givers, who=names, role=roles)
    def invite(self, process: int, by: str | int, who: str, role: Role) -> None:
        by = self.giver(by)
        invitation = Invitation(who, role, by)
        allowed = self.model.invite(by, invitation)
        given = {"email": self.emails[who], "role": role}
        made = self.do(process, by, "invitations.create", allowed=allowed, **given)
        if made is not None:
            self.invited.append((invitation, made.id))

    @precondition(lambda self: self.keys)
    @rule(process=processes, number=numbers, who=names, role=roles)
    def invite_with_a_key(self, process: int, number: int, who: str, role: Role) -> None:
        key, _, text = self.keys[number % len(self.keys)]
        if not self.model.counts(key):
            return
        invitation = Invitation(who, role, key)
        allowed = self.model.invite(key, invitation)
        people = self.looking(process)
        principal = self.world.run(people.identity.keys.find(text))
        given = {"email": self.emails[who], "role": role}
        work = people.through(principal, "invitations.create", **given)
        made = self.outcome(work, allowed=allowed)
        if made is not None:
            self.invited.append((invitation, made.id))

    @precondition(lambda self: self.invited)
    @rule(process=processes, number=numbers, other=st.none() | names)
    def accept(self, process: int, number: int, other: str | None) -> None:
        """Whoever was invited does, or somebody else tries."""
        invitation, invitation_id = self.invited[-1 - number % len(self.invited)]
        who, people = other or invitation.who, self.looking(process)
        allowed = invitation.who == who and self.model.accept(who, invitation)
        self.outcome(people.accept(who, invitation_id), allowed=allowed)

    @precondition(lambda self: self.invited)
    @rule(process=processes, by=givers, number=numbers)
    def uninvite(self, process: int, by: str | int, number: int) -> None:
        by = self.giver(by)
        invitation, invitation_id = self.invited[-1 - number % len(self.invited)]
        allowed = self.model.uninvite(by, invitation)
        self.do(process, by, "invitations.revoke", allowed=allowed, id=invitation_id)

    # Members

    @rule(process=processes, by=givers, who=names, role=roles)
    def change(self, process: int, by: str | int, who: str, role: Role) -> None:
        by = self.giver(by)
        allowed = self.model.change(by, who, role)
        given = {"account": self.people[0].ids[who], "role": role}
        self.do(process, by, "members.change", allowed=allowed, **given)

    @rule(process=processes, by=givers, who=names)
    def remove(self, process: int, by: str | int, who: str) -> None:
        by = self.giver(by)
        allowed, account = self.model.remove(by, who), self.people[0].ids[who]
        self.do(process, by, "members.remove", allowed=allowed, account=account)

    @rule(process=processes, who=names)
    def leave(self, process: int, who: str) -> None:
        if who in self.model.closed:  # nobody acts in its name
            return
        self.do(process, who, "members.leave", allowed=self.model.leave(who))

    @rule(process=processes, by=givers, to=names)
    def transfer(self, process: int, by: str | int, to: str) -> None:
        by = self.giver(by)
        allowed, account = self.model.transfer(by, to), self.people[0].ids[to]
        self.do(process, by, "members.transfer", allowed=allowed, to=account)

    # Accounts

    @rule(process=processes, who=names)
    def close(self, process: int, who: str) -> None:
        self.model.close(who)
        deployment = self.looking(process).deployment
        self.world.run(deployment.rule("accounts.deactivate", email=self.emails[who]))

    @rule(process=processes, who=names)
    def open(self, process: int, who: str) -> None:
        self.model.closed.discard(who)
        deployment = self.looking(process).deployment
        self.world.run(deployment.rule("accounts.activate", email=self.emails[who]))

    # Keys and tokens

    @rule(process=processes, by=givers, role=roles)
    def make_key(self, process: int, by: str | int, role: Role) -> None:
        by = self.giver(by)
        allowed = self.model.make_key(by, role)
        given = {"name": "Key", "role": role}
        made = self.do(process, by, "keys.create", allowed=allowed, **given)
        if made is not None:
            self.keys.append((self.model.keys[-1], made.id, made.key))

    @precondition(lambda self: self.keys)
    @rule(process=processes, by=givers, number=numbers)
    def revoke_key(self, process: int, by: str | int, number: int) -> None:
        by = self.giver(by)
        key, key_id, _ = self.keys[number % len(self.keys)]
        allowed = self.model.revoke_key(by, key)
        self.do(process, by, "keys.revoke", allowed=allowed, id=key_id)

    @rule(process=processes, who=names)
    def make_tokens(self, process: int, who: str) -> None:
        slug, allowed = self.people[0].slug, self.model.make_tokens(who)
        made = self.do(process, who, "tokens.create", allowed=allowed, tenant=slug)
        if made is not None:
            self.tokens.append((self.model.families[-1], [made]))

    @precondition(lambda self: self.tokens)
    @rule(process=processes, number=numbers, back=st.sampled_from([0, 0, 0, 1, 2]))
    def renew(self, process: int, number: int, back: int) -> None:
        """With the newest refresh token, or again with an older one."""
        family, made = self.tokens[number % len(self.tokens)]
        used = max(0, len(made) - 1 - back)
        allowed = self.model.renew(family, used)
        given = {"refresh_token": made[used].refresh_token}
        new = self.do(process, "a", "tokens.refresh", allowed=allowed, **given)
        if new is not None:
            made.append(new)

    @rule(process=processes, who=names, number=st.none() | numbers)
    def revoke_tokens(self, process: int, who: str, number: int | None) -> None:
        """One's own by a refresh token, or all of them; another's token ends nothing."""
        family, given = None, {}
        if number is not None and self.tokens:
            family, made = self.tokens[number % len(self.tokens)]
            given = {"refresh_token": made[0].refresh_token}
        self.model.revoke_tokens(who, family)
        self.do(process, who, "tokens.revoke", allowed=True, **given)

    # What is seen

    @invariant()
    def every_process_knows_what_the_model_says(self) -> None:
        if self.model.members:
            assert Role.OWNER in self.model.members.values()
            for process in range(2):
                self.world.run(self.compare(self.looking(process)))

    async def compare(self, people: People) -> None:
        roles = {name: await people.role(name) for name in NAMES}
        assert roles == {name: self.model.role(name) for name in NAMES}
        for key, _, text in self.keys:
            principal = await people.identity.keys.find(text)
            expected = key.role if self.model.counts(key) else None
            assert (principal.role if principal else None) == expected
        for family, made in self.tokens:
            for tokens in made[-2:]:
                found = await people.identity.bearer.verify(tokens.access_token)
                assert (found is not None) == family.alive
        listed = await people.identity.invitations.list(people.tenant_id)
        counts = self.model.invitations.values()
        assert {one.id for one in listed} == {made for one, made in self.invited if one in counts}


@contextmanager
def opened_world(deployments: Deployments) -> Iterator[World]:
    platform = {"freshness": 60.0}
    with deployments.held(platform=platform) as (first, runner):
        context = opened(deployments.root, platform=platform)
        second = runner.run(context.__aenter__())  # type: ignore[arg-type]
        try:
            yield World(runner, [first, second])
        finally:
            runner.run(context.__aexit__(None, None, None))  # type: ignore[arg-type]


def search(deployments: Deployments, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with opened_world(deployments) as world:
        run_state_machine_as_test(lambda: MembersMachine(world), settings=chosen)


def test_members_are_what_the_model_says(deployments: Deployments) -> None:
    search(deployments, 6, 25)


@pytest.mark.campaign
def test_members_are_what_the_model_says_in_the_long_run(deployments: Deployments) -> None:
    search(deployments, 100, 60)
