"""A site's description is read whole or refused with every fault named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mosaic_cms.importing.site_file import read_site_file
from mosaic_core.errors import InvalidInput

DEMO = Path(__file__).parents[2] / "sites" / "demo" / "tenants"


def refused(path: Path, text: str | bytes) -> InvalidInput:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InvalidInput) as caught:
        read_site_file(path)
    assert str(path) in caught.value.message
    return caught.value


def test_a_description_is_read(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        'title = "Ada"\npalette = "gold"\n[[menu]]\ntitle = "Visit"\npath = "/visit/"\n'
        '[[redirects]]\nfrom = "/old"\nto = "https://example.org/"\n'
    )
    site = read_site_file(file)
    assert (site.title, site.language, site.theme) == ("Ada", "en", "iznik")
    assert site.configuration() == {
        "title": "Ada",
        "tagline": "",
        "language": "en",
        "theme": "iznik",
        "theme_settings": {"palette": "gold"},
        "footer": "",
        "redirects": [{"source": "/old", "target": "https://example.org/"}],
    }


@pytest.mark.parametrize("tenant", ["aurora", "wheatsheaf", "nightshift"])
def test_the_demo_descriptions_are_in_order(tenant: str) -> None:
    assert read_site_file(DEMO / tenant / "site.toml").menu


def test_every_fault_is_named_with_its_key(tmp_path: Path) -> None:
    error = refused(
        tmp_path / "site.toml",
        'colour = "blue"\nlanguage = "x y"\n[[menu]]\ntitle = "a"\npath = "visit"\n'
        '[[menu]]\npath = "/b/"\nicon = "c"\n[[redirects]]\nfrom = "/a"\nto = "javascript:1"\n',
    )
    assert {where.removeprefix("site.toml: ") for where, _ in error.problems} == {
        "title",
        "colour",
        "language",
        "menu[1].path",
        "menu[2].title",
        "menu[2].icon",
        "redirects[1].to",
    }
    assert "colour: is not a known key" in error.message
    assert "title: is missing" in error.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("title =", "not TOML"),
        (b"title = \"\xff\"", "not UTF-8 (byte 9)"),
        ("title = 3", "title"),
        ("x = " + "[" * 5_000, "not TOML"),
        ("#" * 1_000_001, "1,000,000 fit"),
        ('title = "a\\u0000b"', "title"),
    ],
)  # fmt: skip
def test_a_broken_description_is_refused(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in refused(tmp_path / "site.toml", content).message


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.toml cannot be read"):
        read_site_file(tmp_path / "nowhere.toml")
