"""Blocks that arrange: openings, cards, columns, and what stands between."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mosaic_cms.blocks.base import (
    TEMPLATES,
    Block,
    Line,
    Link,
    Markdown,
    Nested,
    Part,
    Text,
    Words,
)
from mosaic_cms.blocks.standard.media import Illustration
from mosaic_cms.blocks.stored import Stored, blocks_in

Style = Literal["primary", "secondary"]


class Action(Part):
    """A link that is made to be pressed."""

    label: Words
    link: Link
    style: Style = "primary"


class Hero(Block):
    """An opening, with a picture if there is one."""

    name = "hero"
    title = "Hero"
    group = "layout"
    template = TEMPLATES / "hero.html"

    heading: Words
    text: Text = ""
    picture: Illustration | None = None
    actions: Annotated[tuple[Action, ...], Field(max_length=3)] = ()
    tone: Literal["deep", "light"] = "deep"


class Card(Part):
    """One of several."""

    title: Words
    text: Text = ""
    link: Link | None = None
    picture: Illustration | None = None


class Cards(Block):
    """Several things side by side."""

    name = "cards"
    title = "Cards"
    group = "layout"
    template = TEMPLATES / "cards.html"

    heading: Line = ""
    items: Annotated[tuple[Card, ...], Field(min_length=1, max_length=48)]


class Columns(Block):
    """Blocks side by side, on a grid of twelve."""

    name = "columns"
    title = "Columns"
    group = "layout"
    template = TEMPLATES / "columns.html"

    layout: Literal["12", "8-4", "6-6", "4-4-4", "3-6-3"] = "6-6"
    columns: Annotated[tuple[Nested, ...], Field(max_length=3)]

    @model_validator(mode="after")
    def _as_the_layout_says(self) -> Self:
        wanted = len(self.widths)
        if len(self.columns) != wanted:
            raise ValueError(
                f"the layout {self.layout} has {wanted} column{'s' if wanted > 1 else ''}; "
                f"there are {len(self.columns)}"
            )
        for number, column in enumerate(self.columns):
            inside = blocks_in([block.model_dump() for block in column])
            if any(_has_columns(block) for block in inside if block["type"] == self.name):
                raise ValueError(
                    f"column {number + 1} has columns in columns in it: columns can be inside "
                    f"columns once; put the innermost below one another"
                )
        return self

    @property
    def widths(self) -> tuple[str, ...]:
        """Of each column, in twelfths."""
        return tuple(self.layout.split("-"))


def _has_columns(stored: Stored) -> bool:
    return any(block["type"] == Columns.name for block in blocks_in(stored["data"]))


class AccordionItem(Part):
    """What opens when its title is pressed."""

    title: Words
    text: Markdown
    open: bool = False


class Accordion(Block):
    """Texts that open one at a time or together, such as questions with their answers."""

    name = "accordion"
    title = "Accordion"
    group = "layout"
    template = TEMPLATES / "accordion.html"

    heading: Line = ""
    items: Annotated[tuple[AccordionItem, ...], Field(min_length=1, max_length=100)]


class Button(Block):
    """A link that is made to be pressed."""

    name = "button"
    title = "Button"
    group = "layout"
    template = TEMPLATES / "button.html"

    label: Words
    link: Link
    style: Style = "primary"


class Divider(Block):
    """A pause."""

    name = "divider"
    title = "Divider"
    group = "layout"
    template = TEMPLATES / "divider.html"
