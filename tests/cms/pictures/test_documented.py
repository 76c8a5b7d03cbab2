"""What the documentation says of pictures is so."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from mosaic_cms.pictures import geometry, library
from mosaic_cms.pictures.picture import Original, Picture
from mosaic_cms.pictures.tag import image
from mosaic_cms.themes import SLOTS, Theme

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "pictures.md").read_text("utf-8")


def test_the_example_becomes_what_it_says(tmp_path: Path) -> None:
    (template,) = re.findall(r"^```html\+jinja\n(.*?)^```", TEXT, re.M | re.S)
    (expected,) = re.findall(r"^```html\n(.*?)^```", TEXT, re.M | re.S)
    folder = tmp_path / "example"
    (folder / "templates").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "theme.toml").write_text(
        'name = "example"\ntitle = "Example"\nversion = "1"\npicture_width = 656\n'
        '[layouts.page]\ntitle = "Page"\n'
    )
    slots = "".join(f"{{{{ slot('{name}') }}}}" for name in SLOTS)
    for name, text in {"shell": slots, "404": "", "500": "", "page": template}.items():
        (folder / "templates" / f"{name}.html").write_text(text)
    original = Original(uuid.uuid4(), (30, 60))
    picture = Picture("/-/media/x/kiln.jpg", 4000, 3000, "A kiln at night", original=original)
    html = Theme("example", folder, {}).render("page", page={"image": picture})
    assert html.count('<picture><source type="image/avif"') == 2
    shown = re.sub(r'srcset="[^"]*"', 'srcset="…"', html)
    shown = re.sub(r'src="/[^"]*/(\d+\.webp)"', r'src="…/\1"', shown)
    shown = re.sub(r' style="object-position:30% 60%"', "", shown)
    assert re.findall("<img[^>]*>", shown) == expected.splitlines()


def test_the_figures_are_those_of_the_code() -> None:
    *widths, last = geometry.LADDER
    text = " ".join(TEXT.split())
    assert f"{', '.join(map(str, widths))} and {last} pixels wide" in text
    assert f"more than {library.MOST_PIXELS // 1_000_000} megapixels" in text
    for name in ("size", "fill", "sizes", "alt", "first"):
        assert f"| `{name}` |" in TEXT
        assert name in image.__kwdefaults__ or name in image.__code__.co_varnames
