"""The sizes in which a picture is offered, and what of it each one shows.

Sizes are ``(width, height)`` in pixels. Nothing is offered larger than the picture itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

#: The widths in which pictures are offered, about a third apart.
LADDER = (320, 480, 640, 800, 1080, 1440, 1920, 2560)
#: Pixels of a side that WebP can have.
_LONGEST = 16_383
#: A ratio's numbers are not larger; one that has larger ones becomes the nearest that has not.
_MOST = 100
_CENTRE = (50, 50)
_CROP = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,2})-(\d{1,3})-(\d{1,3})")
_WHOLE = "whole"

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a rendition shows: the whole picture, or as much as fits a ratio around a point.

    Attributes:
        ratio: width to height, without a common divisor; None is the whole.
        focal: the point around which it is cropped, in percent from the left and from the top.
    """

    ratio: Size | None = None
    focal: Size = _CENTRE

    @classmethod
    def crop(cls, width: int, height: int, focal: Size) -> Self:
        """The shape with the ratio of a size."""
        ratio = Fraction(width, height)
        ratio = 1 / _near(1 / ratio) if ratio > 1 else _near(ratio)
        return cls((ratio.numerator, ratio.denominator), focal)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The shape of a name; None for what is no shape's name."""
        if name == _WHOLE:
            return cls()
        found = _CROP.fullmatch(name)
        if found is None:
            return None
        width, height, x, y = map(int, found.groups())
        shape = cls.crop(width, height, (x, y))
        return shape if shape.name == name and max(x, y) <= 100 else None

    @property
    def name(self) -> str:
        """As it stands in addresses: ``whole``, or ``16x9-50-30``."""
        if self.ratio is None:
            return _WHOLE
        return f"{self.ratio[0]}x{self.ratio[1]}-{self.focal[0]}-{self.focal[1]}"

    def sizes(self, width: int, height: int) -> tuple[Size, ...]:
        """The sizes in which a picture of a size is offered in this shape, the smallest first;
        none where it is too small for the ratio. A crop has the ratio exactly."""
        if self.ratio is None:
            widest = min(width, LADDER[-1])
            widths = [*(step for step in LADDER if step < widest), widest]
            sizes = (whole(step, width, height) for step in widths)
            return tuple(size for size in sizes if size[1] <= _LONGEST)
        across, down = self.ratio
        room = min(width, LADDER[-1]) // across, min(height, _LONGEST) // down
        most = min(room)
        steps = {min(max(round(step / across), 1), most) for step in LADDER}
        return tuple((step * across, step * down) for step in sorted(steps) if step)


def whole(width: int, of_width: int, of_height: int) -> Size:
    """The size with a width and the ratio of another size, to the nearest pixel."""
    return width, max(1, round(width * of_height / of_width))


@dataclass(frozen=True, slots=True)
class Window:
    """How a crop is cut: the picture is scaled to ``scaled``, and the target's size of it is kept
    from ``left`` and ``top`` on."""

    scaled: Size
    left: int
    top: int


def window(picture: Size, target: Size, focal: Size) -> Window:
    """Where a crop lies: as large as fits, with the focal point as near to its middle as can be."""
    (width, height), (across, down) = picture, target
    if across * height >= down * width:
        scaled = across, max(down, -(-height * across // width))
    else:
        scaled = max(across, -(-width * down // height)), down
    left, top = (
        min(max(round(whole * at / 100 - part / 2), 0), whole - part)
        for whole, part, at in zip(scaled, target, focal, strict=True)
    )
    return Window(scaled, left, top)


def _near(ratio: Fraction) -> Fraction:
    """A ratio of at most 1 in numbers that are not too large, and not 0."""
    return max(ratio.limit_denominator(_MOST), Fraction(1, _MOST))
