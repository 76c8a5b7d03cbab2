"""What visitors get, by the model: what the site's pages, listings and menus come to."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cms.stateful.editing import Editing
from tests.cms.stateful.model import LANGUAGES, MENUS, Page, language_of, root_of

#: Where something leads, and what it is called.
Link = tuple[str, str]


@dataclass(frozen=True)
class Seen:
    """What a visitor gets at an address."""

    status: int
    location: str = ""
    title: str = ""
    language: str = ""
    theme: str = ""
    #: All words of texts that are anywhere in the document.
    words: frozenset[str] = frozenset()
    #: Those of the page's own part, as they follow each other.
    links: tuple[Link, ...] = ()
    menus: tuple[tuple[Link, ...], ...] = ((), (), ())
    #: Addresses by language, and of the one for everybody else as ``x-default``.
    translations: tuple[Link, ...] = ()

    @property
    def at_once(self) -> tuple[int, str, str]:
        """What changes with the very write; the rest may follow."""
        return self.status, self.location, self.title


class Site(Editing):
    """A site that is edited and visited."""

    def answer(self, path: str) -> Seen:
        """What a visitor gets at any address."""
        page = self.at(path)
        if page is not None:
            return self.page_seen(page)
        left = self.redirects.get(path)
        if left is not None and left.page.live and left.page.path != path:
            return Seen(301, left.page.path)
        elsewhere = self._instead(path)
        return Seen(302, elsewhere) if elsewhere else Seen(404)

    def page_seen(self, page: Page) -> Seen:
        """What a visitor gets of a page."""
        assert page.live is not None
        trail = self._trail(page)
        children = self._in_order([one for one in self.published if one.parent is page])
        body = [(self.page(key).path, "see") for key in page.live.links if self.page(key).live]
        languages = dict(self._translations(page))
        if LANGUAGES[0] in languages:
            languages["x-default"] = languages[LANGUAGES[0]]
        return Seen(
            200,
            title=f"On {page.live.word} – {self.title}",
            language=page.language,
            theme=self.theme,
            words=frozenset({*self._said(page), *map(_word, trail), *map(_word, children)}),
            links=(
                *map(_link, trail),
                *body,
                *map(_link, self._listed(page)),
                *map(_link, children),
            ),
            menus=tuple(self._menu(place, page.language) for place in MENUS),
            translations=tuple(sorted(languages.items())),
        )

    def found(self, language: str, word: str) -> set[str]:
        """The addresses of the pages in a language that say a word."""
        pages = [page for page in self.published if page.language == language]
        return {page.path for page in pages if word in self._said(page)}

    def tagged(self, language: str, word: str) -> set[str]:
        """The addresses of the pages in a language whose tag is a word."""
        pages = [page for page in self.published if page.language == language]
        return {page.path for page in pages if page.live and page.live.word == word}

    def home(self, language: str) -> Seen:
        """What somebody gets at the first address who likes a language best."""
        root = root_of(language)
        return Seen(302, root) if root != "/" and self.at(root) else self.answer("/")

    def feed(self, language: str) -> list[str]:
        """The addresses of the pages with a date, the newest first; a home page is none of those
        that stand below it."""
        pages = [
            p for p in self.published if p.language == language and p.path != root_of(language)
        ]
        dated = [page for page in pages if page.live and page.live.day]
        return [page.path for page in self._in_order(dated)]

    def sitemap(self) -> dict[str, tuple[Link, ...]]:
        """Every address, with those of its translations and its own."""
        return {page.path: self._translations(page) for page in self.published}

    def words_in_public(self) -> set[str]:
        """Every word that visitors find somewhere."""
        return {word for page in self.published for word in self._said(page)}

    def words_there(self) -> set[tuple[str, str]]:
        """Every word of a text, published or not, in the language of its page."""
        texts = [(page, text) for page in self.there for text in (page.draft, page.live)]
        words = {(page.language, text.word) for page, text in texts if text is not None}
        shared = (self.shared, self.shared_live)
        return words | {(language, word) for language in LANGUAGES for word in shared if word}

    def _instead(self, path: str) -> str | None:
        """For an address below a language's: what is there without it, in that language."""
        language = language_of(path)
        if language == LANGUAGES[0]:
            return None
        page = self.at("/" + path.removeprefix(root_of(language)))
        if page is None:
            return None
        return dict(self._translations(page)).get(language, page.path)

    def _trail(self, page: Page) -> list[Page]:
        """The published pages above an address, in its language."""
        above = [one for one in self.published if one.language == page.language]
        above = [one for one in above if page.path.startswith(one.path) and one is not page]
        return sorted(above, key=lambda one: len(one.path))

    def _listed(self, page: Page) -> list[Page]:
        """What the list of pages on a page shows."""
        assert page.live is not None
        found = [
            one
            for one in self.published
            if one.parent is not None
            and one.parent.key == page.live.lists
            and one.language == page.language
            and one is not page
        ]
        return sorted(found, key=lambda one: (one.position, one.path))

    def _said(self, page: Page) -> set[str]:
        """The words of a page's own content."""
        assert page.live is not None
        shared = {self.shared_live} if page.live.shared and self.shared_live else set()
        return {page.live.word, *map(_word, self._listed(page)), *shared}

    def _translations(self, page: Page) -> tuple[Link, ...]:
        """The addresses of a published page by language, where it is published in several."""
        found = sorted((one.language, one.path) for one in self.family(page) if one.live)
        return tuple(found) if len(found) > 1 else ()

    def _menu(self, place: str, language: str) -> tuple[Link, ...]:
        """A menu's entries whose pages are published."""
        entries = self.menus.get((place, language), ())
        return tuple((page.path, title) for title, page in entries if page.live)

    @staticmethod
    def _in_order(pages: list[Page]) -> list[Page]:
        """Pages as they are listed: in their order, or the newest first where any has a date."""
        if any(page.live and page.live.day for page in pages):
            return sorted(pages, key=lambda page: (-page.live.day if page.live else 0, page.path))
        return sorted(pages, key=lambda page: (page.position, page.path))


def _word(page: Page) -> str:
    assert page.live is not None
    return page.live.word


def _link(page: Page) -> Link:
    return page.path, f"On {_word(page)}"
