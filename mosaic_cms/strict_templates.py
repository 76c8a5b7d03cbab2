"""What all templates of MOSAIC run in: whatever is put in is escaped, and what there is not is an
error."""

from __future__ import annotations

from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined


def strict(
    loader: BaseLoader, kind: type[Environment] = Environment, **options: Any
) -> Environment:
    """An environment for templates that do not change while it is there."""
    given: dict[str, Any] = {
        "autoescape": True,
        "auto_reload": False,
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    return kind(loader=loader, **(given | options))
