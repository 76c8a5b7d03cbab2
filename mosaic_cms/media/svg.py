"""SVG made harmless: what a drawing needs stays, and nothing else.

By lists of what is let in (SVG 2, chapters 5 to 19): no script, no event, nothing of another
document or another site, no entities. The drawing is written anew, so that what is stored is what
was understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from mosaic_core.errors import InvalidInput

_SVG = "http://www.w3.org/2000/svg"
_XLINK, _XML = "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace"
_DEEPEST, _MOST_ELEMENTS, _MOST_DRAWN = 100, 100_000, 200_000
#: Elements that stay; what is in another one goes with it, unless that is one of _OPENED.
_ELEMENTS = frozenset(
    """svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan
    textPath image linearGradient radialGradient stop pattern clipPath mask marker style filter
    animate animateMotion animateTransform set mpath view
    feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting
    feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR
    feGaussianBlur feImage feMerge feMergeNode feMorphology feOffset fePointLight
    feSpecularLighting feSpotLight feTile feTurbulence""".split()  # noqa: SIM905 - as they stand in the chapters
)
#: Those that go, but not what is in them.
_OPENED = frozenset({"a", "switch"})
_ATTRIBUTE = re.compile(r"(?!on)[a-z][A-Za-z0-9-]{0,40}", re.ASCII)
#: Attributes that lead somewhere, or that browsers read in ways of their own.
_REFUSED = frozenset(
    {"src", "srcset", "action", "formaction", "target", "ping", "download", "base"}
)
_LOCAL = re.compile(r"#[^\s\"'()<>\\]{1,200}")
_PICTURE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/=\s]+")
_URL = re.compile(r"url\(\s*(?![\"']?#)", re.IGNORECASE)
_FETCHES = re.compile(
    r"@(?!media\b|keyframes\b|supports\b)|(?:image|image-set|src|expression|cross-fade|element)\s*\("
    r"|javascript:|-moz-binding|behavior\s*:|\\",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_NUMBER = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)(?:px)?\s*")
_ANIMATED = frozenset({"animate", "set", "animateTransform", "animateMotion"})


@dataclass(slots=True)
class Drawing:
    """A drawing as it may be shown.

    Attributes:
        content: the file, in UTF-8.
        width: in CSS pixels, as far as it says; ``height`` likewise.
        removed: what was taken out of it, each once.
    """

    content: bytes
    width: int | None
    height: int | None
    removed: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    used: str = ""
    inside: list[_Node] = field(default_factory=list)


def cleaned(content: bytes) -> Drawing:
    """A drawing without all that is more than a drawing.

    Raises:
        InvalidInput: it is no SVG, is damaged, declares entities, or draws without end.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise InvalidInput(
            f"It is no proper SVG: {expat.ErrorString(error.code)}, in line {error.lineno}.",
            hint="Save it again as SVG.",
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise InvalidInput("It is no proper SVG: its encoding is not known.") from error
    if reader.size is None:
        raise InvalidInput("It is no SVG: its first element is another one.")
    reader.require_finite()
    width, height = reader.size
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    text = head + "".join(reader.written) + "\n"
    return Drawing(text.encode(), width, height, tuple(dict.fromkeys(reader.removed)))


class _Reader:
    """Writes what is let in while it reads."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity
        self.written: list[str] = []
        self.removed: list[str] = []
        self.size: tuple[int | None, int | None] | None = None
        self._open: list[str | None] = []  # None is an element that goes, but not what is in it
        self._skipped = 0
        self._style: list[str] | None = None
        self._nodes: list[_Node] = [_Node()]
        self._named: dict[str, _Node] = {}
        self._count = 0

    def require_finite(self) -> None:
        """Raises InvalidInput where things that use things would draw too many of them."""
        drawn: dict[int, int] = {}

        def count(node: _Node, depth: int) -> int:
            known = drawn.get(id(node))
            if known is not None:
                return known
            if depth > 4 * _DEEPEST:
                raise InvalidInput("It is a bomb: what it draws has no end.")
            drawn[id(node)] = _MOST_DRAWN + 1  # whoever comes here again goes round in a circle
            made = 1 + sum(count(inner, depth + 1) for inner in node.inside)
            if node.used in self._named:
                made += count(self._named[node.used], depth + 1)
            drawn[id(node)] = made
            return made

        if count(self._nodes[0], 0) > _MOST_DRAWN:
            raise InvalidInput(
                f"It is a bomb: it would draw more than {_MOST_DRAWN:,} elements.",
                hint="Draw what it uses over and over less often.",
            )

    def _entity(self, name: str, *_: object) -> None:
        raise InvalidInput(
            "It declares entities, which may be bombs or lead out of it.",
            hint="Save it as plain SVG.",
        )

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        space, _, name = qualified.rpartition(" ")
        if self._skipped:
            self._skipped += 1
            return
        if self.size is None and (space, name) != (_SVG, "svg"):
            raise InvalidInput("It is no SVG: its first element is another one.")
        self._count += 1
        if self._count > _MOST_ELEMENTS or len(self._open) >= _DEEPEST:
            raise InvalidInput("It is no drawing: it has too many elements, or too deep ones.")
        if space == _SVG and name in _OPENED:
            self._open.append(None)
            return
        kept = {} if space != _SVG else self._attributes(name, attributes)
        if space != _SVG or name not in _ELEMENTS or self._misleads(name, kept):
            self._skipped = 1
            if space == _SVG and name != "metadata":
                self.removed.append(f"<{name}>")
            return
        if self.size is None:
            self.size = _size(kept)
            kept = {"xmlns": _SVG, **kept}
        node = _Node(kept.get("href", "")[1:] if name == "use" else "")
        self._nodes[-1].inside.append(node)
        self._nodes.append(node)
        if "id" in kept:
            self._named.setdefault(kept["id"], node)
        told = "".join(f" {key}={quoteattr(value)}" for key, value in kept.items())
        self.written.append(f"<{name}{told}>")
        self._open.append(name)
        if name == "style":
            self._style = []

    def _end(self, qualified: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        name = self._open.pop()
        if name is None:
            return
        if self._style is not None:
            css = _COMMENT.sub("", "".join(self._style))
            self._style = None
            if _harmless(css):
                self.written.append(escape(css))
            else:
                self.removed.append("<style>")
        self._nodes.pop()
        self.written.append(f"</{name}>")

    def _text(self, text: str) -> None:
        if self._skipped or not self._open:
            return
        if self._style is not None:
            self._style.append(text)
        else:
            self.written.append(escape(text))

    def _attributes(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for qualified, value in attributes.items():
            space, _, local = qualified.rpartition(" ")
            if space == _XML and local in {"space", "lang"}:
                kept[f"xml:{local}"] = value
            elif local == "href" and space in {"", _XLINK}:
                if _LOCAL.fullmatch(value) or (
                    name in {"image", "feImage"} and _PICTURE.fullmatch(value)
                ):
                    kept["href"] = value
                else:
                    self.removed.append("a reference to something else")
            elif not space:
                fits = _ATTRIBUTE.fullmatch(local) and local not in _REFUSED
                plain = _COMMENT.sub("", value)  # what begins one may stand in a text of CSS
                if fits and _harmless(plain):
                    kept[local] = plain
                else:
                    self.removed.append(f"the attribute {local[:40]!r}")
        return kept

    @staticmethod
    def _misleads(name: str, attributes: dict[str, str]) -> bool:
        """Whether an animation changes something that is no part of a drawing."""
        changed = attributes.get("attributeName", "")
        return name in _ANIMATED and (
            "href" in changed or (changed != "" and _ATTRIBUTE.fullmatch(changed) is None)
        )


def _harmless(css: str) -> bool:
    return _URL.search(css) is None and _FETCHES.search(css) is None


def _size(attributes: dict[str, str]) -> tuple[int | None, int | None]:
    box = [_NUMBER.fullmatch(part) for part in re.split(r"[\s,]+", attributes.get("viewBox", ""))]
    inner = box[2:] if len(box) == 4 else [None, None]
    found = []
    for name, within in zip(("width", "height"), inner, strict=True):
        said = _NUMBER.fullmatch(attributes.get(name, "")) or within
        number = round(float(said[1])) if said else 0
        found.append(number or None)
    return (found[0], found[1]) if all(found) else (None, None)
