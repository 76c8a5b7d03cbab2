"""A plain model of a site: its pages and what was said about them, in lists and dictionaries.

What editors do to it is in :mod:`tests.cms.stateful.editing`, what visitors get of it in
:mod:`tests.cms.stateful.expected`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

#: The site's own, and the others.
LANGUAGES = ("en", "de", "ar")
THEMES = ("iznik", "folio", "harbour")
MENUS = ("header", "footer", "side")
#: Of what the product has not made yet.
NO_ID = uuid.UUID(int=0)


def word_of(number: int) -> str:
    """A word that stands in one text and nowhere else, too far from all others for a typo."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return "zq" + "".join(chr(ord("a") + byte % 26) for byte in digest[:12])


def language_of(path: str) -> str:
    """The language of an address."""
    first = path.split("/")[1]
    return first if first in LANGUAGES[1:] else LANGUAGES[0]


def root_of(language: str) -> str:
    """The address of the home page in a language."""
    return "/" if language == LANGUAGES[0] else f"/{language}/"


@dataclass(frozen=True)
class Text:
    """What a page says: one state of its content. Other pages it names by their keys."""

    word: str
    #: Of January 2031; 0 for none.
    day: int = 0
    links: tuple[int, ...] = ()
    #: The page whose children it lists.
    lists: int | None = None
    #: Whether it shows the shared block.
    shared: bool = False

    @property
    def names(self) -> set[int]:
        return {*self.links, *(() if self.lists is None else (self.lists,))}

    def among(self, copies: dict[int, int]) -> Text:
        """The same in a copy: where it names a page that was copied too, it names the copy."""
        lists = self.lists if self.lists is None else copies.get(self.lists, self.lists)
        return replace(self, links=tuple(copies.get(key, key) for key in self.links), lists=lists)


@dataclass(eq=False)
class Page:
    """A page. Keys count the pages as they are made."""

    key: int
    parent: Page | None
    slug: str
    position: int
    draft: Text
    #: The same for translations of each other.
    family: int
    #: What visitors see; None while it is not published.
    live: Text | None = None
    versions: list[Text] = field(default_factory=list)
    #: The page with which it went into the bin, perhaps itself.
    bin: Page | None = None
    #: What the product calls it.
    id: uuid.UUID = NO_ID

    @property
    def path(self) -> str:
        above = self.parent.path if self.parent else "/"
        return f"{above}{self.slug}/" if self.slug else above

    @property
    def language(self) -> str:
        return language_of(self.path)

    def within(self, other: Page) -> bool:
        return self is other or (self.parent is not None and self.parent.within(other))


@dataclass(frozen=True)
class Redirect:
    """Where an address leads; ``automatic`` when a page left it, and no editor wrote it."""

    page: Page
    automatic: bool


@dataclass(eq=False)
class Release:
    """Pages and what happens to them together, ``publish`` or ``unpublish``."""

    pages: dict[Page, str]
    id: uuid.UUID = NO_ID
    released: bool = False


@dataclass(eq=False)
class Plan:
    """What is to happen at an hour."""

    about: Page | Release
    action: str
    due: int
    id: uuid.UUID = NO_ID
    failed: bool = False


@dataclass
class Model:
    """A site."""

    pages: list[Page] = field(default_factory=list)
    redirects: dict[str, Redirect] = field(default_factory=dict)
    #: Entries by place and language: title and page, those below others right behind them.
    menus: dict[tuple[str, str], list[tuple[str, Page]]] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    #: The words of the shared block: its draft, and what is live.
    shared: str = ""
    shared_live: str = ""
    title: str = "Site"
    theme: str = THEMES[0]
    #: Hours since the beginning.
    now: int = 0
    #: How many words were used.
    words: int = 0

    @property
    def there(self) -> list[Page]:
        """The pages that are not in the bin."""
        return [page for page in self.pages if page.bin is None]

    @property
    def binned(self) -> list[Page]:
        """The pages that were put into the bin, without those that went with them."""
        return [page for page in self.pages if page.bin is page]

    @property
    def published(self) -> list[Page]:
        return [page for page in self.there if page.live is not None]

    def page(self, key: int) -> Page:
        return self.pages[key]

    def at(self, path: str) -> Page | None:
        """The page that visitors find at an address."""
        return next((page for page in self.published if page.path == path), None)

    def taken(self, path: str) -> bool:
        """Whether a page has an address, published or not."""
        return any(page.path == path for page in self.there)

    def below(self, page: Page) -> list[Page]:
        """A page and all below it, level by level; those of a level in their order."""
        found, level = [page], [page]
        while level:
            level = [child for child in self.there if child.parent in level]
            level.sort(key=lambda child: (child.position, child.key))
            found += level
        return found

    def in_language(self, page: Page, language: str) -> Page | None:
        """A page's translation into a language: itself, when it is in it."""
        return next((one for one in self.family(page) if one.language == language), None)

    def family(self, page: Page) -> Iterator[Page]:
        """A page and its translations."""
        return (one for one in self.there if one.family == page.family)

    def new_word(self) -> str:
        self.words += 1
        return word_of(self.words)
