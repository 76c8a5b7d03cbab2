"""A plain model of a tenant's members and of what they gave, in lists and dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field

from mosaic_cms.rights import Role

OWNER, ADMIN = Role.OWNER, Role.ADMIN
#: From the fewest rights to the most.
_RANKS = [None, *reversed(Role)]


def more(one: Role | None, other: Role | None) -> bool:
    return _RANKS.index(one) > _RANKS.index(other)


@dataclass(eq=False)
class Key:
    """An API key, and whether it counts."""

    maker: str
    role: Role
    alive: bool = True


@dataclass(eq=False)
class Invitation:
    """What somebody was invited to be, by a member's name or by a key."""

    who: str
    role: Role
    by: str | Key


@dataclass(eq=False)
class Family:
    """The tokens of one sign-in: how many refresh tokens there were."""

    who: str
    tokens: int = 1
    alive: bool = True


@dataclass
class Tenant:
    """Each method says whether it may be, and does it if so."""

    members: dict[str, Role] = field(default_factory=dict)
    #: Whose accounts are closed: they keep their memberships, and can do nothing.
    closed: set[str] = field(default_factory=set)
    #: Those that count, by whom they invite.
    invitations: dict[str, Invitation] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)

    def role(self, who: str) -> Role | None:
        return None if who in self.closed else self.members.get(who)

    def manages(self, who: str) -> bool:
        return self.role(who) in {OWNER, ADMIN}

    def counts(self, key: Key) -> bool:
        return key.alive and key.maker not in self.closed

    def is_last_owner(self, who: str) -> bool:
        others = (one for one, role in self.members.items() if role is OWNER and one != who)
        return self.members.get(who) is OWNER and not any(self.role(one) for one in others)

    # Accounts

    def close(self, who: str) -> None:
        self.closed.add(who)
        self.revoke_tokens(who, None)

    # Invitations

    def invite(self, by: str | Key, invitation: Invitation) -> bool:
        own = by.role if isinstance(by, Key) else self.role(by)
        if own not in {OWNER, ADMIN} or more(invitation.role, own):
            return False
        if invitation.who in self.members:
            return False
        self.invitations[invitation.who] = invitation
        return True

    def accept(self, who: str, invitation: Invitation) -> bool:
        giver = invitation.by.maker if isinstance(invitation.by, Key) else invitation.by
        if self.invitations.get(who) is not invitation or self.closed & {who, giver}:
            return False
        self.members[who] = invitation.role
        del self.invitations[who]
        return True

    def uninvite(self, by: str, invitation: Invitation) -> bool:
        if not self.manages(by) or self.invitations.get(invitation.who) is not invitation:
            return False
        del self.invitations[invitation.who]
        return True

    # Members

    def change(self, by: str, who: str, role: Role) -> bool:
        before, own = self.members.get(who), self.role(by)
        if before is None or not self.manages(by) or more(role, own):
            return False
        if before is OWNER and own is not OWNER:
            return False
        if role is not OWNER and self.is_last_owner(who):
            return False
        self.members[who] = role
        self._withdraw(who, role)
        return True

    def remove(self, by: str, who: str) -> bool:
        if who not in self.members or not self.manages(by):
            return False
        if self.members[who] is OWNER and self.members[by] is not OWNER:
            return False
        return self.leave(who)

    def leave(self, who: str) -> bool:
        if who not in self.members or self.is_last_owner(who):
            return False
        del self.members[who]
        self.invitations.pop(who, None)
        for family in self.families:
            family.alive = family.alive and family.who != who
        self._withdraw(who, None)
        return True

    def transfer(self, by: str, to: str) -> bool:
        if self.role(by) is not OWNER or self.role(to) is None or by == to:
            return False
        self.members |= {to: OWNER, by: ADMIN}
        self._withdraw(by, ADMIN)
        return True

    # Keys and tokens

    def make_key(self, by: str, role: Role) -> bool:
        if not self.manages(by) or more(role, self.role(by)):
            return False
        self.keys.append(Key(by, role))
        return True

    def revoke_key(self, by: str, key: Key) -> bool:
        if not self.manages(by):
            return False
        self._end(key)
        return True

    def make_tokens(self, who: str) -> bool:
        if self.role(who) is None:
            return False
        self.families.append(Family(who))
        return True

    def renew(self, family: Family, number: int) -> bool:
        """With one of its refresh tokens, counted from 0."""
        if family.alive and number == family.tokens - 1:
            family.tokens += 1
            return True
        family.alive = False
        return False

    def revoke_tokens(self, who: str, family: Family | None) -> None:
        for one in self.families:
            if one.who == who and family in (None, one):
                one.alive = False

    def _withdraw(self, who: str, left: Role | None) -> None:
        for key in self.keys:
            if key.maker == who and more(key.role, left):
                self._end(key)
        self._uninvite_all(who, left)

    def _end(self, key: Key) -> None:
        key.alive = False
        self._uninvite_all(key, None)

    def _uninvite_all(self, by: str | Key, left: Role | None) -> None:
        for invited, invitation in list(self.invitations.items()):
            if invitation.by == by and more(invitation.role, left):
                del self.invitations[invited]
