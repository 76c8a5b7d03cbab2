"""Actions: what the system can do, written once; every face calls :meth:`Actions.perform`.

::

    @action("pages.publish", needs=Permission("publish", "content"))
    async def publish_page(scope: TenantScope, command: PublishPage) -> PageView: ...
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from mosaic_cms.content.belonging import Kind, site_of
from mosaic_cms.content.tree import find_site
from mosaic_cms.declared import MARK, Action, Declaration, Effect, made_of
from mosaic_cms.ledger import Entry, Outcome
from mosaic_cms.limits import within
from mosaic_cms.rights import Decision, Permission
from mosaic_cms.scope import Actor, PlatformScope, TenantScope
from mosaic_core.errors import (
    Denied,
    IdentityError,
    InvalidInput,
    MosaicError,
    NotFound,
    PluginConflict,
    RequestError,
    TenantError,
    TookTooLong,
)
from mosaic_core.settings_problems import nearest
from mosaic_core.tenants import TenantStatus
from mosaic_core.writing import require_writable

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and not _INSTANT.match(value):
        raise ValueError("write it as in 2026-11-29T18:00:00Z")
    return value


#: An aware time as text, as RFC 3339 has it; no count of seconds.
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Model(BaseModel):
    """The base of every action's input and output: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Part(Model):
    """How much of a list; the input of an action with a ``cursor`` also has ``after``."""

    #: Items; None for all.
    limit: Annotated[int, Field(ge=1, le=200)] | None = None


def action(
    name: str,
    *,
    needs: Permission,
    effect: Effect = "write",
    http: str | None = None,
    suspended: bool = False,
    seconds: float | None = None,
    cursor: str | None = None,
    of: Kind | None = None,
) -> Callable[[F], F]:
    """Declares a function as an action. It takes a scope and one model, and is typed.

    Args:
        suspended: a tenant takes it while it is read-only: it changes none of its content, and
            waiting would do harm.
        seconds: how long it may take, where that is longer than others.
        cursor: the field of an item after which the list goes on. Such an action has :class:`Part`
            in its input, and reads no more than is asked for.
        of: what the ``id`` in its input is of: the action is about the site that this belongs to.
    """

    def mark(function: F) -> F:
        declared = Declaration(name, needs, effect, http, suspended, seconds, cursor, of)
        setattr(function, MARK, declared)
        return function

    return mark


class Actions:
    """The registry of actions.

    Raises:
        PluginInvalid: a function is not declared or not typed as an action.
        PluginConflict: two actions have one name.
    """

    def __init__(self, functions: Iterable[Callable[..., Awaitable[Any]]]) -> None:
        self._actions: dict[str, Action] = {}
        for function in functions:
            made = made_of(function)
            if made.name in self._actions:
                raise PluginConflict(
                    f"The action {made.name!r} is declared by {function.__module__} and by "
                    f"{self._actions[made.name].run.__module__}.",
                    hint="Rename one of them.",
                )
            self._actions[made.name] = made

    def __iter__(self) -> Iterator[Action]:
        return iter(sorted(self._actions.values(), key=lambda action: action.name))

    def get(self, name: str) -> Action:
        """The action of this name.

        Raises:
            NotFound: there is none.
        """
        found = self._actions.get(name)
        if found is None:
            raise NotFound(f"There is no action {name!r}{nearest(name, self._actions)}")
        return found

    def require(self, name: str, actor: Actor) -> None:
        """Raises Denied when an actor may do something nowhere: whoever may not learns nothing of
        what it takes."""
        found = self.get(name)
        decisions = [actor.may(found.needs, name, site) for site in (None, *actor.sites)]
        if not any(decision.allowed for decision in decisions):
            _require(found, decisions[0])

    async def perform(
        self, name: str, scope: PlatformScope | TenantScope, given: BaseModel | dict[str, Any]
    ) -> Any:
        """The only way in: checks limits and where it comes from, validates, decides, checks the
        tenant, runs, and audits.

        What an action writes is logged with its name and its actor; what is refused is noted. The
        rate comes first of all, so that it also slows down who is refused; what counts among the
        requests of a month is only what is let in.

        Raises:
            InvalidInput: with every problem of the input.
            Denied: the actor may not, or not from their network; it says why.
            TooManyRequests, UsageExceeded: the actor or the tenant may not now.
            TenantReadOnly, TenantClosed: the tenant does not take it now.
            TookTooLong: it was stopped.
        """
        found = self.get(name)
        async with _let_in(found, scope):
            command, site = await self._decided(found, scope, given)
            during = scope.during(found.name, site)
            if not isinstance(scope, TenantScope):
                return await found.run(during, command)
            async with scope.product.rates.counted(scope.admission, scope.tenant, scope.limits):
                result = await found.run(during, command)
            if found.effect == "write":
                await scope.settle()
            return result

    async def require_allowed(
        self, name: str, scope: PlatformScope | TenantScope, given: BaseModel | dict[str, Any]
    ) -> None:
        """Raises what :meth:`perform` would before the action runs, which it does not: for who is
        told again what the action gave once."""
        found = self.get(name)
        async with _let_in(found, scope):
            await self._decided(found, scope, given)

    async def _decided(
        self, found: Action, scope: PlatformScope | TenantScope, given: BaseModel | dict[str, Any]
    ) -> tuple[BaseModel, str | None]:
        """The input of an action that may be done now, and the site that it is about."""
        try:
            command = _validated(found, given)
        except InvalidInput:
            self.require(found.name, scope.actor)
            raise
        command, site = await _about_site(found, scope, command)
        _require(found, scope.actor.may(found.needs, found.name, site))
        if not isinstance(scope, found.scope):
            raise InvalidInput(f"{found.name} needs a {found.scope.__name__}.")
        if isinstance(scope, TenantScope) and (
            (found.effect == "write" and not found.suspended)
            or (scope.tenant.status is TenantStatus.CLOSED and not scope.actor.trusted)
        ):
            require_writable(scope.tenant)
        return command, site


@asynccontextmanager
async def _let_in(found: Action, scope: PlatformScope | TenantScope) -> AsyncIterator[None]:
    """Lets in what is done to perform an action, within its time; notes what is refused."""
    if scope.actor.trusted:
        yield
        return
    product, tenant = scope.product, scope.tenant if isinstance(scope, TenantScope) else None
    who = scope.actor.name or scope.actor.address
    await product.rates.admit(scope.admission, who, tenant)
    try:
        seconds = found.seconds or product.platform.settings.rates.seconds
        if tenant is not None:
            near = scope.actor.client or scope.actor.address
            await product.networks.require(tenant.tenant_id, near)
        async with within(seconds, found.name):
            yield
    except (RequestError, TenantError, IdentityError) as error:
        if found.effect == "write" or isinstance(error, Denied):
            product.ledger.note(_refusal(found, scope, error))
        raise


def _require(found: Action, decision: Decision) -> None:
    if not decision.allowed:
        raise Denied(f"{found.name} was refused: {decision.reason}")


async def _about_site(
    found: Action, scope: PlatformScope | TenantScope, command: BaseModel
) -> tuple[BaseModel, str | None]:
    """A command with the site that it is about.

    What is named by its id belongs to one. Else who may do different things at different sites has
    to name one, or means the first: what is meant for all of them would be decided by the rights at
    one.
    """
    if not isinstance(scope, TenantScope):
        return command, None
    site, differs = getattr(command, "site", None), scope.actor.differs_by_site
    named = "site" in type(command).model_fields
    by_id = found.of is not None and scope.actor.belongs and (named or differs)
    if site is not None or not (by_id or (named and differs)):
        return command, site if named else None
    async with scope.read() as session:
        if found.of is not None and by_id:
            site = await site_of(session, found.of, getattr(command, "id", None))
        if site is None and named and differs:
            site = (await find_site(session)).key
    return command.model_copy(update={"site": site}) if named else command, site


def _refusal(found: Action, scope: PlatformScope | TenantScope, error: MosaicError) -> Entry:
    tenant_id = scope.tenant.tenant_id if isinstance(scope, TenantScope) else None
    # Of a refusal, why; of anything else the kind: a message may have what was sent.
    reason = error.message if isinstance(error, Denied) else error.code
    outcome: Outcome = "failed" if isinstance(error, TookTooLong) else "refused"
    return Entry(tenant_id, str(scope.actor), found.name, outcome, reason, scope.actor.address)


def _validated(found: Action, given: BaseModel | dict[str, Any]) -> BaseModel:
    if isinstance(given, found.input):
        return given
    try:
        return found.input.model_validate(given)
    except ValidationError as error:
        raise misfit(found.name, error) from error


def misfit(what: str, error: ValidationError) -> InvalidInput:
    """Says of an action's input, or of something like it, everything that does not fit."""
    problems = tuple(
        (".".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, "))
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )
    told = "; ".join(f"{where}: {why}" if where else why for where, why in problems)
    return InvalidInput(f"{what}: {told}.", problems=problems)
