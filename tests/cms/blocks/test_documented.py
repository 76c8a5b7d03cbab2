"""What the documentation says of blocks is so: its example runs, its table is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms import sdk
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.themes import Theme
from tests.cms.blocks.samples import render

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "blocks.md").read_text("utf-8")


def test_the_example_is_a_block_type_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
    (template,) = re.findall(r"^```html\+jinja\n(.*?)^```", TEXT, re.M | re.S)
    (tmp_path / "timeline.html").write_text(template, "utf-8")
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/blocks.md", "exec", dont_inherit=True), space)
    (timeline,) = space["mosaic_blocks"]()
    types = BlockTypes([*STANDARD, timeline])
    theme = Theme("iznik", ROOT / "mosaic_cms" / "themes" / "iznik", block_templates(types))
    old = {"caption": "Kilns", "years": [{"year": 1514, "what": "The first <blue>"}]}
    block = {"id": "t", "type": "timeline", "version": 1, "data": old}
    assert types.faults({"main": [block]}) == []
    html = render(theme, block, types=types)
    assert "<h2>Kilns</h2>" in html
    assert "<dt>1514</dt><dd>The first &lt;blue&gt;</dd>" in html


def test_the_table_names_every_type_and_field() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", TEXT, re.M))
    for kind in STANDARD:
        missing = [name for name in kind.model_fields if f"`{name}`" not in rows[kind.name]]
        assert missing == [], kind.name


def test_everything_that_a_field_can_be_is_in_the_kit() -> None:
    for name in ("Block", "Part", "Words", "RichText", "RawHtml", "Media", "Nested", "Shared"):
        assert name in sdk.__all__
        assert hasattr(sdk, name)
