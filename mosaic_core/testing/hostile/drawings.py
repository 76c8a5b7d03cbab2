"""Drawings (SVG) that would do more than draw."""

from __future__ import annotations

from collections.abc import Callable

_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30">{}</svg>'


def drawing(inside: str) -> Callable[[], bytes]:
    """Makes a drawing that has this in it."""
    return lambda: _SVG.format(inside).encode()


def uses_of_uses() -> bytes:
    """Ten uses of ten uses of ten uses, and so on: a billion elements."""
    levels = "".join(f'<g id="l{n + 1}">' + f'<use href="#l{n}"/>' * 10 + "</g>" for n in range(9))
    return _SVG.format(f'<path id="l0" d="M0 0"/>{levels}').encode()


def laughs() -> bytes:
    """The same with entities of XML."""
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    return (
        f'<!DOCTYPE svg [<!ENTITY l0 "ha">{entities}]>{_SVG.format("<text>&l9;</text>")}'.encode()
    )
