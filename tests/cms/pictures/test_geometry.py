"""Sizes: never larger than the picture, in exactly the ratio asked for, around what matters."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.pictures.geometry import LADDER, Shape, whole, window

SIDES = st.integers(1, 20_000)
PERCENT = st.integers(0, 100)
ASKED = st.integers(1, 99_999)
FOCAL = st.tuples(PERCENT, PERCENT)


@given(SIDES, SIDES, ASKED, ASKED, FOCAL)
def test_a_crop_has_its_ratio_exactly_and_is_inside_the_picture(
    width: int, height: int, across: int, down: int, focal: tuple[int, int]
) -> None:
    shape = Shape.crop(across, down, focal)
    assert shape.ratio is not None
    assert gcd(*shape.ratio) == 1
    assert max(shape.ratio) <= 100
    sizes = shape.sizes(width, height)
    assert bool(sizes) is (width >= shape.ratio[0] and height >= shape.ratio[1])
    assert sorted(set(sizes)) == list(sizes)
    for size in sizes:
        assert Fraction(*size) == Fraction(*shape.ratio)
        assert size[0] <= min(width, LADDER[-1])
        assert size[1] <= height
        cut = window((width, height), size, focal)
        assert 0 <= cut.left <= cut.scaled[0] - size[0]
        assert 0 <= cut.top <= cut.scaled[1] - size[1]
        assert size[0] == cut.scaled[0] or size[1] == cut.scaled[1]
        for side, at, start, part in zip(cut.scaled, focal, (cut.left, cut.top), size, strict=True):
            assert start - 1 <= side * at / 100 <= start + part + 1, "what matters is seen"


@given(SIDES, SIDES)
def test_the_whole_keeps_its_ratio_to_the_pixel(width: int, height: int) -> None:
    sizes = Shape().sizes(width, height)
    assert len(sizes) <= len(LADDER)
    for across, down in sizes:
        assert across <= width
        assert 1 <= down <= min(height, 16_383)
        assert abs(down - across * height / width) <= 0.5 or down == 1
    if height <= width <= LADDER[-1]:
        assert sizes[-1] == (width, height), "its own size is the largest"


@given(ASKED, ASKED)
def test_a_ratio_in_large_numbers_is_the_nearest_in_small_ones(across: int, down: int) -> None:
    ratio = Shape.crop(across, down, (50, 50)).ratio
    assert ratio is not None
    if max(across, down) // gcd(across, down) <= 100:
        assert Fraction(*ratio) == Fraction(across, down)
    elif 1 / 50 < across / down < 50:
        assert across / down / (ratio[0] / ratio[1]) == pytest.approx(1, abs=0.01)


@given(SIDES, SIDES, FOCAL)
def test_a_name_leads_back_to_its_shape(across: int, down: int, focal: tuple[int, int]) -> None:
    for shape in (Shape(), Shape.crop(across, down, focal)):
        assert Shape.parse(shape.name) == shape


@pytest.mark.parametrize(
    "name",
    ["", "hole", "wholes", "32x18-50-50", "16x9", "16x9-50", "16x9-101-50", "0x9-1-1", "16x9-050-1",
     "016x9-5-5", "101x100-5-5", "16x9-50-50 ", "16x9-٥٠-50", "16X9-50-50"],
)  # fmt: skip
def test_no_other_name_is_a_shape(name: str) -> None:
    assert Shape.parse(name) is None


def test_sizes_of_a_photograph() -> None:
    crop = Shape.crop(800, 450, (50, 50))
    assert crop.name == "16x9-50-50"
    assert crop.sizes(4000, 3000)[:4] == ((320, 180), (480, 270), (640, 360), (800, 450))
    assert crop.sizes(4000, 3000)[-1] == (2560, 1440)
    assert crop.sizes(1000, 700)[-1] == (992, 558)
    assert Shape().sizes(1500, 1000)[-2:] == ((1440, 960), (1500, 1000))
    assert Shape().sizes(100, 50) == ((100, 50),)
    assert Shape().sizes(800, 60_000) == (), "WebP has no side as long"
    assert whole(320, 50_000, 1) == (320, 1)


@pytest.mark.parametrize(("x", "left"), [(0, 0), (20, 0), (25, 56), (50, 612), (100, 1223)])
def test_a_crop_follows_the_focal_point_up_to_the_edge(x: int, left: int) -> None:
    cut = window((2000, 900), (1000, 1000), (x, 50))
    assert cut.scaled == (2223, 1000)
    assert cut.top == 0
    assert cut.left == pytest.approx(left, abs=1)
