"""How an action looks over HTTP: which of its fields come in the path, the query and the body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_origin

import pydantic_core
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mosaic_cms.actions import misfit
from mosaic_cms.declared import Action
from mosaic_cms.download import Download
from mosaic_cms.incoming import BODY, Incoming
from mosaic_cms.rights import attainable
from mosaic_core.errors import PluginConflict, PluginInvalid

_SHAPE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^ ?#]*)")
_PARAMETER = re.compile(r"\{(\w+)\}")
_WHOLE, _NUMBER = re.compile(r"-?[0-9]{1,18}"), re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_LISTS = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class Shape:
    """One action at one method and path.

    Attributes:
        path: below ``/api/v1``, with parameters in braces.
    """

    action: Action
    method: str
    path: str

    @cached_property
    def in_path(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @cached_property
    def in_query(self) -> tuple[str, ...]:
        """Fields that come in the query: all others, where there is no body."""
        if self.has_body and self.incoming is None:
            return ()
        elsewhere = {*self.in_path, self.incoming}
        return tuple(name for name in self.action.input.model_fields if name not in elsewhere)

    @cached_property
    def in_body(self) -> tuple[str, ...]:
        if not self.has_body:
            return ()
        if self.incoming is not None:
            return (self.incoming,)
        return tuple(name for name in self.action.input.model_fields if name not in self.in_path)

    @cached_property
    def incoming(self) -> str | None:
        """The field that is the body itself, which is no JSON then; the others come in the
        query."""
        fields = self.action.input.model_fields.items()
        return next((name for name, field in fields if field.annotation is Incoming), None)

    @property
    def has_body(self) -> bool:
        return self.method in {"POST", "PUT", "PATCH"}

    @property
    def writes(self) -> bool:
        return self.action.effect == "write"

    @cached_property
    def lists(self) -> bool:
        """Whether the answer is a list, which comes in pages."""
        return get_origin(self.action.output) is list

    @property
    def downloads(self) -> bool:
        """Whether the answer is a file."""
        return self.action.output is Download

    @cached_property
    def item(self) -> Any:
        """What the answer is made of."""
        return get_args(self.action.output)[0] if self.lists else self.action.output

    @cached_property
    def answer(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.action.output)

    @property
    def status(self) -> int:
        """Of an answer: something new was made, or not."""
        made = self.action.name.rpartition(".")[2] in {"create", "sign_up", "copy"}
        return 201 if self.method == "POST" and made else 200

    def command(
        self, texts: dict[str, Any], body: dict[str, Any], content: Incoming | None = None
    ) -> BaseModel:
        """The action's input, from what came as text, what came as JSON, and a body that is none.

        Everything has to be of the very kind; a text is the number or the truth that it writes
        where one is wanted.

        Raises:
            InvalidInput: with every problem.
        """
        read = {
            name: [self._read(name, x) for x in text]
            if isinstance(text, list)
            else self._read(name, text)
            for name, text in texts.items()
        }
        if self.incoming is not None and content is not None:
            body = {**body, self.incoming: ""}
        try:
            return self.action.input.model_validate_json(
                pydantic_core.to_json(read | body),
                strict=True,
                context=None if content is None else {BODY: content},
            )
        except ValidationError as error:
            raise misfit(self.action.name, error) from error

    def _read(self, name: str, text: str) -> Any:
        kinds = self._kinds[name]
        if "integer" in kinds and _WHOLE.fullmatch(text):
            return int(text)
        if "number" in kinds and _NUMBER.fullmatch(text):
            return float(text)
        if "boolean" in kinds and text in {"true", "false"}:
            return text == "true"
        return text

    @cached_property
    def _kinds(self) -> dict[str, set[str]]:
        """The JSON types that each field, or each item of it, may have."""
        schema = self.action.input.model_json_schema()
        return {
            name: set(_types(field, schema.get("$defs", {})))
            for name, field in schema.get("properties", {}).items()
        }

    def takes_many(self, name: str) -> bool:
        """Whether a field may be repeated in the query."""
        return _is_list(self.action.input.model_fields[name])


def _types(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield from _types(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for part in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _types(part, definitions)
    if isinstance(schema.get("type"), str):
        yield schema["type"]


def _is_list(field: FieldInfo) -> bool:
    kinds = (field.annotation, *get_args(field.annotation))
    return any(kind in _LISTS or get_origin(kind) in _LISTS for kind in kinds)


def shapes_of(actions: Iterable[Action]) -> list[Shape]:
    """The shapes of those actions that have one and are not for operators only, by path.

    Raises:
        PluginInvalid: a shape is not one, or names a field that the action does not have.
        PluginConflict: two actions have the same method and path.
    """
    found: dict[tuple[str, str], Shape] = {}
    for action in actions:
        if action.http is None or not attainable(action.needs):
            continue
        shape = _shape(action)
        key = (shape.method, _PARAMETER.sub("{}", shape.path))
        if key in found:
            raise PluginConflict(
                f"{action.http!r} is the shape of {found[key].action.name!r} and of "
                f"{action.name!r}.",
                hint="Give one of them another.",
            )
        found[key] = shape
    return sorted(found.values(), key=lambda shape: (_order(shape.path), shape.method))


def _shape(action: Action) -> Shape:
    match = _SHAPE.fullmatch(action.http or "")
    if match is None:
        raise PluginInvalid(
            f"The action {action.name!r} has no proper shape: {action.http!r}.",
            hint="Write it as in 'POST /pages/{path}/publish'.",
        )
    shape = Shape(action, *match.groups())
    unknown = set(shape.in_path) - set(action.input.model_fields)
    if unknown:
        raise PluginInvalid(
            f"The shape of {action.name!r} names {', '.join(sorted(unknown))}, which its input "
            f"does not have.",
            hint="Name fields of the action's input.",
        )
    if shape.method == "GET" and shape.writes:
        raise PluginInvalid(f"The action {action.name!r} writes, and its shape is a GET.")
    return shape


def _order(path: str) -> list[tuple[int, str]]:
    """Fixed segments come before parameters."""
    return [(int("{" in segment), segment) for segment in path.split("/")]
