"""One post while its body is read: where it stands, what it refers to, what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.addresses import Addresses, Place
from mosaic_cms.importing.wordpress.dom import plain
from mosaic_cms.importing.wordpress.records import RawItem, number

#: Remarks on one post; more are counted only.
_MOST_REMARKS = 40


class Library:
    """The media library, by id and by the post that a file was uploaded to."""

    def __init__(self, items: Mapping[int, RawItem]) -> None:
        self.files = {item.id: item for item in items.values() if item.kind == "attachment"}
        self._by_parent: dict[int, list[int]] = {}
        for item in sorted(self.files.values(), key=lambda item: (item.order, item.id)):
            self._by_parent.setdefault(item.parent, []).append(item.id)

    def of_post(self, ident: int) -> list[int]:
        """The ids of pictures that were uploaded to a post, in order."""
        return self._by_parent.get(ident, []) if ident else []

    def alt(self, ident: int) -> str:
        return plain(self.files[ident].first("_wp_attachment_image_alt"))

    def caption(self, ident: int) -> str:
        return plain(self.files[ident].excerpt)


class Post:
    """What reading a body asks of everything around it.

    ``line`` is the line of the file that is being read, and moves with the reading.
    """

    def __init__(
        self,
        item: RawItem,
        addresses: Addresses,
        library: Library,
        report: Report,
        patterns: Callable[[int], str | None],
    ) -> None:
        self.item = item
        self.source = f"wp:{item.id}"
        self.line: int | None = item.body_line
        #: The body of a reusable block by its id.
        self.pattern = patterns
        self._addresses = addresses
        self._library = library
        self._report = report
        self._said: set[str] = set()

    def note(self, message: str) -> None:
        """Says something of the post, once."""
        if message in self._said:
            return
        self._said.add(message)
        if len(self._said) <= _MOST_REMARKS:
            self._report.note(self.source, message, self.line)
        elif len(self._said) == _MOST_REMARKS + 1:
            self._report.note(self.source, "there is more of this kind; it is not listed")

    def link(self, address: str) -> str | None:
        return self._addresses.link(address, self._place())

    def picture(self, address: str) -> str | None:
        return self._addresses.picture(address, self._place())

    def file(self, ident: int) -> str | None:
        """A file of the media library by its id."""
        return self._addresses.attachment(ident, self._place())

    def alt_of(self, ident: int) -> str:
        return self._library.alt(ident) if ident in self._library.files else ""

    def pictures(self, ids: str) -> list[dict[str, str]]:
        """Pictures by their ids, or all that were uploaded to the post: media, alt, caption."""
        wanted = [number(part) for part in ids.split(",")[:500] if part.strip()]
        wanted = wanted or self._library.of_post(self.item.id)
        found: list[dict[str, str]] = []
        for ident in wanted:
            media = self.file(ident)
            if media is None:
                self.note(f"the gallery's picture {ident} is not in the export")
                continue
            alt, caption = self._library.alt(ident), self._library.caption(ident)
            found.append({"media": media, "alt": alt, "caption": caption})
        return found

    def _place(self) -> Place:
        return Place(self.source, self.item.link, self.line)
