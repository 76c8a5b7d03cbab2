"""What actions that give somebody rights have in common: roles, sites and patterns from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from mosaic_cms.content.models import Site
from mosaic_cms.identity.roles import Roles
from mosaic_cms.rights import Role
from mosaic_cms.scope import PlatformScope, TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.settings_problems import nearest

SiteKey = Annotated[str, Field(min_length=1, max_length=63)]
#: Roles by the keys of sites.
SiteRoles = Annotated[dict[SiteKey, Role], Field(default_factory=dict, max_length=200)]
#: The name of an action, with an asterisk for any characters, as in ``pages.*``.
Pattern = Annotated[str, Field(pattern=r"^[a-z_.*]{1,100}$")]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=50)]


def roles_of(role: Role | None, sites: dict[str, Role]) -> Roles:
    """Roles from outside."""
    return Roles(role, tuple(sorted(sites.items())))


async def require_sites(scope: TenantScope, keys: Collection[str]) -> None:
    """Raises InvalidInput for a site that the tenant does not have."""
    if not keys:
        return
    async with scope.read() as session:
        there = set(await session.scalars(select(Site.key)))
    for key in keys:
        if key not in there:
            raise InvalidInput(f"There is no site {key!r}{nearest(key, there)}")


def require_known(scope: TenantScope | PlatformScope, patterns: Iterable[str]) -> None:
    """Raises InvalidInput for a pattern that no action's name has: it would be a mistake."""
    names = [action.name for action in scope.product.actions]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InvalidInput(
                f"No action is called {pattern!r}{nearest(pattern, names)}"[:500],
                hint="Name actions, or several of them as in 'pages.*'.",
            )
