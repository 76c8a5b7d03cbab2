"""A visitor: asks the site's application as a browser, a search engine and a feed reader do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from tests.cms.deployment import Answer, Deployment
from tests.cms.stateful.expected import Link, Seen
from tests.cms.stateful.model import MENUS, root_of

WORD = re.compile(r"zq[a-z]{12}")
_MENU_ENTRY = re.compile(r"(header|footer|side) \d+")
#: What tells a theme's documents.
_THEMES = {"data-motif": "iznik", "data-measure": "folio", "data-header": "harbour"}
_SPACES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "x": "http://www.w3.org/1999/xhtml"}


class Visitor:
    """Visits one tenant's site. Remembers every word of a text that it came across."""

    def __init__(self, deployment: Deployment, slug: str, peers: Iterator[int]) -> None:
        self._deployment = deployment
        self._host = f"{slug}.mosaic.test"
        self._peers = peers
        self.words: set[str] = set()

    async def see(self, path: str, accept: str = "") -> Seen:
        """What is at an address."""
        answer = await self._get(path, accept)
        words = frozenset(WORD.findall(answer.text))
        location = unquote(answer.headers.get("location", ""))
        if answer.status != 200:
            return Seen(answer.status, location, words=words)
        page = _Page(answer.text)
        assert answer.headers["content-language"] == page.language
        return Seen(
            200,
            title=page.title,
            language=page.language,
            theme=page.theme,
            words=words,
            links=tuple(page.links),
            menus=tuple(tuple(page.menus[place]) for place in MENUS),
            translations=tuple(sorted(page.translations)),
        )

    async def find(self, language: str, word: str) -> set[str]:
        """The addresses that a search finds."""
        answer = await self._get(f"{root_of(language)}search/", query=f"q={word}")
        assert answer.status == 200, (answer.status, answer.text)
        return _listed(answer)

    async def tagged(self, language: str, word: str) -> set[str]:
        """The addresses that are listed as having a tag."""
        answer = await self._get(f"{root_of(language)}tags/{word}/")
        assert answer.status in (200, 404)
        return _listed(answer) if answer.status == 200 else set()

    async def feed(self, language: str) -> list[str]:
        """The addresses in a language's feed; its other forms have the same ones."""
        root = root_of(language)
        answer = await self._get(f"{root}feed.json")
        paths = [_path(item["url"]) for item in json.loads(answer.text)["items"]]
        for name, link in (
            ("feed.xml", "./channel/item/link"),
            ("atom.xml", "./a:entry/a:link[@rel='alternate']"),
        ):
            answer = await self._get(f"{root}{name}")
            found = ElementTree.fromstring(answer.text).findall(
                link, {"a": "http://www.w3.org/2005/Atom"}
            )
            assert [_path(one.get("href") or one.text or "") for one in found] == paths
        return paths

    async def sitemap(self) -> dict[str, tuple[Link, ...]]:
        """The addresses in the sitemap, each with those of its translations and its own."""
        answer = await self._get("/sitemap.xml")
        found = {}
        for entry in ElementTree.fromstring(answer.text).findall("s:url", _SPACES):
            path = _path(entry.findtext("s:loc", "", _SPACES))
            links = [
                (link.attrib["hreflang"], _path(link.attrib["href"]))
                for link in entry.findall("x:link", _SPACES)
            ]
            found[path] = tuple(sorted(links))
        return found

    async def _get(self, path: str, accept: str = "", query: str = "") -> Answer:
        headers = [(b"host", self._host.encode())]
        if accept:
            headers.append((b"accept-language", accept.encode()))
        number = next(self._peers)  # each request is another visitor's: none asks too often
        peer = f"198.{18 + number // 65536 % 2}.{number // 256 % 256}.{number % 256}"
        answer = await self._deployment.ask(path, headers, query=query.encode(), peer=peer)
        self.words |= set(WORD.findall(answer.text)) - set(WORD.findall(path + query))
        return answer


class _Page(HTMLParser):
    """What a document says to visitors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.title = self.language = self.theme = ""
        #: Those of its main part.
        self.links: list[Link] = []
        self.menus: dict[str, list[Link]] = {place: [] for place in MENUS}
        self.translations: list[Link] = []
        self._within: set[str] = set()
        self._href, self._text = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._within.add(tag)
        if tag == "html":
            self.language = given["lang"]
            self.theme = "".join(_THEMES[name] for name in _THEMES.keys() & given.keys())
        elif tag == "link" and given["rel"] == "alternate" and "hreflang" in given:
            self.translations.append((given["hreflang"], _path(given["href"])))
        elif tag == "a":
            self._href = unquote(given.get("href", ""))
        if tag in ("a", "title"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        self._within.discard(tag)
        if tag == "title" and "head" in self._within:
            self.title = self._text
        elif tag == "a":
            entry = _MENU_ENTRY.fullmatch(self._text)
            if entry:
                self.menus[entry[1]].append((self._href, self._text))
            elif "main" in self._within:
                self.links.append((self._href, self._text))


def _listed(answer: Answer) -> set[str]:
    """The pages to which a listing leads; its first link leads home, and others to more tags."""
    _, *links = _Page(answer.text).links
    return {href for href, _ in links if "/tags/" not in href}


def _path(address: str) -> str:
    return unquote(urlsplit(address).path)
