"""Shortcodes: three are understood, all others stay in the text and are reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from mosaic_cms.importing.wordpress.dom import EMBED, GALLERY

#: A name, its attributes in quotes or not, and perhaps a slash. Bounded, so that hostile text is
#: not searched again and again.
_SHORTCODE = re.compile(
    r"\[(?P<close>/)?(?P<name>[a-zA-Z][\w-]{1,60})(?P<attributes>(?:\s[^\[\]<>]{0,1500})?)"
    r"(?P<void>/)?\]"
)
_ATTRIBUTE = re.compile(r"([\w-]{1,60})\s{0,3}=\s{0,3}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))")
_IMAGE = re.compile(r"<img\b[^<>]{0,4000}>(?:\s*</a>)?", re.IGNORECASE)
_FRAME = re.compile(r"<iframe\b([^<>]{0,4000})>(?:[^<]{0,1000}</iframe\s*>)?", re.IGNORECASE)
_CAPTIONS = {"caption", "wp_caption"}

#: Told of a shortcode that is left as it is, and of its place in the text.
Left = Callable[[str, int], None]


def expand(text: str, left: Left) -> str:
    """The text with galleries, captions, embeds and frames as HTML elements."""
    text = _FRAME.sub(_framed, text)
    parts: list[str] = []
    done = 0
    closings = {found["name"].lower() for found in _SHORTCODE.finditer(text) if found["close"]}
    for found in _SHORTCODE.finditer(text):
        if found.start() < done:
            continue
        name, before = found["name"].lower(), text[found.start() - 1 : found.start()]
        if before == "[" and text[found.end() : found.end() + 1] == "]":
            # Doubled brackets are how a post speaks about a shortcode.
            parts += [text[done : found.start() - 1], found[0]]
            done = found.end() + 1
            continue
        if found["close"]:
            continue
        element, end = _element(text, found, name, name in closings)
        if element is not None:
            parts += [text[done : found.start()], element]
            done = end
        elif _is_one(text, found, name in closings):
            left(found[0], found.start())
    return "".join(parts) + text[done:]


def _element(
    text: str, found: re.Match[str], name: str, has_closing: bool
) -> tuple[str | None, int]:
    """What stands for a shortcode, and where it ends in the text; None: it is not understood."""
    attributes = _attributes(found["attributes"])
    if name == "gallery":
        ids = attributes.get("ids") or attributes.get("include", "")
        return f'\n\n<{GALLERY} ids="{escape(ids)}"></{GALLERY}>\n\n', found.end()
    if not has_closing or (name != "embed" and name not in _CAPTIONS):
        return None, 0
    closing = f"[/{found['name']}]"
    end = text.find(closing, found.end(), found.end() + 20_000)
    if end < 0:
        return None, 0
    inner, after = text[found.end() : end], end + len(closing)
    if name == "embed":
        address = attributes.get("src") or unescape(inner).strip()
        return f'\n\n<{EMBED} src="{escape(address)}"></{EMBED}>\n\n', after
    image = _IMAGE.search(inner)
    if image is None:
        return None, 0
    caption = attributes.get("caption") or inner[image.end() :].strip()
    picture = inner[: image.end()].strip()
    return f"\n\n<figure>{picture}<figcaption>{caption}</figcaption></figure>\n\n", after


def _framed(found: re.Match[str]) -> str:
    address = _attributes(found[1]).get("src", "")
    return f'\n\n<{EMBED} src="{escape(address)}"></{EMBED}>\n\n'


def _attributes(text: str) -> dict[str, str]:
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


def _is_one(text: str, found: re.Match[str], has_closing: bool) -> bool:
    """Whether words in brackets are a shortcode: ``[sic]`` and ``[see below]`` are none."""
    if _ATTRIBUTE.search(found["attributes"]) or found["void"] or has_closing:
        return True
    if found["attributes"].strip():
        return False
    if "_" in found["name"] or "-" in found["name"]:
        return True
    before = text[max(0, found.start() - 20) : found.start()].rpartition("\n")[2]
    after = text[found.end() : found.end() + 20].partition("\n")[0]
    return not re.sub(r"</?p>", "", before + after).strip()
