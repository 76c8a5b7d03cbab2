"""Tags and categories: what pages are sorted by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from mosaic_cms.content.lines import is_line
from mosaic_cms.content.slugs import slugify

Kind = Literal["tag", "category"]
#: Where a page's details have them.
FIELDS: dict[Kind, str] = {"tag": "tags", "category": "categories"}
#: Characters of a term, and terms of one kind on a page.
MOST_LETTERS = 100
MOST_TERMS = 100


def term_problems(details: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a page's tags and categories: where, and what."""
    for name in FIELDS.values():
        terms = details.get(name) or []
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            yield f"details.{name}", f"its {name} are no list of texts."
            continue
        if len(terms) > MOST_TERMS:
            yield f"details.{name}", f"it has {len(terms)} {name}; {MOST_TERMS} fit."
        for number, term in enumerate(terms):
            if len(term) > MOST_LETTERS or not is_line(term):
                yield (
                    f"details.{name}[{number}]",
                    f"{term[:40]!r} is none: write 1 to {MOST_LETTERS} letters on a line.",
                )


def terms_in(details: dict[str, Any], kind: Kind) -> list[str]:
    """A page's terms of one kind, as far as they are some."""
    terms = details.get(FIELDS[kind]) or []
    return [term for term in terms if isinstance(term, str)] if isinstance(terms, list) else []


def renamed(details: dict[str, Any], kind: Kind, old: str, new: str) -> dict[str, Any]:
    """The same details with one term called otherwise; whoever has both has it once.

    Args:
        old: the slug of the term.
    """
    terms: dict[str, str] = {}
    for term in terms_in(details, kind):
        name = new if slugify(term) == old else term
        terms.setdefault(slugify(name), name)
    if slugify(new) in terms:
        terms[slugify(new)] = new
    return {**details, FIELDS[kind]: list(terms.values())}


def has_term(details: dict[str, Any], kind: Kind, slug: str) -> bool:
    """Whether a term of this slug is among them."""
    return any(slugify(term) == slug for term in terms_in(details, kind))
