"""A picture as templates get it, and the addresses of its renditions.

An address is ``/-/media/<digest>/<shape>-<mark>/<width>.<format>``. The mark proves that a page of
the site gave the shape out: it is made with the id of the stored file, which no visitor sees. So
nobody can have sizes made that no page asks for, and there is no secret to keep or to move.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from mosaic_cms.pictures.geometry import Shape, Size

#: Kinds of files that have renditions; whatever else is a picture is shown as it is.
RENDERED = frozenset({"image/jpeg", "image/png", "image/webp", "image/avif"})
FORMATS = ("webp", "avif")
#: Pixels of a side that decoders of AVIF take (AV1, annex A, level 6; AVIF, Advanced Profile).
_AVIF_LONGEST = 8_704
#: CSS pixels that a picture has where nobody says how many.
ROOM = 800
#: Where renditions are, beside the file that they are made of. Another number when they are made
#: another way, so that they are made again.
_KIND = "renditions-"
_FOLDER = f"{_KIND}1"
_PLACE = re.compile(r"([a-z0-9-]{1,40})-([0-9a-f]{12})/([1-9]\d{0,4})\.(webp|avif)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Original:
    """What renditions are made of: a stored file's id, and the point that matters in it."""

    id: uuid.UUID
    focal: Size


class Wanted(NamedTuple):
    """A rendition: what it shows, how wide it is, and its format."""

    shape: Shape
    width: int
    format: str

    def key(self, original: str) -> str:
        """Where it is stored, beside the file that it is made of."""
        folder = original.rpartition("/")[0]
        return f"{folder}/{_FOLDER}/{self.shape.name}/{self.width}.{self.format}"


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture is, its size in pixels where known, and the words that say what it shows.

    Attributes:
        room: CSS pixels that it is shown in at most, where a template does not say.
        original: of a stored file that has renditions.
    """

    url: str
    width: int | None
    height: int | None
    alt: str = ""
    room: int = ROOM
    original: Original | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The picture that :meth:`facts` tells of."""
        kept = facts.get("original")
        original = None if kept is None else Original(uuid.UUID(kept[0]), (kept[1], kept[2]))
        return cls(facts["url"], facts["width"], facts["height"], facts["alt"], original=original)

    def facts(self) -> dict[str, Any]:
        """The same as JSON."""
        found = self.original
        kept = None if found is None else [str(found.id), *found.focal]
        return {
            "url": self.url,
            "width": self.width,
            "height": self.height,
            "alt": self.alt,
            **({} if kept is None else {"original": kept}),
        }

    def renditions(self, shape: Shape) -> str:
        """What the addresses of a shape's renditions begin with; ``<width>.<format>`` follows."""
        assert self.original is not None
        mark = mark_of(self.original.id, shape)
        return f"{self.url.rpartition('/')[0]}/{shape.name}-{mark}/"


def mark_of(media_id: uuid.UUID, shape: Shape) -> str:
    """What proves that a page gave out a shape of a stored file."""
    return hmac.new(media_id.bytes, shape.name.encode(), hashlib.sha256).hexdigest()[:12]


def read_place(place: str) -> tuple[Wanted, str] | None:
    """The rendition that the end of an address names, and the mark; None for any other end."""
    found = _PLACE.fullmatch(place)
    shape = Shape.parse(found[1]) if found else None
    if found is None or shape is None:
        return None
    return Wanted(shape, int(found[3]), found[4]), found[2]


def fits_avif(size: Size) -> bool:
    """Whether a rendition of a size is offered as AVIF too: all that are not extremely long."""
    return max(size) <= _AVIF_LONGEST


def made_in(key: str) -> str | None:
    """The folder of the file that a rendition was made of, by the rendition's key; None for the key
    of anything else."""
    folder, *rest = key.rsplit("/", 3)
    return folder if len(rest) == 3 and rest[0].startswith(_KIND) else None
