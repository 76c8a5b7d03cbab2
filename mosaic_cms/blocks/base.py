"""What a block type is made of: a pydantic model, whose fields have the types below.

::

    class Timeline(Block):
        "Years, one below the other."

        name = "timeline"
        template = Path(__file__).parent / "timeline.html"

        heading: Line
        years: Annotated[tuple[Year, ...], Field(max_length=100)]

The model gives the editor's form, the validation and the schema; the template shows it. A theme has
its own way with a block when it has a ``blocks/<name>.html``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from mosaic_cms.blocks.sanitise import RAW, RICH, Sanitiser
from mosaic_core.errors import InvalidInput

#: Where the templates of MOSAIC's own block types are.
TEMPLATES = Path(__file__).parent / "templates"

#: The key of a validation's context that has the ``media:<id>`` of pictures which the library
#: describes. There is no context where it is not asked what is wrong.
DESCRIBED = "described"
_REFERENCE = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MEDIA = re.compile(rf"media:{_REFERENCE}")
_SHARED = re.compile(rf"shared:{_REFERENCE}")
_PAGE = re.compile(rf"page:{_REFERENCE}")
_LINK = re.compile(
    rf"(?:page:{_REFERENCE}|media:{_REFERENCE})(?:#[^\s]{{0,200}})?"
    r"|https?://[^\s/?#]+[^\s]*|mailto:[^\s@]+@[^\s@]+|tel:[+()\d][\d() .-]*|/(?!/)[^\s\\]*|#[^\s]*"
)
#: Characters of HTML in one field, at most.
_HTML = 200_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("it contains a control character; take it out")
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("it has more than one line")
    return _plain(text)


def _link(text: str) -> str:
    if not _LINK.fullmatch(text):
        raise ValueError(
            "it leads nowhere: write a page's path, page:<id>, media:<id>, an https address, "
            "or a mailto: or tel: link"
        )
    return text


def _cleaned_by(sanitiser: Sanitiser) -> Callable[[str], str]:
    def clean(html: str) -> str:
        cleaned = sanitiser.stored(html)
        if len(cleaned) > _HTML:  # as it must be read again
            raise ValueError(f"it has more than {_HTML:,} characters once it is put in order")
        return cleaned

    return clean


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"it must be {what}:<id>")
        return text

    return check


#: A line of plain text.
Line = Annotated[str, Field(max_length=300), AfterValidator(_one_line)]
#: The same, and not empty.
Words = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_line)]
#: Plain text in several lines.
Text = Annotated[str, Field(max_length=20_000), AfterValidator(_plain)]
#: Markdown; its links to pages are ``page:<id>``, to files ``media:<id>``.
Markdown = Annotated[
    str,
    Field(max_length=1_000_000),
    WithJsonSchema({"type": "string", "format": "markdown", "maxLength": 1_000_000}),
]
#: HTML from the editor: sanitised when it is saved and again when it is shown.
RichText = Annotated[
    str,
    Field(max_length=_HTML),
    AfterValidator(_cleaned_by(RICH)),
    WithJsonSchema({"type": "string", "format": "html", "maxLength": _HTML}),
]
#: HTML that an Admin wrote by hand: sanitised like :data:`RichText`, by a longer list.
RawHtml = Annotated[
    str,
    Field(max_length=_HTML),
    AfterValidator(_cleaned_by(RAW)),
    WithJsonSchema({"type": "string", "format": "raw-html", "maxLength": _HTML}),
]
#: Where a link leads: a path, ``page:<id>``, ``media:<id>``, or an address.
Link = Annotated[
    str,
    Field(max_length=2_000),
    AfterValidator(_link),
    WithJsonSchema({"type": "string", "format": "mosaic-link", "maxLength": 2_000}),
]
#: ``media:<id>``.
Media = Annotated[
    str,
    AfterValidator(_matching(_MEDIA, "media")),
    WithJsonSchema({"type": "string", "format": "mosaic-media"}),
]
#: ``page:<id>``.
PageReference = Annotated[
    str,
    AfterValidator(_matching(_PAGE, "page")),
    WithJsonSchema({"type": "string", "format": "mosaic-page"}),
]
#: ``shared:<id>``.
Shared = Annotated[
    str,
    AfterValidator(_matching(_SHARED, "shared")),
    WithJsonSchema({"type": "string", "format": "mosaic-shared"}),
]


class Part(BaseModel):
    """A piece of a block's data, such as one picture of a gallery."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class StoredBlock(Part):
    """A block as a page keeps it. ``data`` fits the type's model once the page is published; a
    draft may be unfinished, and the type may be one that nobody here knows."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    version: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    data: dict[str, Any]


#: Blocks inside a block.
Nested = tuple[StoredBlock, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Pages that a block shows: published ones of its site, in the language of its page.

    Attributes:
        below: ``page:<id>`` of the page that they stand right below; None is the block's own page.
        tag: instead, all that have this tag.
        newest: the newest first; else in the tree's order.
        limit: at most so many.
    """

    below: str | None = None
    tag: str | None = None
    newest: bool = True
    limit: int = 10


class Block(Part):
    """What one block holds; each subclass is a block type.

    Attributes:
        name: of the type, in stored blocks and in templates' names.
        title: for people; the class's name in words unless it is given.
        version: of the data; raised when older data do not fit any more.
        upgrades: for each older version, what makes its data that of the next one.
        template: shows it, with the model as ``block``.
        permission: who may put it on a page: ``content``, or ``raw_html`` for Admins alone.
        group: where an editor finds it.
        lists: whether :meth:`listing` may ask for pages.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    upgrades: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
    template: ClassVar[Path]
    permission: ClassVar[Literal["content", "raw_html"]] = "content"
    group: ClassVar[Literal["text", "media", "layout", "more"]] = "more"
    lists: ClassVar[bool] = False

    def listing(self) -> Listing | None:
        """Which pages its template gets as ``listed``; None for a block that lists none."""
        return None

    @classmethod
    def blank(cls) -> dict[str, Any]:
        """The data of a new one: its defaults."""
        return {
            key: field.get_default(call_default_factory=True)
            for key, field in cls.model_fields.items()
            if not field.is_required()
        }


def require_whole(kind: type[Block], where: str) -> None:
    """Checks what Python does not.

    Raises:
        InvalidInput: naming the class and what it lacks.
    """
    for attribute in ("name", "template"):
        if not hasattr(kind, attribute):
            raise InvalidInput(f"The block type {where} has no {attribute!r}.")
    missing = [n for n in range(1, kind.version) if n not in kind.upgrades]
    if missing:
        raise InvalidInput(
            f"The block type {kind.name!r} ({where}) has no upgrade for its data of version "
            f"{missing[0]}.",
            hint="Give each version below the current one a function in 'upgrades'.",
        )
