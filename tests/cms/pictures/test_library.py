"""What is made of a file: an upright picture in sRGB, or an error that says why there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib

import pytest
from PIL import Image, ImageCms

from mosaic_cms.pictures.geometry import Shape
from mosaic_cms.pictures.library import ImageLibrary, kind_of
from mosaic_cms.pictures.picture import Wanted
from mosaic_core.errors import InvalidInput
from mosaic_core.testing.hostile.pictures import bomb, claimed
from tests.cms.pictures.files import encoded, moving, opened, photograph

RED, BLUE = (220, 40, 20), (20, 40, 220)
KINDS = ("JPEG", "PNG", "WEBP", "AVIF")


@pytest.fixture(scope="module")
def library() -> ImageLibrary:
    return ImageLibrary()


def wanted(width: int = 480, shape: Shape | None = None, format: str = "webp") -> Wanted:
    return Wanted(shape or Shape(), width, format)


def looks(image: Image.Image, x: float, y: float, colour: tuple[int, int, int]) -> bool:
    """Whether there is about this colour at a place, in parts of the size."""
    at = image.convert("RGB").getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(at, tuple)
    return all(abs(one - other) < 60 for one, other in zip(at, colour, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_webp_and_avif(library: ImageLibrary, kind: str) -> None:
    for format in ("webp", "avif"):
        made = library.render(photograph(kind), wanted(format=format))
        image = opened(made)
        assert image.size == (480, 320)
        assert kind_of(made) == f"image/{format}"
        assert looks(image, 0.1, 0.5, RED)
        assert looks(image, 0.9, 0.5, BLUE)


@pytest.mark.parametrize("width", [480, 1440])
def test_avif_is_smaller_than_webp_in_small_and_in_large_sizes(
    library: ImageLibrary, width: int
) -> None:
    grain = encoded(Image.effect_noise((1600, 1200), 60).convert("RGB"), "PNG")
    avif, webp = (library.render(grain, wanted(width, format=name)) for name in ("avif", "webp"))
    assert opened(avif).size == opened(webp).size
    assert len(avif) < len(webp)


def test_what_is_wanted_as_avif_is_avif_whatever_it_is_made_of(library: ImageLibrary) -> None:
    flat = Image.new("RGB", (600, 400), (1, 2, 3))
    for content in (encoded(flat, "PNG"), encoded(flat, "WEBP", quality=1)):
        assert kind_of(library.render(content, wanted(600, format="avif"))) == "image/avif"


def test_a_webp_file_that_is_smaller_than_what_is_made_of_it_stays(library: ImageLibrary) -> None:
    grain = Image.effect_noise((600, 400), 60).convert("RGB")
    content = encoded(grain, "WEBP", quality=1)
    assert library.render(content, wanted(560)) is content
    crop = library.render(content, wanted(560, Shape((8, 5), (50, 50))))
    assert opened(crop).size == (560, 350)
    tagged = encoded(grain, "WEBP", quality=1, exif=_exif(1))
    assert b"Anybody" in tagged
    assert b"Anybody" not in library.render(tagged, wanted(560)), "there is more in it than pixels"


@pytest.mark.parametrize(("focal", "colour"), [((0, 50), RED), ((100, 50), BLUE)])
def test_a_crop_shows_what_matters(
    library: ImageLibrary, focal: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    made = opened(library.render(photograph(), wanted(160, Shape((1, 4), focal))))
    assert made.size == (160, 640)
    assert looks(made, 0.1, 0.5, colour)
    assert looks(made, 0.9, 0.5, colour)


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Anybody"  # who made it
    return exif.tobytes()


@pytest.mark.parametrize(
    ("orientation", "size", "red", "blue"),
    [
        (1, (480, 320), (0.1, 0.5), (0.9, 0.5)),
        (3, (480, 320), (0.9, 0.5), (0.1, 0.5)),
        (6, (480, 720), (0.5, 0.1), (0.5, 0.9)),
        (8, (480, 720), (0.5, 0.9), (0.5, 0.1)),
    ],
)
def test_a_picture_stands_upright_and_says_nothing_of_its_maker(
    library: ImageLibrary,
    orientation: int,
    size: tuple[int, int],
    red: tuple[float, float],
    blue: tuple[float, float],
) -> None:
    content = encoded(opened(photograph()), "JPEG", exif=_exif(orientation), comment=b"A secret")
    assert b"Anybody" in content
    for format in ("webp", "avif"):
        made = library.render(content, wanted(format=format))
        image = opened(made)
        assert image.size == size
        assert looks(image, *red, RED)
        assert looks(image, *blue, BLUE)
        assert not image.getexif()
        assert b"Anybody" not in made
        assert b"A secret" not in made


def test_colours_of_a_profile_become_those_of_srgb(library: ImageLibrary) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = Image.new("RGB", (600, 400), (90, 120, 60))
    made = opened(library.render(encoded(plain, "JPEG", icc_profile=profile), wanted()))
    assert "icc_profile" not in made.info
    assert not looks(made, 0.5, 0.5, (90, 120, 60)), "as they are, its numbers mean other colours"


@pytest.mark.parametrize("mode", ["CMYK", "L", "LA", "P", "RGBA", "1", "I;16"])
def test_other_ways_to_say_colours_are_understood(library: ImageLibrary, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    base = Image.new("I;16", (640, 480)) if mode == "I;16" else Image.new("RGB", (640, 480), RED)
    image = base if mode == "I;16" else base.convert(mode)
    made = opened(library.render(encoded(image, kind), wanted(320)))
    assert made.size == (320, 240)
    assert made.mode in {"RGB", "RGBA"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(bomb(), "60000 × 60000 pixels; at most 50,000,000", id="bomb"),
        pytest.param(
            claimed(2**31 - 1, 2**31 - 1), "pixels|cannot read", id="the largest there could be"
        ),
        pytest.param(claimed(40_000, 1), "cannot read", id="nothing behind its header"),
        pytest.param(claimed(900, 900, zlib.compress(b"\0" * 99)), "cannot read", id="too little"),
        pytest.param(claimed(900, 900, b"\xff" * 900), "cannot read", id="garbage"),
        pytest.param(claimed(0, 900), "cannot read", id="no width"),
        pytest.param(b"", "no JPEG, PNG, WebP or AVIF", id="empty"),
        pytest.param(b"\xff\xd8\xff", "cannot read", id="three bytes"),
        pytest.param(b"RIFF\0\0\0\0WEBPVP8X", "cannot read", id="a cut header"),
        pytest.param(b"\0\0\0\x18ftypavif", "cannot read", id="a brand alone"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no JPEG", id="svg"),
        pytest.param(b"%PDF-1.7\n", "no JPEG", id="pdf"),
        pytest.param(b"GIF89a" + bytes(40), "no JPEG", id="gif"),
        pytest.param(b"II*\0" + bytes(40), "no JPEG", id="tiff"),
        pytest.param(b"#!/bin/sh\n", "no JPEG", id="a script"),
        pytest.param(moving("WEBP"), "It moves", id="moving webp"),
        pytest.param(moving("PNG"), "It moves", id="moving png"),
        pytest.param(moving("AVIF"), "It moves", id="moving avif"),
        pytest.param(photograph("JPEG", 300, 200), "smaller than was told", id="small"),
    ],
)
def test_what_cannot_be_rendered_is_refused_and_says_why(
    library: ImageLibrary, content: bytes, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        library.render(content, wanted())
    assert library.render(photograph(), wanted()), "and the next one is made"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_refused(library: ImageLibrary, kind: str) -> None:
    content = photograph(kind)
    for part in (0.2, 0.5, 0.9):
        with pytest.raises(InvalidInput, match="cannot read it"):
            library.render(content[: int(len(content) * part)], wanted())


def test_a_bomb_is_refused_without_being_decoded() -> None:
    """In a process that may not have the memory to decode it."""
    script = (
        "import resource, sys\n"
        "from mosaic_cms.pictures.library import ImageLibrary\n"
        "from mosaic_cms.pictures.picture import Wanted\n"
        "from mosaic_cms.pictures.geometry import Shape\n"
        "from mosaic_core.errors import InvalidInput\n"
        "content = sys.stdin.buffer.read()\n"
        "library = ImageLibrary()\n"
        "library._opened()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    library.render(content, Wanted(Shape(), 320, 'webp'))\n"
        "except InvalidInput:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=bomb(), capture_output=True, check=True, timeout=120
    )
    assert int(done.stdout) < 32 * 1024, "kilobytes"


def test_the_library_is_imported_when_it_is_needed() -> None:
    script = "import sys, mosaic_cms.app, mosaic_cms.cli.commands; print('pyvips' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "False"


def test_threads_share_one_library(library: ImageLibrary) -> None:
    made: list[bytes] = []

    def work() -> None:
        made.append(library.render(photograph(), wanted()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1
