"""Who may do what in a tenant: four roles, and what each of them grants.

::

    Owner ⊃ Admin ⊃ Editor ⊃ Viewer

Whoever reads the table below knows all rights there are. An action names the permission that it
needs, so that none can be forgotten, and a decision says who has what is missing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache


class Role(enum.StrEnum):
    """What somebody is in a tenant, from the most rights to the fewest."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"

    def __str__(self) -> str:
        return self.value.title()


@dataclass(frozen=True, slots=True)
class Permission:
    """What an actor needs: a verb (create, read, update, delete, publish) and a resource."""

    verb: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} on {self.resource}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an actor may, and why."""

    allowed: bool
    reason: str


#: The verbs on each resource that a role adds to those of the roles below it.
_ADDS: dict[Role, dict[str, tuple[str, ...]]] = {
    Role.VIEWER: {
        "content": ("read",),
        "media": ("read",),
        "menus": ("read",),
        "tenant": ("read",),
    },
    Role.EDITOR: {
        "content": ("create", "update", "delete", "publish"),
        "media": ("create", "update", "delete", "publish"),
        "menus": ("update",),
        "redirects": ("read", "update"),
        "submissions": ("read", "delete"),
    },
    Role.ADMIN: {
        "raw_html": ("create", "update"),
        "settings": ("read", "update"),
        "sites": ("create", "update", "delete"),
        "domains": ("create", "read", "delete"),
        "sso": ("read",),
        "keys": ("create", "read", "delete"),
        "members": ("create", "read", "update", "delete"),
        "audit": ("read",),
        "export": ("create", "read"),
        "billing": ("read",),
    },
    Role.OWNER: {
        "owners": ("create", "update", "delete"),
        "billing": ("update",),
        # Whoever sets an issuer can have it vouch for an Owner.
        "sso": ("update",),
        "tier": ("update",),
        "tenant": ("update", "delete"),
    },
}

#: Everybody may do this, visitors among them.
OPEN = frozenset(
    {
        Permission("create", "submissions"),
        # Of sites that are open: the actions look.
        Permission("read", "published"),
        Permission("create", "accounts"),
        Permission("create", "sessions"),
        Permission("update", "tokens"),
    }
)
#: What is an account's own: its name, its sessions, where it belongs. Nobody else has it.
SELF = "self"
#: Whatever a token is restricted to, it may end itself: nobody gets anything by that.
END_OWN = Permission("end", SELF)
#: What the tenant is called and which sites it has: all who have any role in it are told, each of
#: their own sites.
READ_TENANT = Permission("read", "tenant")
#: What belongs to a site, also where an action names it by its id alone.
OF_SITES = frozenset({"content", "media", "menus", "redirects", "submissions", "raw_html"})
#: What nobody has by a role: it is for those who run the installation.
SERVER_FILES = "server_files"


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a key or a token is restricted to, beside its role.

    Attributes:
        actions: patterns of actions' names, as in ``pages.*``; empty for all.
        sites: keys of sites; empty for all.
    """

    actions: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    def names(self, action: str) -> bool:
        """Whether it is for an action by what the action is about: ``accounts.*`` names
        ``accounts.change``; what is for everything names nothing."""
        about = action.partition(".")[0]
        return any(
            fnmatchcase(action, pattern)
            for pattern in self.actions
            if pattern.partition(".")[0] == about
        )

    def refusal(self, action: str, site: str | None) -> str | None:
        """Why an action is out of reach; None when it is not.

        Args:
            site: the one that it is about; None for all of the tenant.
        """
        if self.actions and not any(fnmatchcase(action, pattern) for pattern in self.actions):
            return f"it is for {', '.join(self.actions)} only"
        if self.sites and site not in self.sites:
            return f"it is for the sites {', '.join(self.sites)} only"
        return None


@cache
def granted(role: Role) -> frozenset[Permission]:
    """All that a role may do."""
    roles = list(Role)
    return frozenset(
        Permission(verb, resource)
        for lower in roles[roles.index(role) :]
        for resource, verbs in _ADDS[lower].items()
        for verb in verbs
    )


@cache
def lowest_with(needs: Permission) -> Role | None:
    """The role with the fewest rights that has this one; None when no role has it."""
    for role in reversed(Role):
        if needs in granted(role):
            return role
    return None


def attainable(needs: Permission) -> bool:
    """Whether anybody but those who run the installation can have a permission."""
    return needs in OPEN or needs.resource == SELF or lowest_with(needs) is not None


def decide(who: str, role: Role | None, needs: Permission) -> Decision:
    """Whether somebody with a role in the tenant, or without one, has a permission.

    Args:
        who: what the reason calls them.
    """
    if needs in OPEN:
        return Decision(True, f"Everybody may {needs.verb} {needs.resource}.")
    if needs.resource == SELF:
        return Decision(False, f"{who} lacks {needs}; whoever is signed in has it.")
    lowest = lowest_with(needs)
    if lowest is None:
        return Decision(False, f"{who} lacks {needs}; it is for those who run this installation.")
    if role is None:
        return Decision(False, f"{who} lacks {needs}, being no member; {lowest} has it.")
    if needs in granted(role):
        return Decision(True, f"{role} has {needs}.")
    return Decision(False, f"{role} lacks {needs}; {lowest} has it.")
