"""The image library, libvips by way of ``pyvips``: imported when it is first needed, and told what
it may open and how much it may keep.

What is not one of four kinds of still pictures by its content, and what has too many pixels, is
refused from its header: nothing of it is decoded.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

from mosaic_cms.pictures import geometry
from mosaic_cms.pictures.geometry import Size
from mosaic_cms.pictures.picture import Wanted
from mosaic_core.errors import InvalidInput

#: Pixels of a picture that is decoded. At the worst, when a picture cannot be read from its top to
#: its bottom, the library holds 9 bytes of each; of AVIF, always 15.
MOST_PIXELS = 50_000_000
_MOST_OF_AVIF = 25_000_000
#: Pictures with more pixels are decoded one at a time.
_LARGE = 16_000_000
#: The loaders that may be used; the library's own tests throw damaged files at each of them.
_LOADERS = ("Jpeg", "Png", "Webp", "Heif", "Nsgif")
#: Pixels of all the frames of a picture that moves.
_MOST_MOVING = 200_000_000
_WEBP_QUALITY, _WEBP_EFFORT = 78, 4
_AVIF_QUALITY = 50
#: What making AVIF smaller by some 5 % costs: five times the time. So it is done up to as many
#: pixels as take less than half a second; with the lower effort it is quicker than WebP.
_AVIF_EFFORT, _LOW_AVIF_EFFORT, _CAREFUL = 3, 1, 500_000
#: How the files of AVIF say that they are; ``avis`` moves.
_BRANDS = frozenset({b"avif", b"avis", b"mif1"})
#: EXIF orientations in which a picture lies on its side.
_ON_ITS_SIDE = range(5, 9)


class ImageLibrary:
    """libvips. Its settings are those of the process, so one is enough; use it from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._large = threading.Lock()
        self._vips: Any = None

    def render(self, content: bytes, wanted: Wanted) -> bytes:
        """A rendition of a file in the format that is wanted: upright, in sRGB, without metadata.

        Where WebP is wanted, a WebP file that is smaller than what is made of the whole of it stays
        as it is. Takes from tens of milliseconds to seconds, without holding the interpreter.

        Raises:
            InvalidInput: the file is no still picture that can be rendered; it says why.
        """
        kind = kind_of(content)
        if kind is None:
            raise InvalidInput("It is no JPEG, PNG, WebP or AVIF by its content.")
        if moves(content):
            raise InvalidInput("It moves, and so it is shown as it is.")
        vips = self._opened()
        try:
            size = _upright(vips.Image.new_from_buffer(content, ""))
            pixels, most = size[0] * size[1], _MOST_OF_AVIF if kind == "image/avif" else MOST_PIXELS
            if pixels > most:
                raise InvalidInput(
                    f"It has {size[0]} × {size[1]} pixels; at most {most:,} are decoded."
                )
            with self._large if pixels > _LARGE else nullcontext():
                made = _rendered(vips, content, size, wanted)
        except vips.Error as error:
            why = " ".join(str(error).split())[:300]
            raise InvalidInput(f"The image library cannot read it: {why}.") from error
        same = wanted.shape.ratio is None and wanted.format == "webp" and _bare(content)
        return content if same and len(content) <= len(made) else made

    def measure(self, content: bytes) -> Size:
        """The size of a picture as it is looked at, once all of it was decoded; also of a GIF, and
        of one that moves. What is too large is refused from its header.

        Raises:
            InvalidInput: it is damaged, cut off, or has too many pixels.
        """
        vips = self._opened()
        kind = kind_of(content)
        avif, moving = kind == "image/avif", moves(content)
        if avif and moving:
            raise InvalidInput(
                "It is an AVIF that moves, which cannot be looked into.",
                hint="Send it as WebP or as a film.",
            )
        frames = "n=-1," if moving and kind in {None, "image/webp"} else ""
        try:
            header = vips.Image.new_from_buffer(content, f"[{frames}]" if frames else "")
            size, most = _upright(header), _MOST_OF_AVIF if avif else MOST_PIXELS
            pages = header.height // max(_page_height(header), 1)
            if frames:
                size = size[0], _page_height(header)
            if size[0] * size[1] > most:
                raise InvalidInput(
                    f"It is too large to be decoded: {size[0]:,} × {size[1]:,} pixels.",
                    hint=f"Send it with at most {most:,} pixels.",
                )
            if size[0] * size[1] * pages > _MOST_MOVING:
                raise InvalidInput(
                    f"It is too large to be decoded: {pages:,} frames of {size[0]:,} × {size[1]:,} "
                    f"pixels.",
                    hint=f"Send it with at most {_MOST_MOVING:,} pixels in all.",
                )
            with self._large if size[0] * size[1] > _LARGE else nullcontext():
                options = f"[{frames}access=sequential,fail_on=error]"
                vips.Image.new_from_buffer(content, options).avg()
        except vips.Error as error:
            why = " ".join(str(error).split())[:300]
            raise InvalidInput(
                f"It is cut off or damaged; the image library says: {why}.", hint="Send it again."
            ) from error
        return size

    def _opened(self) -> Any:
        with self._lock:
            if self._vips is None:
                import pyvips

                pyvips.operation_block_set("VipsForeignLoad", True)
                for loader in _LOADERS:
                    pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)
                pyvips.cache_set_max(0)  # nothing is asked for twice
                self._vips = pyvips
        return self._vips


def _rendered(vips: Any, content: bytes, size: Size, wanted: Wanted) -> bytes:
    target = _target(size, wanted)
    if target[0] > size[0] or target[1] > size[1]:
        raise InvalidInput(f"It is smaller than was told: {size[0]} × {size[1]} pixels.")
    cut = geometry.window(size, target, wanted.shape.focal)
    made = vips.Image.thumbnail_buffer(
        content,
        cut.scaled[0],
        height=cut.scaled[1],
        size="force",
        output_profile="srgb",
        option_string="[fail_on=error]",  # its own fail_on is not heard (libvips issue 5195)
    )
    if cut.scaled != target:
        made = made.crop(cut.left, cut.top, *target)
    return _webp(made) if wanted.format == "webp" else _avif(made)


def kind_of(content: bytes) -> str | None:
    """The media type of a picture that can be rendered, by its first bytes; None for others."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        return "image/avif"
    return None


def moves(content: bytes) -> bool:
    """Whether a picture is animated, by what its own kind says of it at its beginning; a GIF may
    always be."""
    kind = kind_of(content)
    if kind is None:
        return content[:4] == b"GIF8"
    if kind == "image/png":
        return b"acTL" in content[: max(content.find(b"IDAT"), 0)]
    if kind == "image/webp":
        return content[12:16] == b"VP8X" and bool(int.from_bytes(content[20:21], "big") & 0b10)
    return content[8:12] == b"avis"


def _bare(content: bytes) -> bool:
    """Whether a file is WebP and nothing but its pixels: no metadata, no profile."""
    return kind_of(content) == "image/webp" and content[12:16] in {b"VP8 ", b"VP8L"}


def _upright(header: Any) -> Size:
    """The size of a picture as it is looked at."""
    on_its_side = header.get_typeof("orientation") and header.get("orientation") in _ON_ITS_SIDE
    return (header.height, header.width) if on_its_side else (header.width, header.height)


def _page_height(header: Any) -> int:
    """The height of one frame."""
    told = header.get("page-height") if header.get_typeof("page-height") else header.height
    return int(told)


def _target(size: Size, wanted: Wanted) -> Size:
    if wanted.shape.ratio is None:
        return geometry.whole(wanted.width, *size)
    across, down = wanted.shape.ratio
    return wanted.width, wanted.width * down // across


def _webp(image: Any) -> bytes:
    made: bytes = image.webpsave_buffer(Q=_WEBP_QUALITY, effort=_WEBP_EFFORT, keep="none")
    return made


def _avif(image: Any) -> bytes:
    effort = _AVIF_EFFORT if image.width * image.height <= _CAREFUL else _LOW_AVIF_EFFORT
    made: bytes = image.heifsave_buffer(
        compression="av1", Q=_AVIF_QUALITY, effort=effort, bitdepth=8, keep="none"
    )
    return made
