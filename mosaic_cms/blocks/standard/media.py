"""Blocks to look at and to listen to."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from mosaic_cms.blocks.base import DESCRIBED, TEMPLATES, Block, Line, Link, Media, Part, Text, Words
from mosaic_cms.blocks.providers import Embedded, embedded, provider_names


class Illustration(Part):
    """A picture with the words for those who do not see it: its own here, or those that the library
    has for it."""

    media: Media
    decorative: bool = False
    alt: Annotated[Line, Field(validate_default=True)] = ""

    @field_validator("alt")
    @classmethod
    def _says_what_it_shows(cls, alt: str, info: ValidationInfo) -> str:
        # What is wrong is asked before it is published, and then it is known what the library says.
        if info.context is None or alt.strip() or info.data.get("decorative"):
            return alt
        if info.data.get("media") not in info.context[DESCRIBED]:
            raise ValueError(
                "the picture has no alternative text: say what it shows, or that it is decorative"
            )
        return alt

    @property
    def shown_alt(self) -> str | None:
        """The alternative text; none for a picture that is mere decoration. None is what the
        library says."""
        return "" if self.decorative else self.alt or None


class Image(Block, Illustration):
    """One picture."""

    name = "image"
    title = "Picture"
    group = "media"
    template = TEMPLATES / "image.html"

    caption: Line = ""
    link: Link | None = None
    width: Literal["normal", "wide", "full"] = "normal"

    @model_validator(mode="after")
    def _a_link_has_words(self) -> Self:
        if self.link and self.decorative:
            raise ValueError("a picture that is a link is not decorative: say where it leads")
        return self


class GalleryPicture(Illustration):
    """A picture of a gallery."""

    caption: Line = ""


class Gallery(Block):
    """Pictures beside one another."""

    name = "gallery"
    title = "Gallery"
    group = "media"
    template = TEMPLATES / "gallery.html"

    heading: Line = ""
    pictures: Annotated[tuple[GalleryPicture, ...], Field(min_length=1, max_length=60)]


def _of_a_provider(address: str) -> str:
    if embedded(address) is None:
        raise ValueError(
            f"no address of a page at a known provider ({', '.join(provider_names())})"
        )
    return address


def _of_a_video(address: str) -> str:
    found = embedded(address)
    if found is None or found.kind != "video":
        raise ValueError(
            f"no address of a video at a known provider ({', '.join(provider_names('video'))})"
        )
    return address


class Video(Block):
    """A film: a file of the site, or one that a provider shows."""

    name = "video"
    title = "Video"
    group = "media"
    template = TEMPLATES / "video.html"

    label: Words
    media: Media | None = None
    address: Annotated[str, Field(max_length=2_000), AfterValidator(_of_a_video)] | None = None
    poster: Media | None = None
    captions: Media | None = None
    caption: Line = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.media is None) == (self.address is None):
            raise ValueError("give either a file (media) or an address, and not both")
        return self

    @property
    def shown(self) -> Embedded | None:
        """What the provider shows."""
        return embedded(self.address) if self.address else None


class Embed(Block):
    """Something that another site shows: a map, a song, a film."""

    name = "embed"
    title = "Embedded content"
    group = "media"
    template = TEMPLATES / "embed.html"

    address: Annotated[str, Field(max_length=2_000), AfterValidator(_of_a_provider)]
    label: Words
    text: Text = ""

    @property
    def shown(self) -> Embedded | None:
        """What the provider shows."""
        return embedded(self.address)
