"""Pictures as HTML: with their size, so that nothing moves while they load, and with the addresses
of the renditions from which a browser takes the one that fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup as Safe
from markupsafe import escape

from mosaic_cms.pictures.geometry import LADDER, Shape, Size
from mosaic_cms.pictures.picture import Picture, fits_avif

_SIZE = re.compile(r"([1-9]\d{0,4})?(?:x([1-9]\d{0,4}))?")
_NAME = re.compile(r"(?!on|src|style)[a-z][a-z-]*")
_OWN = frozenset({"width", "height", "loading", "decoding", "fetchpriority"})
#: Pixels for each CSS pixel that are looked for: more are not seen.
_SHARP = 1.75
#: The first picture of HTML that waits until a visitor comes near it.
_WAITING = re.compile(r'(<img(?: [a-z-]+(?:="[^"]*")?)*?) loading="lazy"')
_AT_ONCE = ' fetchpriority="high"'
#: What :func:`in_text` makes, for those who check what stands in a page.
SRCSET = re.compile(r"/-/media/[^\s,]+ \d{1,5}w(?:, /-/media/[^\s,]+ \d{1,5}w)*")
SIZES = re.compile(r"\(min-width: (\d{1,5})px\) \1px, 100vw")


@dataclass(frozen=True, slots=True)
class _Offer:
    """A picture in one shape.

    Attributes:
        size: that it has in a page, in CSS pixels.
        widths: address and width of its renditions as WebP, the smallest first.
        avif: the same as AVIF; nothing where a size of them cannot be.
        src: for those who do not choose.
    """

    size: Size | None
    widths: Sequence[tuple[str, int]] = ()
    avif: Sequence[tuple[str, int]] = ()
    src: str = ""


def image(
    picture: Picture | None,
    size: str = "",
    *,
    fill: bool = False,
    alt: str | None = None,
    sizes: str = "",
    first: bool = False,
    **attributes: Any,
) -> Safe:
    """A picture as HTML, for templates: ``{{ image(page.image, "800x450", fill=True) }}``.

    Args:
        size: that it has in a page at most, in CSS pixels: ``800``, ``800x450`` or ``x450``.
        fill: the picture has the ratio of ``size``, cropped around the point that matters in it.
        alt: the words that say what it shows, instead of the picture's own.
        sizes: how wide it is in which window, as in HTML; else ``size``, or the whole window.
        first: it is seen at once, so it is loaded before all others.
        attributes: others of the element, such as ``class``; one that is None is left out.

    Raises:
        ValueError: no size, or an attribute that an image may not be given here.
    """
    if picture is None:
        return Safe("")
    asked = _asked(size)
    shape = _shape(picture, asked, fill=fill)
    offer = _offer(picture, shape, asked)
    given = _checked(attributes)
    if picture.original is not None and shape.ratio is None and picture.original.focal != (50, 50):
        x, y = picture.original.focal  # where a style sheet crops it
        given["style"] = f"object-position:{x}% {y}%"
    told = sizes or _sizes(picture, asked)
    tag = _tag(
        "img",
        {
            "src": offer.src or picture.url,
            "alt": picture.alt if alt is None else alt,
            **given,
            **_measured(offer.size),
            **_choices(offer.widths, told),
            **({"fetchpriority": "high"} if first else {"loading": "lazy"}),
            "decoding": "async",
        },
    )
    if not offer.avif:
        return tag
    source = _tag("source", {"type": "image/avif", **_choices(offer.avif, told)})
    return Safe("<picture>{}{}</picture>").format(source, tag)


def image_url(picture: Picture | None, size: str, *, fill: bool = False) -> str:
    """The address of a picture in one size, where HTML takes no more than one; for templates."""
    if picture is None:
        return ""
    asked = _asked(size)
    return _offer(picture, _shape(picture, asked, fill=fill), asked).src or picture.url


def in_text(picture: Picture) -> dict[str, str]:
    """The attributes of a picture that stands in a text: ``src``, and ``srcset`` and ``sizes``
    where it has renditions. Its size is the picture's own."""
    offer = _offer(picture, Shape(), (None, None))
    if not offer.widths:
        return {"src": picture.url}
    return {"src": offer.src, **_choices(offer.widths, _sizes(picture, (None, None)))}


def hasten(html: str) -> str:
    """The same page, with the first of its pictures loaded at once unless one is already: what a
    visitor sees first does not wait."""
    # Plain: of markup, re.sub would put the pieces together again escaped.
    return html if _AT_ONCE in html else _WAITING.sub(rf"\1{_AT_ONCE}", str(html), count=1)


def _asked(size: str) -> tuple[int | None, int | None]:
    found = _SIZE.fullmatch(size)
    if found is None:
        raise ValueError(f"{size!r} is no size of a picture: write '800', '800x450' or 'x450'")
    width, height = (int(number) if number else None for number in found.groups())
    return width, height


def _shape(picture: Picture, asked: tuple[int | None, int | None], *, fill: bool) -> Shape:
    if not fill:
        return Shape()
    width, height = asked
    if width is None or height is None:
        raise ValueError("a picture that fills a size needs its width and height: '800x450'")
    if picture.original is None:
        return Shape()
    return Shape.crop(width, height, picture.original.focal)


def _offer(picture: Picture, shape: Shape, asked: tuple[int | None, int | None]) -> _Offer:
    if not picture.width or not picture.height:
        return _Offer(None)
    own = picture.width, picture.height
    sizes = shape.sizes(*own) if picture.original is not None else ()
    if not sizes:  # too small to be cropped
        shape = Shape()
    shown = _shown(own, shape, asked)
    if not sizes or (shape.ratio is None and own[0] <= LADDER[0]):
        return _Offer(shown)
    if shape.ratio is not None:
        shown = min(shown, sizes[-1])
    wanted = shown[0] if asked != (None, None) else min(picture.room, shown[0])
    enough = next((n for n, size in enumerate(sizes) if size[0] >= _SHARP * wanted), len(sizes))
    start = picture.renditions(shape)
    webp = []
    for size in sizes[: enough + 1]:
        width = size[0]
        # A picture that is WebP already is not made again in its own size.
        same = size == own and shape.ratio is None and picture.url.endswith(".webp")
        address = quote(picture.url, safe="/-._~") if same else f"{start}{width}.webp"
        webp.append((address, width))
    avif = [(f"{start}{width}.avif", width) for _, width in webp]
    src = next((address for address, width in webp if width >= wanted), webp[-1][0])
    return _Offer(shown, webp, avif if all(map(fits_avif, sizes[: enough + 1])) else (), src)


def _shown(own: Size, shape: Shape, asked: tuple[int | None, int | None]) -> Size:
    """The size in a page: that of a crop, or the picture's own, brought into what was asked for."""
    if shape.ratio is not None:
        across, down = shape.ratio
        step = max(round((asked[0] or 0) / across), 1)
        return step * across, step * down
    scale = min(1.0, *((most or part) / part for most, part in zip(asked, own, strict=True)))
    return max(1, round(own[0] * scale)), max(1, round(own[1] * scale))


def _sizes(picture: Picture, asked: tuple[int | None, int | None]) -> str:
    width, height = asked
    if width is None and height is not None and picture.width and picture.height:
        width = round(height * picture.width / picture.height)
    room = width or picture.room
    return f"(min-width: {room}px) {room}px, 100vw"


def _measured(size: Size | None) -> dict[str, str]:
    return {} if size is None else {"width": str(size[0]), "height": str(size[1])}


def _choices(widths: Sequence[tuple[str, int]], sizes: str) -> dict[str, str]:
    if not widths:
        return {}
    return {"srcset": ", ".join(f"{url} {width}w" for url, width in widths), "sizes": sizes}


def _checked(attributes: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        if not _NAME.fullmatch(name) or name in _OWN:
            raise ValueError(f"a picture takes no attribute {name!r} here")
        if value is not None and value is not False:
            given[name] = "" if value is True else value
    return given


def _tag(name: str, attributes: dict[str, Any]) -> Safe:
    written = "".join(f' {key}="{escape(_plain(value))}"' for key, value in attributes.items())
    return Safe(f"<{name}{written}>")  # noqa: S704 - names are checked, values escaped


def _plain(value: Any) -> str:
    """The words of a value: HTML may have quotes in it, which end an attribute."""
    return value.striptags() if isinstance(value, Safe) else str(value)
