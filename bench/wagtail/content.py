"""The site that is measured: a home page, a section, and thirty pages of about 12 KB each.

The text is made from parts by a seeded generator, so it is the same on every machine and does
not repeat itself enough to flatter compression. `12 KB` is the whole HTML answer; the blocks
are what is left of it beside the header, menu, breadcrumbs, footer and head of the page.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

BODY_BYTES = 9_150  # of block HTML in one page; with its surroundings the answer has about 12 KB
SECTION = "notes"
MEASURED_PATH = "/notes/clay-and-quartz/"
MEASURED_TEXT = b"<h1>Clay and quartz</h1>"
SITE_NAME = "The Tile House"

_MENU_TITLES = ("Visit", "Collection", "Workshop", "People", "Contact")
_NOTE_TITLES = (
    "Clay and quartz",
    "Cobalt from the hills",
    "The colour that ran",
    "Reading a broken rim",
    "A kiln in three days",
    "Tulips before tulips",
    "Measuring a dome",
    "What salt does",
    "Letters from a glazier",
    "The missing panel",
    "Drawing the star",
    "Turquoise by daylight",
    "Cutting without waste",
    "How a wall breathes",
    "The tin that whitens",
    "Saz leaves",
    "Working in winter",
    "A border with no corner",
    "Copies and honest copies",
    "The potter's ledger",
    "Light from one side",
    "Packing for the ferry",
    "A red as thick as wax",
    "Repairs that show",
    "Counting the blues",
)
_WHEN = (
    "Before breakfast", "On ferry days", "Once the shutters are open", "In a wet spring",
    "Two firings later", "At the long table", "Most Thursdays", "With the kiln still warm",
    "After the dome was measured", "Under the skylight", "By lamplight", "When the river is low",
    "Between two orders", "Every October", "For the school groups", "With gloves on",
)  # fmt: skip
_WHO = (
    "the workshop", "a restorer", "the oldest of the painters", "our conservator", "the kiln crew",
    "a visiting student", "the photographer", "the man who grinds the frit", "a glaze chemist",
    "the carpenter next door", "whoever unlocks the gate", "the stencil keeper", "her apprentice",
    "the archivist", "a mason from the harbour", "the youngest cousin",
)  # fmt: skip
_DOES = (
    "weighs", "turns over", "sketches", "labels", "sorts", "brushes", "compares", "photographs",
    "measures", "packs", "argues about", "sets aside", "rinses", "numbers", "borrows", "signs for",
    "counts", "polishes", "unwraps", "traces",
)  # fmt: skip
_WHAT = (
    "the hexagons from the north wall", "a tray of cobalt", "each cracked corner",
    "last week's test pieces", "a shard with half a carnation", "the copper and its lead",
    "forty border tiles", "the donkey-hair liners", "an unfinished star", "the tin jars",
    "a hyacinth that leans left", "one very quiet green", "the paper patterns", "door bricks",
    "a letter dated 1572", "the spoiled batch", "quartz from the upper quarry", "a lipless jug",
    "the drawing of the fountain", "six samples of slip", "the ledger's torn page", "sieves",
)  # fmt: skip
_WHY = (
    "because a millimetre at the rim becomes a finger's breadth higher up",
    "since nothing that cools in a hurry stays flat", "so that the next person can undo it",
    "although delivery is overdue", "as earlier masters must have done with worse wood",
    "until the whole field reads as one picture", "while everyone else hunts for string",
    "even where nobody will ever look", "before damp rises from the water",
    "as two blues that match at dawn may quarrel by four", "and nobody hurries", "twice over",
    "so the joint vanishes but the pattern does not", "then writes the temperature down",
    "and blames the clay", "for the sake of a clean white ground", "with more care than speed",
    "as if the sultan were waiting", "to hear whether it rings", "and keeps the dust",
)  # fmt: skip
_HEADINGS = (
    "What the hand knows", "From the notebook", "Heat and patience", "Where it came from",
    "A closer look", "What we would do again", "The trouble with white", "On the wall",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `blocks` are (kind, value) with kind `heading`, `rich_text` or `quote`.

    Rich text is HTML whose links to other pages have the form `page:<slug>`.
    """

    slug: str
    title: str
    summary: str
    in_menu: bool
    in_section: bool
    blocks: tuple[tuple[str, str], ...]


def pages() -> tuple[Page, ...]:
    """The thirty pages, those of the menu first."""
    titles = _MENU_TITLES + _NOTE_TITLES
    slugs = [_slug(title) for title in titles]
    return tuple(
        _page(number, title, slugs, in_menu=title in _MENU_TITLES)
        for number, title in enumerate(titles)
    )


def lead_blocks(seed: int) -> tuple[tuple[str, str], ...]:
    """A heading and a paragraph, for the home page and the section."""
    words = random.Random(seed)
    return ("heading", words.choice(_HEADINGS)), ("rich_text", f"<p>{_sentences(words, 4)}</p>")


def _page(number: int, title: str, slugs: list[str], *, in_menu: bool) -> Page:
    words = random.Random(number)
    blocks: list[tuple[str, str]] = []
    size = 0
    for kind, value in _blocks(words, [slug for slug in slugs if slug != slugs[number]]):
        if size + len(value) > BODY_BYTES:
            break
        blocks.append((kind, value))
        size += len(value)
    # A last block fills the page up to the same size as every other one.
    filling = ""
    while size + len(filling) < BODY_BYTES - 60:
        filling += f"<p>{_sentences(words, 2)}</p>"
    blocks.append(("rich_text", filling))
    summary = _sentences(words, 1)
    return Page(slugs[number], title, summary, in_menu, not in_menu, tuple(blocks))


def _blocks(words: random.Random, others: list[str]) -> Iterator[tuple[str, str]]:
    yield "rich_text", _paragraphs(words, 2)
    for heading in words.sample(_HEADINGS, len(_HEADINGS)):
        yield "heading", heading
        link = words.choice(others)
        linked = f'<p>{_sentences(words, 2)} See <a href="page:{link}">our other note</a>.</p>'
        yield "rich_text", _paragraphs(words, 2) + linked
        yield "quote", _sentences(words, 1)
        items = "".join(f"<li>{_sentences(words, 2)}</li>" for _ in range(4))
        yield "rich_text", f"<ul>{items}</ul>{_paragraphs(words, 1)}"


def _paragraphs(words: random.Random, count: int) -> str:
    made = (f"<p>{_sentences(words, 5)} <b>{_sentences(words, 1)}</b></p>" for _ in range(count))
    return "".join(made)


def _sentences(words: random.Random, count: int) -> str:
    return " ".join(_sentence(words) for _ in range(count))


def _sentence(words: random.Random) -> str:
    who, does, what = words.choice(_WHO), words.choice(_DOES), words.choice(_WHAT)
    clock = f"{words.randint(7, 18)}:{words.randint(10, 59)}"
    forms = (
        f"{words.choice(_WHEN)}, {who} {does} {what}, {words.choice(_WHY)}.",
        f"{who.capitalize()} {does} {what}, {words.choice(_WHY)}.",
        f"{who.capitalize()} {does} {what} (notebook {words.randint(3, 970)}).",
        f"{words.choice(_WHEN)}, at {clock}, {who} {does} {what}.",
    )
    return words.choice(forms)


def _slug(title: str) -> str:
    return title.lower().replace("'", "").replace(" ", "-")
