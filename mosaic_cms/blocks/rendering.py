"""Blocks as visitors see them: each through its type's template, or the theme's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Protocol

import nh3
from markupsafe import Markup as Safe

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.stored import Stored
from mosaic_cms.content.element_ids import Ids
from mosaic_cms.content.markup import Markup, Resolver
from mosaic_cms.pictures.picture import Picture
from mosaic_core.errors import InvalidInput

_log = logging.getLogger("mosaic.blocks")

#: Elements between whose contents a reader pauses (HTML Living Standard, 15.3).
_FLOW = (
    "address article aside blockquote br button caption dd details dialog div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr iframe input label legend li main "
    "menu nav ol optgroup option p pre search section select summary table tbody td textarea tfoot "
    "th thead tr ul video"
)
#: Leaves those alone, without attributes, and pictures with their texts.
_FLOW_ALONE = nh3.Cleaner(
    tags={"img", *_FLOW.split()},
    attributes={"img": {"alt"}},
    clean_content_tags={"script", "style", "template"},
    link_rel=None,
)
#: The ways from a text to its notes and back: numbers and arrows, which belong to no word.
_NOTES = re.compile(r'<a\b[^>]*\brole="doc-(?:noteref|backlink)"[^>]*>[^<]*</a>')
_PICTURE = re.compile(r'<img(?: alt="([^"]*)")?>')
_TAGS = re.compile(r"(?:</?[a-z0-9]+>\s*+)++")


class Templates(Protocol):
    """A theme, as far as blocks need it."""

    def render(self, template: str, **context: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What blocks show besides their own data; all of it was looked up before.

    Attributes:
        resolver: says where links and pictures lead.
        page: what the theme's layouts get as ``page``.
        lists: what each page list shows, by the block's id.
        shared: the live blocks of shared ones, by their id.
        ids: of the page's elements.
    """

    resolver: Resolver
    page: Mapping[str, Any]
    lists: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    shared: Mapping[str, Sequence[Stored]] = field(default_factory=dict)
    ids: Ids = field(default_factory=Ids)


class BlockRenderer:
    """Renders stored blocks. Nothing of a page is kept in it: share it freely."""

    def __init__(self, types: BlockTypes, markup: Markup) -> None:
        self._types = types
        self._markup = markup

    def render(self, blocks: Iterable[Stored], theme: Templates, around: Around) -> Safe:
        """The HTML of some blocks.

        One that is of no known type, or does not fit it, is left out: it stays on its page, where
        editors see it.

        Raises:
            ConfigurationError: a template fails; it names the theme and the file.
        """
        return _Rendering(self._types, self._markup, theme, around).blocks(blocks)


class _Rendering:
    """One rendering; its methods are what templates can call."""

    def __init__(self, types: BlockTypes, markup: Markup, theme: Templates, around: Around) -> None:
        self._types = types
        self._markup = markup
        self._theme = theme
        self._around = around
        self._within: list[str] = []  # shared blocks, so that none is shown inside itself

    def blocks(self, blocks: Iterable[Stored]) -> Safe:
        return Safe("").join(self._block(stored) for stored in blocks)

    def _block(self, stored: Stored) -> Safe:
        try:
            block = self._types.read(stored)
        except InvalidInput as error:
            _log.warning("%s: the block %s is left out: %s", self._page, stored["id"], error)
            return Safe("")
        html = self._theme.render(
            f"blocks/{block.name}",
            block=block,
            id=stored["id"],
            at=self._around.ids.unique(f"b-{stored['id']}"),
            page=self._around.page,
            listed=self._around.lists.get(stored["id"], ()),
            inside=self._inside,
            shared=self._shared,
            markdown=self._markdown,
            rich=self._rich,
            href=self._href,
            picture=self._picture,
        )
        return Safe(html)  # noqa: S704 - templates escape, and what they call is sanitised

    @property
    def _page(self) -> Any:
        return self._around.page.get("url", "")

    def _inside(self, blocks: Sequence[Any]) -> Safe:
        """The blocks inside one, as its model has them."""
        return self.blocks(block.model_dump() for block in blocks)

    def _shared(self, reference: str) -> Safe:
        """The blocks of a shared one; nothing where it is gone, or inside itself."""
        key = reference.removeprefix("shared:")
        if key in self._within:
            return Safe("")
        self._within.append(key)
        try:
            return self.blocks(self._around.shared.get(key, ()))
        finally:
            self._within.pop()

    def _markdown(self, text: str) -> Safe:
        around, language = self._around, self._around.page.get("language", "")
        rendered = self._markup.render(text, around.resolver, around.ids, language=language)
        return Safe(rendered.html)  # noqa: S704

    def _rich(self, html: str) -> Safe:
        return Safe(self._markup.rich(html, self._around.resolver))  # noqa: S704

    def _href(self, target: str | None) -> str | None:
        """Where a link leads; None when nothing is there."""
        return self._around.resolver.link(target) if target else None

    def _picture(self, target: str | None) -> Picture | None:
        return self._around.resolver.picture(target) if target else None


def words_of(html: str) -> str:
    """The words of rendered HTML, a line for each piece of flow content, for search."""
    flow = _FLOW_ALONE.clean(_NOTES.sub("", html))
    text = _TAGS.sub("\n", _PICTURE.sub(r" \1 ", flow))
    lines = (" ".join(line.split()) for line in unescape(text).split("\n"))
    return "\n".join(line for line in lines if line)
