"""Languages as BCP 47 tags: in addresses, and as visitors wish for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mosaic_core.errors import InvalidInput

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ACCEPTED = re.compile(r"\s*([A-Za-z0-9*-]{1,35})\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


def check_tag(tag: str) -> str:
    """A BCP 47 tag, as it is written.

    Raises:
        InvalidInput: it is none.
    """
    if len(tag) > 35 or not _TAG.fullmatch(tag):
        raise InvalidInput(
            f"{tag[:40]!r} is no tag of a language.", hint="Write it as in 'de' or 'pt-BR'."
        )
    return tag


def segment_of(tag: str) -> str:
    """What a language adds to addresses: its tag in lower case."""
    return tag.lower()


def language_root(site_language: str, language: str) -> str:
    """The path below which the pages in a language stand."""
    return "/" if language == site_language else f"/{segment_of(language)}/"


def language_of_path(path: str, languages: Sequence[str]) -> str:
    """The language of an address; the first of ``languages`` is the one without a segment."""
    first = path.strip("/").partition("/")[0]
    for tag in languages[1:]:
        if segment_of(tag) == first:
            return tag
    return languages[0]


def negotiated(accepted: str, languages: Sequence[str]) -> str:
    """The language of a site that a visitor likes best, by ``Accept-Language`` (RFC 9110, 12.5.4).

    A wish for ``de-AT`` is content with ``de``, and one for ``de`` with ``de-AT``; whoever wishes
    for none of them gets the first.
    """
    wishes: list[tuple[float, int, str]] = []
    for number, part in enumerate(accepted[:1_000].split(",")):
        found = _ACCEPTED.fullmatch(part)
        if found and (weight := float(found.group(2) or 1)) > 0:
            wishes.append((-weight, number, found.group(1).lower()))
    for _, _, wish in sorted(wishes):
        if wish == "*":
            return languages[0]
        for same in (_equal, _wider, _narrower):
            for tag in languages:
                if same(wish, tag.lower()):
                    return tag
    return languages[0]


def _equal(wish: str, tag: str) -> bool:
    return wish == tag


def _wider(wish: str, tag: str) -> bool:
    return wish.startswith(f"{tag}-")


def _narrower(wish: str, tag: str) -> bool:
    return tag.startswith(f"{wish}-")
