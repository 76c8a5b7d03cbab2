"""Writes ``hooks.md`` from the hook specifications: ``python docs/generate_hooks.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mosaic_core import hooks
from mosaic_core.plugins import hook_types

TARGET = Path(__file__).with_name("hooks.md")
PROVISIONAL = "Provisional. "
#: Stands for a fence until the double backticks of literals are gone.
_FENCE = "\N{SYMBOL FOR START OF TEXT}"


def page() -> str:
    """The whole document."""
    types = hook_types()
    parts = [
        "# The hooks",
        "<!-- Written by docs/generate_hooks.py. Change mosaic_core/hooks.py, not this. -->",
        _text(hooks),
        f"This is version {hooks.HOOK_API} of the hook API. "
        "A provisional hook may change with its first plugin.",
    ]
    for specification in hooks.SPECIFICATIONS:
        parts += [f"## {_title(specification)}", _text(specification)]
        for name, function in vars(specification).items():
            if name in types:
                parts.append(entry(name, function, types[name]))
    return "\n\n".join(parts) + "\n"


def entry(name: str, function: Callable[..., Any], returns: Any) -> str:
    """What the document says of one hook.

    Raises:
        ValueError: the hook has no docstring, or no example in it.
    """
    doc = _text(function)
    words, _, example = doc.partition("Example:\n\n")
    if not words.strip() or not example.strip():
        raise ValueError(f"{name} needs a docstring with an Example.")
    provisional = words.startswith(PROVISIONAL)
    state = "Provisional.\n\n" if provisional else ""
    shown = re.sub(r"\b(?:\w+\.)+", "", str(returns))
    return (
        f"### `{name}() -> {shown}`\n\n{state}{words.removeprefix(PROVISIONAL).strip()}\n\n"
        f"{example.strip()}"
    )


def _title(specification: type) -> str:
    return f"{specification.__name__.removesuffix('Hooks')} hooks"


def _text(described: Any) -> str:
    """A docstring as Markdown: literal blocks fenced, literals in single backticks."""
    text = inspect.cleandoc(described.__doc__ or "")
    text = re.sub(r"::\n\n((?:    .*\n?|\n+(?=    ))+)", _fenced, text + "\n")
    return text.replace("``", "`").replace(_FENCE, "```").strip()


def _fenced(match: re.Match[str]) -> str:
    code = inspect.cleandoc(match.group(1))
    return f":\n\n{_FENCE}python\n{code}\n{_FENCE}\n"


def main() -> None:
    TARGET.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
