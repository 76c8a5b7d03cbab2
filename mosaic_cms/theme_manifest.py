"""What a theme says of itself, in its ``theme.toml``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mosaic_cms.pictures.picture import ROOM


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layout(_Part):
    """What a page can look like; its template has the layout's name."""

    title: str
    regions: tuple[str, ...] = ("main",)


class Setting(_Part):
    """Something that a site chooses."""

    title: str
    choices: tuple[str, ...]
    default: str

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        if self.default not in self.choices:
            raise ValueError(f"the default {self.default!r} is none of the choices")
        return self


class Manifest(_Part):
    """``theme.toml``."""

    name: str
    title: str
    version: str
    description: str = ""
    author: str = ""
    #: How wide a picture in a text is at most, in CSS pixels.
    picture_width: Annotated[int, Field(ge=1, le=10_000)] = ROOM
    layouts: dict[str, Layout]
    settings: dict[str, Setting] = {}

    @model_validator(mode="after")
    def _has_a_page(self) -> Self:
        if "page" not in self.layouts:
            raise ValueError("there must be a layout 'page', which stands in for those missing")
        return self
