"""What somebody is in a tenant: in all of it, and at some of its sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mosaic_cms.rights import Permission, Role, decide
from mosaic_core.errors import Denied, InvalidInput


@dataclass(frozen=True, slots=True)
class Roles:
    """False for who does not belong to the tenant.

    Attributes:
        role: in all of the tenant; None for who belongs to some of its sites only.
        sites: by the keys of sites, where the role is another; in the order of the keys.
    """

    role: Role | None = None
    sites: tuple[tuple[str, Role], ...] = ()

    @classmethod
    def of(cls, role: str | None, sites: Mapping[str, str]) -> Roles:
        """As rows have it: by the roles' values."""
        own = None if role is None else Role(role)
        return cls(own, tuple((site, Role(sites[site])) for site in sorted(sites)))

    @property
    def by_site(self) -> dict[str, Any]:
        """The roles at sites as rows have them."""
        return {site: role.value for site, role in self.sites}

    def __bool__(self) -> bool:
        return self.role is not None or bool(self.sites)

    def at(self, site: str | None) -> Role | None:
        """The role at a site, or in the tenant as a whole."""
        return dict(self.sites).get(site, self.role) if site else self.role

    def without(self, site: str) -> Roles:
        """What is left when a site is gone."""
        return Roles(self.role, tuple(pair for pair in self.sites if pair[0] != site))

    def beyond(self, own: Roles) -> str | None:
        """Where this is more than ``own``, in words; None when it is nowhere."""
        for site in (None, *sorted({key for key, _ in (*self.sites, *own.sites)})):
            here, there = self.at(site), own.at(site)
            if _rank(here) > _rank(there):
                where = f" at the site {site!r}" if site else ""
                return f"{here} is more than {there or 'no role'}{where}"
        return None

    def require_sound(self) -> None:
        """Raises InvalidInput for what nobody can be: nothing at all, or Owner of a part."""
        if not self:
            raise InvalidInput("A member needs a role.", hint="Give one, or a site and one there.")
        if self.sites and self.role is Role.OWNER:
            raise InvalidInput(
                "An Owner is that at every site.", hint="Leave out the roles at sites."
            )
        for site, role in self.sites:
            if role is Role.OWNER:
                raise InvalidInput(
                    f"Nobody is Owner of the site {site!r} alone.", hint="An Admin may all of it."
                )

    def __str__(self) -> str:
        parts = [] if self.role is None else [str(self.role)]
        return ", ".join(parts + [f"{role} at {site}" for site, role in self.sites])


def require_within(given: Roles, own: Roles) -> None:
    """Raises Denied when somebody gives more than they have."""
    beyond = given.beyond(own)
    if beyond is not None:
        raise Denied(f"Nobody gives more than they have: {beyond}.")


def require(who: str, own: Roles, needs: Permission) -> None:
    """Raises Denied unless somebody with these roles has a permission in the whole tenant."""
    decision = decide(who, own.role, needs)
    if not decision.allowed:
        raise Denied(decision.reason)


def _rank(role: Role | None) -> int:
    return 0 if role is None else len(Role) - list(Role).index(role)
