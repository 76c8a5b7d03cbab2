"""Letters: mails before they have a sender, by kind.

A message in an outbox names a kind and what the letter is about. What it says is made when it is
sent: an outbox keeps nothing that can be read of what somebody wrote, and no letter tells what is
not so any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, select_autoescape

from mosaic_cms.strict_templates import strict
from mosaic_core.errors import ConfigurationError
from mosaic_core.head import HeadTables, Write
from mosaic_core.head.outbox import enqueue

#: The topic of messages about mail.
MAIL = "mail.send"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said to whom; the parts are those of :class:`mosaic_core.mail.Mail`."""

    to: str
    subject: str
    text: str
    html: str | None = None
    reply_to: str | None = None


#: Makes a template's text and its HTML of the same words.
Render = Callable[[str, Mapping[str, Any]], tuple[str, str]]
#: Writes a letter for a scope (a tenant's, or the platform's) about what the message says; None
#: when there is nothing to be said any more.
Compose = Callable[[Any, Mapping[str, Any], Render], Awaitable[Letter | None]]


async def post(write: Write, tables: HeadTables, kind: str, about: Mapping[str, Any]) -> uuid.UUID:
    """Has a letter sent once this write is committed; the id of its message.

    Args:
        tables: ``TENANT`` in a write to a tenant, ``PLATFORM`` in one to the directory.
    """
    return await enqueue(write, tables, MAIL, {"kind": kind, **about})


class Letters:
    """Writes letters of the kinds that it is given."""

    def __init__(self, kinds: Mapping[str, Compose]) -> None:
        self._kinds = kinds
        self._templates = strict(
            FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(["html"])
        )

    async def compose(self, scope: Any, payload: Mapping[str, Any]) -> Letter | None:
        """The letter that a message asks for; None when there is nothing to be said any more.

        Raises:
            ConfigurationError: it is of a kind that only a newer MOSAIC, or another, knows.
        """
        kind = payload["kind"]
        if kind not in self._kinds:
            raise ConfigurationError(
                f"There are no letters of the kind {kind!r}.", hint="Install the newer MOSAIC."
            )
        return await self._kinds[kind](scope, payload, self._render)

    def _render(self, name: str, words: Mapping[str, Any]) -> tuple[str, str]:
        text, html = (
            self._templates.get_template(f"{name}.{kind}").render(words) for kind in ("txt", "html")
        )
        return text, html
