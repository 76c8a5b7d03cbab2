"""For whom something is done, and by whom: passed explicitly to every action."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.permissions import require_permitted
from mosaic_cms.blocks.stored import Regions
from mosaic_cms.conditions import Conditions
from mosaic_cms.content.ahead import Ahead, Unrendered
from mosaic_cms.content.models import Site
from mosaic_cms.content.usage import note_references, watching
from mosaic_cms.limits import Admission
from mosaic_cms.rights import (
    END_OWN,
    OF_SITES,
    READ_TENANT,
    SELF,
    Decision,
    Permission,
    Role,
    Scopes,
    decide,
)
from mosaic_core.errors import PreconditionRequired
from mosaic_core.head import Write
from mosaic_core.tenants import Limits, TenantContext

if TYPE_CHECKING:
    from mosaic_cms.product import Product

T = TypeVar("T")
#: A revision: a number where saves are counted, and a text elsewhere.
R = TypeVar("R", int, str)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. ``kind`` is operator, system, account, key or visitor."""

    kind: str
    #: An account's or a key's id; for others, what they are called.
    name: str = ""
    #: In the tenant that it is about; None for whoever does not belong to it.
    role: Role | None = None
    #: By the keys of sites, where the role is another than in the tenant.
    site_roles: tuple[tuple[str, Role], ...] = ()
    #: What it is restricted to, when it acts through a key or a token.
    scopes: Scopes | None = None
    #: Where it asks from, and with what; bounded, and told to nobody but itself.
    address: str = ""
    agent: str = ""
    #: The session that a person is signed in with.
    session: uuid.UUID | None = None
    #: The very address that it asks from, for lists of networks; noted nowhere.
    client: str = ""
    #: What it says of the writes that it asks for.
    conditions: Conditions | None = field(default=None, compare=False, repr=False)

    @property
    def trusted(self) -> bool:
        """The operator at the command line, and the system's own jobs."""
        return self.kind in {"operator", "system"}

    @property
    def belongs(self) -> bool:
        """Whether it has any rights in the tenant that it is about."""
        return self.trusted or self.role is not None or bool(self.site_roles)

    @property
    def differs_by_site(self) -> bool:
        """Whether what it may depends on the site."""
        return bool(self.sites)

    @property
    def sites(self) -> tuple[str, ...]:
        """The keys of the sites at which it may do other things than in the tenant."""
        own = tuple(site for site, _ in self.site_roles)
        return own + (self.scopes.sites if self.scopes else ())

    def role_at(self, site: str | None) -> Role | None:
        """The role at a site, or in the tenant as a whole."""
        return dict(self.site_roles).get(site, self.role) if site else self.role

    def may(self, needs: Permission, action: str = "", site: str | None = None) -> Decision:
        """Whether this actor has a permission, and why.

        Args:
            action: for what it is needed.
            site: the key of the site that it is about; None for the tenant as a whole.
        """
        if self.trusted:
            return Decision(True, f"{self} runs this installation.")
        if needs == END_OWN and self.kind == "account":
            return Decision(True, f"It is {self}'s own.")
        refusal = self.scopes.refusal(action, site) if self.scopes else None
        if refusal is not None:
            return Decision(False, f"{self} may not do this: {refusal}.")
        if needs.resource == SELF and self.kind == "account":
            return self._own(needs, action)
        if site is None and needs == READ_TENANT:
            return decide(str(self), self._any, needs)
        of_some_site = site is None and needs.resource in OF_SITES
        return decide(str(self), self._least if of_some_site else self.role_at(site), needs)

    def _own(self, needs: Permission, action: str) -> Decision:
        """What is an account's own is changed by who is signed in; a token that is for everything
        in a tenant is not for its owner's password."""
        if self.scopes is None or needs.verb == "read" or self.scopes.names(action):
            return Decision(True, f"It is {self}'s own.")
        return Decision(
            False,
            f"{self} lacks {needs} with this token; a session has it, and a token whose scope "
            f"names {action or 'the action'}.",
        )

    @property
    def _any(self) -> Role | None:
        """A role that it has, in the tenant or at one of its sites."""
        return self.role or next((role for _, role in self.site_roles), None)

    @property
    def _least(self) -> Role | None:
        """The role with the fewest rights of all that it has: what counts at a site that is not
        known."""
        roles = [self.role, *(role for _, role in self.site_roles)]
        return None if None in roles else max(filter(None, roles), key=list(Role).index)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


SYSTEM = Actor("system")


def _unseen(what: str, done: int, of: int) -> None:
    """For faces that show no progress."""


@dataclass(frozen=True, slots=True)
class PlatformScope:
    """Something about the platform as a whole."""

    product: Product
    actor: Actor
    admission: Admission
    action: str = ""
    progress: Callable[[str, int, int], None] = _unseen

    def during(self, action: str, site: str | None = None) -> PlatformScope:
        """The same scope, its changes logged under an action's name."""
        return dataclasses.replace(self, action=action)


@dataclass(frozen=True, slots=True)
class TenantScope:
    """Something about one tenant; nothing else can be reached through it."""

    product: Product
    tenant: TenantContext
    actor: Actor
    limits: Limits
    admission: Admission
    action: str = ""
    #: The key of the site that the action is about; None for all of the tenant.
    site: str | None = None
    #: Told how far something long has come: what, done, of how many.
    progress: Callable[[str, int, int], None] = _unseen

    def during(self, action: str, site: str | None = None) -> TenantScope:
        """The same scope, its changes logged under an action's name."""
        return dataclasses.replace(self, action=action, site=site)

    def may(self, needs: Permission) -> Decision:
        """Whether the actor has a permission for what is being done, and why."""
        return self.actor.may(needs, self.action, self.site)

    async def readable(self, session: AsyncSession) -> set[uuid.UUID]:
        """The sites whose content the actor may be told of."""
        rows = await session.execute(select(Site.id, Site.key))
        needs = Permission("read", "content")
        return {one for one, key in rows if self.actor.may(needs, self.action, key).allowed}

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that sees one snapshot and cannot write."""
        return self.product.platform.read(self.tenant)

    async def write(
        self,
        fn: Callable[[Write], Awaitable[T]],
        *,
        reserve: bool = False,
        coalesce: bool = False,
        ahead: Ahead | None = None,
    ) -> T:
        """A write, logged under the action and the actor of this scope.

        What the changed content refers to is noted in the same write, and so are the themes in
        which visitors see it. A page that takes long to render is rendered before it, unless it
        changes all the time.
        """

        ahead = Ahead() if ahead is None else ahead
        conditions = self.actor.conditions or Conditions()
        write_id = conditions.next_id()
        version = 0

        async def noted(write: Write) -> T:
            nonlocal version
            version = write.version
            conditions.require(write)
            ahead.attend(write.session, writing=True)
            with watching(write.session.sync_session) as touched:
                result = await fn(write)
                ahead.require_whole()
                await write.session.flush()
            await note_references(write.session, touched)
            if write.permit.published:
                await self.product.kept.need(self.tenant)
            return result

        async def attempt() -> T:
            return await self.product.platform.write(
                self.tenant,
                noted,
                actor=str(self.actor),
                action=self.action or "unnamed",
                write_id=write_id,
                reserve=reserve,
                coalesce=coalesce,
            )

        while True:
            try:
                result = await conditions.attempt(attempt)
            except Unrendered:
                await ahead.catch_up()
            else:
                conditions.committed(version)
                return result

    def base(self, stated: R | None, now: R, what: str) -> R:
        """The revision on which a change is based: the one that it states, or the present one where
        ``If-Match`` names what is there.

        Args:
            what: is changed, such as ``the page '/visit/'``.

        Raises:
            PreconditionRequired: it says neither, and would be put over what nobody looked at.
        """
        if stated is not None:
            return stated
        if self.actor.conditions is None or not self.actor.conditions.named:
            raise PreconditionRequired(what, now)
        return now

    def kept(self, given: Any, *, before: Any) -> Regions:
        """Regions from outside as they are to be saved, in place of those before.

        Raises:
            InvalidInput: they are no content of a page; it names the place.
            Denied: the actor may not make one of the blocks.
        """
        regions = self.product.blocks.kept(given)
        self.require_permitted(regions, before=before)
        return regions

    def require_permitted(self, after: Any, *, before: Any) -> None:
        """Raises Denied for a block that the actor may not make (see
        :mod:`mosaic_cms.blocks.permissions`)."""
        require_permitted(self.product.blocks, self.may, after, before)

    async def settle(self) -> None:
        """Does what the writes left to be done, when there is something."""
        await self.product.settle(self.tenant)
