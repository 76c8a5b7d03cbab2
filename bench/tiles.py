"""The measured site: Wagtail's pages as a folder of Markdown, imported into a tenant."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from bench.deployment import Deployment, new_deployment
from bench.wagtail import content
from bench.wagtail.prepare import branch
from mosaic_cms.demo import fill_tenant
from mosaic_cms.product import open_product

SLUG = "tiles"
HOST = {"Host": f"{SLUG}.localhost"}
PATH = content.MEASURED_PATH
TEXT = b"Clay and quartz</h1>"


def tiles(folder: Path) -> Deployment:
    """A deployment with the thirty pages, its section and its home page, all published."""
    source = folder / "source"
    _write(source)
    deployment = new_deployment(folder / "tiles")

    async def fill() -> None:
        async with open_product(deployment.settings()) as product:
            await fill_tenant(product, SLUG, source)

    asyncio.run(fill())
    return deployment


def _write(folder: Path) -> None:
    pages = content.pages()
    places = {page.slug: f"{content.SECTION}/" * page.in_section + page.slug for page in pages}
    home = branch("", content.SITE_NAME, in_menu=False, seed=100)
    section = branch(content.SECTION, content.SECTION.title(), in_menu=True, seed=101)
    files = {
        "index": home,
        f"{content.SECTION}/index": section,
        **{places[page.slug]: page for page in pages},
    }
    for place, page in files.items():
        file = folder / "content" / f"{place}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_markdown(page, places), encoding="utf-8")
    menu = [section, *(page for page in pages if page.in_menu)]
    entries = [f"[[menu]]\ntitle = {_quoted(x.title)}\npath = '/{x.slug}/'\n" for x in menu]
    described = [f"title = {_quoted(content.SITE_NAME)}\n", *entries]
    (folder / "site.toml").write_text("\n".join(described), encoding="utf-8")


def _markdown(page: content.Page, places: dict[str, str]) -> str:
    front = f"---\ntitle: {_quoted(page.title)}\nsummary: {_quoted(page.summary)}\n---\n"
    up = "../" if page.in_section else ""
    blocks = [_block(kind, value) for kind, value in page.blocks]
    body = re.sub(r"\(page:([^)]+)\)", lambda x: f"({up}{places[x[1]]}.md)", "\n\n".join(blocks))
    return f"{front}\n{body}\n"


def _block(kind: str, value: str) -> str:
    if kind == "heading":
        return f"## {value}"
    if kind == "quote":
        return f"> {value}"
    value = re.sub(r"</?b>", "**", value)
    value = re.sub(r'<a href="([^"]+)">(.*?)</a>', r"[\2](\1)", value)
    value = re.sub(r"<li>(.*?)</li>", r"- \1\n", value)
    value = re.sub(r"</?ul>|</p>", "\n\n", value).replace("<p>", "")
    return value.strip()


def _quoted(text: str) -> str:
    """Text in quotes, as YAML and TOML both have it."""
    return json.dumps(text, ensure_ascii=False)
