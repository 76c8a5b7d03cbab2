"""The ids of a page's elements, which links lead to."""

from __future__ import annotations

import unicodedata

#: Characters of a heading that its id is made of. Without a bound, bringing a long row of combining
#: marks into their order takes time that grows with its square.
_HEADING = 1_000


class Ids:
    """The ids of one page's elements, each given out once."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._texts = 0

    def unique(self, ident: str) -> str:
        """The id itself, or with a number when it is taken."""
        number = self._taken.get(ident, 0)
        candidate = ident
        while number and candidate in self._taken:
            candidate = f"{ident}-{number}"
            number += 1
        self._taken[ident] = max(number, 1)
        self._taken.setdefault(candidate, 1)
        return candidate

    def text(self) -> str:
        """What goes before the numbers of the next text's notes; nothing for the first text."""
        self._texts += 1
        return "" if self._texts == 1 else f"{self._texts}."

    def copy(self) -> Ids:
        """The same, for a trial."""
        tried = Ids()
        tried._taken, tried._texts = self._taken.copy(), self._texts
        return tried

    def become(self, tried: Ids) -> None:
        """Takes what a trial gave out."""
        self._taken, self._texts = tried._taken, tried._texts


def heading_id(text: str) -> str:
    """A heading's fragment: lower case, letters and digits, a hyphen for each space."""
    kept = (
        "-" if char in " -" else char if char.isalnum() or unicodedata.combining(char) else ""
        for char in unicodedata.normalize("NFC", text[:_HEADING]).lower().replace("_", "-")
    )
    return unicodedata.normalize("NFC", "".join(kept)).strip("-")[:120] or "section"
