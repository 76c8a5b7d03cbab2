"""What an action is, and how it is read from the function that was declared as one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel

from mosaic_cms.content.belonging import Kind
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope, TenantScope
from mosaic_core.errors import PluginInvalid

Effect = Literal["read", "write"]
#: Where a declaration stands at its function.
MARK = "__mosaic_action__"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What stands at a function; :class:`Action` says what it means."""

    name: str
    needs: Permission
    effect: Effect
    http: str | None
    suspended: bool
    seconds: float | None
    cursor: str | None
    of: Kind | None


@dataclass(frozen=True, slots=True)
class Action:
    """A declared action. ``http`` is its shape for the REST face, such as ``GET /pages``;
    ``suspended`` says that a tenant takes it while it is read-only; ``seconds`` is how long it may
    take, None for as long as others; ``cursor`` is the field of its items after which it can go on;
    ``of`` is what the ``id`` in its input is of.
    """

    name: str
    needs: Permission
    effect: Effect
    http: str | None
    suspended: bool
    seconds: float | None
    cursor: str | None
    of: Kind | None
    input: type[BaseModel]
    output: Any
    scope: type[PlatformScope] | type[TenantScope]
    run: Callable[[Any, Any], Awaitable[Any]]
    summary: str


def declared_in(modules: Iterable[ModuleType]) -> Iterator[Callable[..., Awaitable[Any]]]:
    """The functions of modules that were declared as actions."""
    for module in modules:
        for function in vars(module).values():
            if hasattr(function, MARK) and function.__module__ == module.__name__:
                yield function


def made_of(function: Callable[..., Awaitable[Any]]) -> Action:
    """The action that a function was declared as.

    Raises:
        PluginInvalid: it is not declared, or not typed as an action.
    """
    declaration: Declaration | None = getattr(function, MARK, None)
    where = f"{function.__module__}.{getattr(function, '__name__', function)}"
    if declaration is None:
        raise PluginInvalid(f"{where} is not declared with @action.", hint="Decorate it.")
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise PluginInvalid(
            f"The action {declaration.name!r} ({where}) has an annotation that names nothing: "
            f"{error}.",
            hint="Import the type at the module's top level, not under TYPE_CHECKING.",
        ) from error
    parameters = [hints.get(name) for name in inspect.signature(function).parameters]
    fits = (
        inspect.iscoroutinefunction(function)
        and len(parameters) == 2
        and parameters[0] in (PlatformScope, TenantScope)
        and isinstance(parameters[1], type)
        and issubclass(parameters[1], BaseModel)
        and "return" in hints
    )
    if not fits:
        raise PluginInvalid(
            f"The action {declaration.name!r} ({where}) must be async, take a scope and a "
            f"pydantic model, and say what it returns.",
            hint="Write: async def f(scope: TenantScope, command: MyCommand) -> MyResult",
        )
    scope, model = parameters
    return Action(
        declaration.name,
        declaration.needs,
        declaration.effect,
        declaration.http,
        declaration.suspended,
        declaration.seconds,
        declaration.cursor,
        declaration.of,
        model,  # type: ignore[arg-type]
        hints["return"],
        scope,  # type: ignore[arg-type]
        function,
        (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " "),
    )
