"""The site that is measured: a home page, a section, and thirty pages of 25 blocks each.

The text is made from parts by a seeded generator, so it is the same on every machine and does
not repeat itself enough to flatter compression. A page of MOSAIC's, with its menu, breadcrumbs,
languages and head, has about 12 KB of HTML; the like page of Wagtail's is a little smaller.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

BODY_BYTES = 7_200  # of block HTML in one page
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
    blocks = list(_blocks(words, [slug for slug in slugs if slug != slugs[number]]))
    # Rich text grows in turn until every page has the same size.
    size = sum(len(value) for _, value in blocks)
    texts = [n for n, (kind, _) in enumerate(blocks) if kind == "rich_text"]
    turn = 0
    while size < BODY_BYTES - 60:
        more = f"<p>{_sentences(words, 2)}</p>"
        at = texts[turn % len(texts)]
        blocks[at] = ("rich_text", blocks[at][1] + more)
        size, turn = size + len(more), turn + 1
    summary = _sentences(words, 1)
    return Page(slugs[number], title, summary, in_menu, not in_menu, tuple(blocks))


def _blocks(words: random.Random, others: list[str]) -> Iterator[tuple[str, str]]:
    """25 blocks: an opening, and six parts of four."""
    yield "rich_text", _paragraphs(words, 1)
    for heading in words.sample(_HEADINGS, 6):
        yield "heading", heading
        link = words.choice(others)
        linked = f'<p>{_sentences(words, 1)} See <a href="page:{link}">our other note</a>.</p>'
        yield "rich_text", f"<p>{_sentences(words, 2)}</p>{linked}"
        yield "quote", _sentences(words, 1)
        items = "".join(f"<li>{_sentences(words, 1)}</li>" for _ in range(4))
        yield "rich_text", f"<ul>{items}</ul>"


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
