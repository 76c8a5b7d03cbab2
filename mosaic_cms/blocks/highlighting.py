"""Code with its parts marked, by Pygments; the colours are the theme's."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape

#: The languages that are coloured: Pygments has 500 more, some of which take very long for text
#: that was written to make them.
LANGUAGES = frozenset(
    "bash c cpp csharp css diff dockerfile docker elixir erlang go graphql haskell html http ini "  # noqa: SIM905
    "java javascript js json kotlin lua makefile nginx php powershell properties python py rb ruby "
    "rust scala sh shell sql swift toml ts typescript xml yaml yml zig c# c++ golang zsh".split()
)
#: Characters, lines, and characters in a line that are coloured; more are shown in one colour.
#: What a lexer needs can grow with the square of each.
_MOST, _MOST_LINES, _LONGEST_LINE = 20_000, 400, 400
#: Characters for the lexers with which that grows fastest.
_MOST_OF_SLOW = {"java": 4_000, "csharp": 4_000, "c#": 4_000}
#: Characters of code that is remembered, and how many: a page is rendered far more often than its
#: code is changed.
_SHORT, _KEPT = 2_000, 256


def highlighted(code: str, language: str) -> Markup:
    """The code as HTML, escaped, with a class on each of its parts.

    A language that is not among :data:`LANGUAGES` is plain text, and so is very long code.
    """
    name = language.lower()
    if name not in LANGUAGES or _is_long(code, name):
        return escape(code)
    return _coloured(code, name) if len(code) <= _SHORT else _colour(code, name)


def _colour(code: str, name: str) -> Markup:
    # Here, since most processes show what was rendered by another and colour nothing.
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    inline = {"startinline": True} if name == "php" and "<?" not in code else {}
    lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False, **inline)
    # Without its own wrapping: the template has a <pre> around it.
    return Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704 - it escapes


_coloured = lru_cache(_KEPT)(_colour)


def _is_long(code: str, language: str) -> bool:
    lines = code.split("\n")
    return len(code) > _MOST or len(lines) > _MOST_LINES or max(map(len, lines)) > _LONGEST_LINE
