"""What MOSAIC takes as Markdown: CommonMark with tables, strikethrough, footnotes and definition
lists."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_ref

#: Longer footnote labels are none; without a bound, hostile text is searched again and again.
_MAX_FOOTNOTE_LABEL = 100


class _Parser(MarkdownIt):
    """Leaves targets as written: what they mean, and whether they may stay, is said elsewhere."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link

    def validateLink(self, url: str) -> bool:  # noqa: N802
        return True


def make_parser(*, footnotes_at_end: bool = True) -> MarkdownIt:
    """The parser for everything that MOSAIC takes as Markdown."""
    parser = _Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=False, move_to_end=footnotes_at_end)
    parser.inline.ruler.at("footnote_ref", _bounded_footnote_ref)
    return parser.use(deflist_plugin)


def _bounded_footnote_ref(state: StateInline, silent: bool) -> bool:
    label_end = state.src.find("]", state.pos, state.pos + _MAX_FOOTNOTE_LABEL)
    return label_end > 0 and footnote_ref(state, silent)
