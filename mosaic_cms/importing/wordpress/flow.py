"""From HTML to blocks: pictures, code, tables and embeds for themselves, the rest as rich text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from mosaic_cms.importing.links import encode
from mosaic_cms.importing.wordpress import made
from mosaic_cms.importing.wordpress.dom import BLOCKS, EMBED, GALLERY, Element, parse, tagged
from mosaic_cms.importing.wordpress.made import Pieces
from mosaic_cms.importing.wordpress.post import Post
from mosaic_cms.importing.wordpress.records import number

_RENAMED = {
    **{"b": "strong", "i": "em", "cite": "em", "del": "s", "strike": "s", "ins": "u"},
    **{"kbd": "code", "samp": "code", "tt": "code", "h1": "h2"},
}
#: What rich text has; other elements lose their tags and keep what is in them.
_RICH_TAGS = (
    "p h2 h3 h4 h5 h6 strong em s u sub sup mark blockquote ul ol li "
    "table caption thead tbody tfoot tr th td code pre"
)
_RICH = frozenset(_RICH_TAGS.split())
_LIBRARY = re.compile(r"wp-image-(\d{1,18})")
_KEPT = {"th": ("colspan", "rowspan"), "td": ("colspan", "rowspan"), "ol": ("start",)}
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_BREAKS_AROUND = re.compile(r"^(?:<br>\s*)+|(?:<br>\s*)+$")
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_LANGUAGE = re.compile(r"(?:language-|lang-|brush:\s{0,3})([A-Za-z0-9_+#.-]{1,40})")
#: What a cell that is a line of Markdown has no room for.
_TOO_MUCH = ("ul", "ol", "dl", "table", "img", "blockquote", "pre", "br", "figure", "hr")
_MARKS = re.compile(r"([\\`*_~\[\]<>&!|])")
_AROUND = {"strong": "**", "em": "*", "s": "~~"}
_Nodes = Sequence[Element | str]


class Flow:
    """Reads the HTML of one post. ``classic``: blank lines part paragraphs, and a line that ends
    is one that breaks, as in posts that were written before there were blocks."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def pieces(self, html: str, *, classic: bool = False) -> Pieces:
        return list(self._flow(parse(html).children, classic))

    def text(self, html: str) -> Pieces:
        """The same as rich text alone, pictures and all."""
        pieces: Pieces = []
        for node in parse(html).children:
            if isinstance(node, str):
                texts = [part for part in _PARAGRAPHS.split(node) if part.strip()]
                pieces += [tagged("p", self._written(text, True)) for text in texts]
            else:
                written = self._written(node, False)
                pieces.append(written if node.tag in BLOCKS else tagged("p", written))
        return pieces

    # ---- flow --------------------------------------------------------------------------------

    def _flow(self, nodes: _Nodes, classic: bool) -> Iterable[made.Piece]:
        run: list[Element | str] = []
        for node in nodes:
            if isinstance(node, str) or not (node.tag in BLOCKS or node.has_blocks):
                run.append(node)
                continue
            yield from self._paragraphs(run, classic)
            run = []
            yield from self._block(node, classic)
        yield from self._paragraphs(run, classic)

    def _paragraphs(self, run: _Nodes, classic: bool) -> Iterable[made.Piece]:
        paragraph: list[Element | str] = []
        for node in run:
            if isinstance(node, str) and classic:
                first, *others = _PARAGRAPHS.split(node)
                paragraph.append(first)
                for text in others:
                    yield from self._paragraph(paragraph, classic)
                    paragraph = [text]
            else:
                paragraph.append(node)
        yield from self._paragraph(paragraph, classic)

    def _paragraph(self, nodes: _Nodes, classic: bool) -> Iterable[made.Piece]:
        start = 0
        while start < len(nodes):
            # A picture before a text stands beside it, as a rule: a block can do that.
            if (found := _picture_in(nodes[start])) is not None:
                yield from self.picture(*found)
            elif not _is_blank(nodes[start]):
                break
            start += 1
        rest = nodes[start:]
        html = _BREAKS_AROUND.sub("", self._inline(rest, classic).strip())
        if not html:
            return
        if len(rest) == 1 and isinstance(rest[0], str) and _ADDRESS.fullmatch(rest[0].strip()):
            yield self.embed(rest[0].strip())
        else:
            yield tagged("p", html)

    def _block(self, node: Element, classic: bool) -> Iterable[made.Piece]:
        tag = _RENAMED.get(node.tag, node.tag)
        if tag == "hr":
            yield "<hr>"
        elif tag == "figure":
            yield from self._figure(node, classic)
        elif tag == "pre":
            yield from self.code(node)
        elif tag == "table":
            yield from self.table(node)
        elif tag == EMBED:
            yield self.embed(node.attributes.get("src", ""))
        elif tag == GALLERY:
            yield from self._gallery(node.attributes.get("ids", ""))
        elif tag in {"video", "audio"}:
            yield from self.player(node, "")
        elif tag in {"ul", "ol", "blockquote", "dl"} or tag in {"h2", "h3", "h4", "h5", "h6"}:
            yield self._rich(node)
        else:
            yield from self._flow(node.children, classic)

    def _figure(self, node: Element, classic: bool) -> Iterable[made.Piece]:
        captions = node.all("figcaption")
        caption = captions[-1].words if captions else ""
        images = node.all("img")
        if node.first("table") is not None or not (images or node.first("video", "audio")):
            inner = [child for child in node.children if child not in captions]
            yield from self._flow(inner, classic)
            if caption:
                yield tagged("p", tagged("em", escape(caption)))
        elif images:
            for image in images:
                own = caption if image is images[-1] else ""
                yield from self.picture(image, _link_around(node, image), own)
        else:
            for player in node.all("video", "audio"):
                yield from self.player(player, caption)

    # ---- blocks ------------------------------------------------------------------------------

    def picture(self, image: Element, link: str = "", caption: str = "") -> Pieces:
        """A picture's block; where its file is not there, rich text with its address."""
        address, alt = image.attributes.get("src", ""), image.attributes.get("alt", "")
        target = self._post.picture(address)
        if target is None:
            self._post.note(f"a picture without a usable address ({address[:80]!r}) is taken out")
            return [tagged("p", escape(alt))] if alt.strip() else []
        href = (self._post.link(link) or "") if link and not _same_file(link, address) else ""
        alt = alt if alt.strip() else self._post.alt_of(_ident(image))
        if not alt.strip():
            self._post.note(f"the picture {address[-80:]!r} has no alternative text")
        return [*made.image(target, alt, caption, href)]

    def code(self, node: Element) -> Pieces:
        inner = node.first("code")
        names = " ".join(
            element.attributes.get("class", "") for element in (node, inner) if element is not None
        )
        found = _LANGUAGE.search(names)
        return made.code(node.text().strip("\n"), found[1].lower() if found else "")

    def table(self, node: Element, caption: str = "") -> Pieces:
        """A table's block, or rich text where cells span others or hold more than a line."""
        found = node.first("caption")
        title = caption or (found.words if found else "")
        rows = [
            [c for c in row.children if isinstance(c, Element) and c.tag in {"td", "th"}]
            for row in node.all("tr")
        ]
        rows = [row for row in rows if row]
        cells = [cell for row in rows for cell in row]
        spans = any(
            cell.attributes.get(name, "1") != "1"
            for cell in cells
            for name in ("colspan", "rowspan")
        )
        simple = not spans and not any(cell.first(*_TOO_MUCH) for cell in cells)
        if simple:
            header = bool(rows) and all(cell.tag == "th" for cell in rows[0])
            written = [[self._markdown(cell.children).strip() for cell in row] for row in rows]
            if (block := made.table(written, header=header, caption=title)) is not None:
                return [block]
        if not cells:
            return list(self._flow(node.children, False))
        return [
            self._rich(node),
            *([tagged("p", tagged("em", escape(caption)))] if caption else []),
        ]

    def embed(self, address: str, caption: str = "") -> made.Piece:
        """An embed of a provider that is known; a link to what anybody else has."""
        address = address.strip()
        address = f"https:{address}" if address.startswith("//") else address
        block = made.embed(address, caption)
        if block is not None:
            return block
        href = self._post.link(address)
        if href is None:
            return ""
        self._post.note(f"{address[:120]!r} is no embed that is known here; it is a link now")
        return tagged("p", tagged("a", escape(address), href=href))

    def player(self, node: Element, caption: str) -> Pieces:
        source = node.first("source")
        address = node.attributes.get("src") or (source.attributes.get("src", "") if source else "")
        target = self._post.link(address)
        if target is None:
            return []
        if node.tag == "video" and (block := made.video(target, caption)) is not None:
            return [block]
        name = caption or address.rsplit("/", 1)[-1] or address
        self._post.note(f"the player of {address[:120]!r} is a link now")
        return [tagged("p", tagged("a", escape(name), href=target))]

    def _gallery(self, ids: str) -> Pieces:
        """The pictures of a gallery by their ids, or all that were uploaded to the post."""
        return made.gallery(self._post.pictures(ids))

    # ---- rich text ---------------------------------------------------------------------------

    def _rich(self, node: Element) -> str:
        return self._inline([node], False)

    def _inline(self, nodes: _Nodes, classic: bool) -> str:
        return "".join(self._written(node, classic) for node in nodes)

    def _written(self, node: Element | str, classic: bool) -> str:
        if isinstance(node, str):
            text = escape(node, quote=False)
            return text.replace("\n", "<br>\n") if classic else text
        tag = _RENAMED.get(node.tag, node.tag)
        if tag in {"br", "hr"}:
            return tagged(tag)
        if tag == "img":
            return self._written_picture(node)
        if tag == EMBED:
            href = self._post.link(node.attributes.get("src", ""))
            return tagged("a", escape(node.attributes["src"]), href=href) if href else ""
        if tag == GALLERY:
            pictures = self._post.pictures(node.attributes.get("ids", ""))
            return "".join(tagged("img", src=p["media"], alt=p["alt"]) for p in pictures)
        inner = self._inline(node.children, classic and tag != "pre")
        if tag == "a":
            href = self._post.link(node.attributes.get("href", ""))
            return tagged("a", inner, href=href) if href else inner
        if tag == "dt":
            return tagged("p", tagged("strong", inner))
        if tag == "dd":
            return tagged("p", inner)
        kept = {
            name: node.attributes[name] for name in _KEPT.get(tag, ()) if name in node.attributes
        }
        return tagged(tag, inner, **kept) if tag in _RICH else inner

    def _markdown(self, nodes: _Nodes) -> str:
        """A line of Markdown for a table's cell."""
        parts: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                parts.append(_MARKS.sub(r"\\\1", re.sub(r"\s+", " ", node)))
                continue
            tag, inner = _RENAMED.get(node.tag, node.tag), self._markdown(node.children)
            words = inner.strip()
            if tag == "a" and words:
                href = self._post.link(node.attributes.get("href", ""))
                parts.append(f"[{inner}]({encode(href)})" if href else inner)
            elif tag in _AROUND and words:
                mark = _AROUND[tag]
                parts.append(inner.replace(words, f"{mark}{words}{mark}", 1))
            else:
                parts.append(f"{inner} " if tag in {"p", "div"} else inner)
        return "".join(parts)

    def _written_picture(self, node: Element) -> str:
        alt = node.attributes.get("alt", "")
        target = self._post.picture(node.attributes.get("src", ""))
        return tagged("img", src=target, alt=alt) if target else escape(alt)


def _ident(image: Element) -> int:
    """The id of a picture in the media library, where its HTML says so."""
    found = _LIBRARY.search(image.attributes.get("class", ""))
    return number(found[1] if found else image.attributes.get("data-id", ""))


def _is_blank(node: Element | str) -> bool:
    return not node.strip() if isinstance(node, str) else node.tag == "br"


def _picture_in(node: Element | str) -> tuple[Element, str] | None:
    """A picture that a node is nothing but, and the link around it."""
    if isinstance(node, str):
        return None
    if node.tag == "img":
        return node, ""
    if node.tag != "a" or node.words:
        return None
    images = node.all("img")
    return (images[0], node.attributes.get("href", "")) if len(images) == 1 else None


def _link_around(figure: Element, image: Element) -> str:
    for link in figure.all("a"):
        if image in link.all("img"):
            return link.attributes.get("href", "")
    return ""


def _same_file(link: str, address: str) -> bool:
    """Whether a link leads to the picture that it is around."""
    stems = [re.sub(r"(-\d+x\d+)?\.\w+$", "", url.rsplit("/", 1)[-1]) for url in (link, address)]
    return stems[0] == stems[1] and bool(re.search(r"\.(jpe?g|png|gif|webp|avif)$", link, re.I))
