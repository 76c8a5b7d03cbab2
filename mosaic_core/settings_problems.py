"""What is wrong with settings, in words: where it stands, and what was meant."""

from __future__ import annotations

import difflib
import os
import re
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

ENV_PREFIX = "MOSAIC_"
_KEY = re.compile(r"[\w-]+")


def problems(error: ValidationError, source: str, model: type[BaseModel]) -> str:
    """A validation error in words: one line for each key, with the nearest known one."""
    lines = []
    for item in error.errors():
        # Between the keys stand pydantic's own names for the members of a union.
        path = [str(part) for part in item["loc"] if _KEY.fullmatch(str(part))]
        variable = ENV_PREFIX + "__".join(path).upper()
        origin = (
            ("the environment", variable) if variable in os.environ else (source, ".".join(path))
        )
        lines.append(f"In {origin[0]}: {origin[1]}: {_what(item, model)}")
    return "\n".join(dict.fromkeys(lines))


def nearest(name: str, known: Any) -> str:
    """``; did you mean …?`` or a list of what there is."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(sorted(known))}." if known else "."


def _what(item: ErrorDetails, model: type[BaseModel]) -> str:
    if item["type"] == "missing":
        return "it is needed, and is not there."
    if item["type"] != "extra_forbidden":
        what, given = item["msg"].removeprefix("Value error, "), item["input"]
        # A whole table is not shown: it may hold a secret beside what is wrong.
        hidden = (
            isinstance(given, dict | list)
            or _is_secret(_at(model, item["loc"]))
            or _hides(_at(model, item["loc"][:-1]))
        )
        shown = "" if hidden else f" (given: {str(given)[:80]!r})"
        return f"{what}{shown}."
    known = list(getattr(_at(model, item["loc"][:-1]), "model_fields", {}))
    return f"there is no such key{nearest(str(item['loc'][-1]), known)}"


def _hides(model: Any) -> bool:
    """Whether a model says that nobody is to see what was given."""
    return bool(getattr(model, "model_config", {}).get("hide_input_in_errors"))


def _is_secret(kind: Any) -> bool:
    return kind is SecretStr or kind is SecretBytes or any(map(_is_secret, get_args(kind)))


def _at(model: Any, path: tuple[int | str, ...]) -> Any:
    """What stands at a path below a model: a model, another type, or None."""
    for part in path:
        fields = getattr(model, "model_fields", None)
        if fields is not None:
            field = fields.get(str(part))
            model = field.annotation if field is not None else None
        else:  # a dictionary's values, such as dict[str, Tier]
            arguments = get_args(model)
            model = arguments[-1] if arguments else None
        if get_origin(model) is UnionType:
            model = get_args(model)[0]  # an optional model
    return model
