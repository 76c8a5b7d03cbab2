"""What the writing of a text asked for, and was told.

A text is written the same way again where everything that it asks for is answered the same: where
its links and pictures lead, and which ids its headings get on their page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mosaic_cms.content.element_ids import Ids
from mosaic_cms.pictures.picture import Picture

if TYPE_CHECKING:
    from mosaic_cms.content.markup import Resolver


@dataclass(slots=True)
class Asked:
    """The questions of one text, with their answers.

    Attributes:
        ids: those that were wanted, each with the one that was given.
        notes: what goes before the numbers of its footnotes.
    """

    links: dict[str, str | None] = field(default_factory=dict)
    pictures: dict[str, Picture | None] = field(default_factory=dict)
    ids: list[tuple[str, str]] = field(default_factory=list)
    notes: str = ""

    def again(self, resolver: Resolver, ids: Ids) -> bool:
        """Whether all is answered as it was; then the text's ids are taken, and else none."""
        if any(resolver.link(target) != answer for target, answer in self.links.items()):
            return False
        if any(resolver.picture(target) != answer for target, answer in self.pictures.items()):
            return False
        tried = ids.copy()
        if tried.text() != self.notes or any(tried.unique(x) != given for x, given in self.ids):
            return False
        ids.become(tried)
        return True


class Asking(Ids):
    """Asks on behalf of a text, and notes it: both its resolver and the ids of its page."""

    def __init__(self, resolver: Resolver, ids: Ids) -> None:
        super().__init__()
        self.asked = Asked()
        self._resolver = resolver
        self._ids = ids

    def link(self, target: str) -> str | None:
        answer = self.asked.links[target] = self._resolver.link(target)
        return answer

    def picture(self, target: str) -> Picture | None:
        answer = self.asked.pictures[target] = self._resolver.picture(target)
        return answer

    def unique(self, ident: str) -> str:
        given = self._ids.unique(ident)
        self.asked.ids.append((ident, given))
        return given

    def text(self) -> str:
        self.asked.notes = self._ids.text()
        return self.asked.notes
