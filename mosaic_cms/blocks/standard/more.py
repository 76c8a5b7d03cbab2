"""Blocks that ask, list, or stand for something else."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from mosaic_cms.blocks.base import (
    TEMPLATES,
    Block,
    Line,
    Listing,
    PageReference,
    Part,
    RawHtml,
    Shared,
    Text,
    Words,
)
from mosaic_core.errors import InvalidMail
from mosaic_core.mail import check_address


class FormField(Part):
    """One thing that a form asks for.

    Attributes:
        key: of the value, in what is stored and exported; stays when the label is changed.
    """

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    kind: Literal[
        "text", "email", "long_text", "number", "choice", "checkbox", "date", "consent"
    ] = "text"
    label: Words
    help: Line = ""
    required: bool = False
    choices: Annotated[tuple[Words, ...], Field(max_length=100, validate_default=True)] = ()

    @field_validator("choices")
    @classmethod
    def _choices_for_a_choice(
        cls, choices: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        kind = info.data.get("kind")
        if kind == "choice" and len(choices) < 2:
            raise ValueError("a choice needs two or more to choose from")
        if kind != "choice" and choices:
            raise ValueError(f"a field of the kind {kind!r} has no choices")
        if len(set(choices)) != len(choices):
            raise ValueError("the same choice is there twice")
        return choices

    @property
    def must(self) -> bool:
        """Whether a form is refused without it: consent is never optional."""
        return self.required or self.kind == "consent"


def _mail_address(text: str) -> str:
    try:
        check_address(text)
    except InvalidMail as error:
        raise ValueError("it is no mail address") from error
    if "." not in text.rpartition("@")[2].strip("."):
        raise ValueError("it is no mail address: its domain has no dot")
    return text


class Form(Block):
    """Questions to visitors. It is posted to the page itself, with ``_form`` as the block's id."""

    name = "form"
    title = "Form"
    group = "more"
    template = TEMPLATES / "form.html"

    #: The field that people do not see; who fills it in is none.
    TRAP: ClassVar[str] = "_website"

    heading: Words
    text: Text = ""
    fields: Annotated[tuple[FormField, ...], Field(min_length=1, max_length=40)]
    button: Line = ""
    success: Annotated[Text, Field(min_length=1, max_length=2_000)]
    notify: Annotated[Line, AfterValidator(_mail_address)] | None = None

    @field_validator("fields")
    @classmethod
    def _each_key_once(cls, fields: tuple[FormField, ...]) -> tuple[FormField, ...]:
        keys = [field.key for field in fields]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"two fields have the key {twice[0]!r}")
        return fields


class PageList(Block):
    """Pages below one, or with one tag."""

    name = "page_list"
    title = "List of pages"
    group = "more"
    template = TEMPLATES / "page_list.html"
    lists = True

    heading: Line = ""
    source: Literal["children", "tag"] = "children"
    parent: PageReference | None = None
    tag: Line = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    order: Literal["newest", "tree"] = "newest"
    style: Literal["list", "cards"] = "list"

    def listing(self) -> Listing:
        tag = self.tag if self.source == "tag" else None
        return Listing(self.parent, tag, newest=self.order == "newest", limit=self.limit)

    @model_validator(mode="after")
    def _has_its_source(self) -> Self:
        if self.source == "tag" and not self.tag.strip():
            raise ValueError("give the tag whose pages are listed")
        return self


class SharedBlock(Block):
    """A shared block: the same wherever it is shown."""

    name = "shared"
    title = "Shared block"
    group = "more"
    template = TEMPLATES / "shared.html"

    reference: Shared


class Html(Block):
    """HTML by hand, for what no other block does. Scripts and frames are taken out."""

    name = "html"
    title = "HTML"
    group = "more"
    template = TEMPLATES / "html.html"
    permission = "raw_html"

    html: RawHtml
