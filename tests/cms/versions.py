"""Versions of the deployment that differ in their themes: each has its mark in every template that
surrounds or shows a page, and in every style sheet."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mosaic_cms import theme_files, themes
from mosaic_cms.app import Application
from tests.cms.deployment import Deployment, opened, settings_for

SHIPPED = Path(themes.__file__).parent / "themes"
_MARK = re.compile(r"mark-(\w+)-(shell|body|sheet)")
_SHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
_PARTS = {"shell", "body", "sheet"}


def make_version(folder: Path, mark: str) -> Path:
    """The themes that ship, marked."""
    made = folder / f"themes-{mark}"
    shutil.copytree(SHIPPED, made)
    for theme in ("iznik", "folio", "harbour"):
        for template in (made / theme / "templates").glob("*.html"):
            part = "shell" if template.stem == "shell" else "body"
            text = template.read_text("utf-8")
            before, end, after = text.partition("</footer>" if part == "shell" else "</h1>")
            template.write_text(f"{before}<!--mark-{mark}-{part}-->{end}{after}", "utf-8")
        for sheet in (made / theme / "assets").glob("*.css"):
            sheet.write_text(f"/* mark-{mark}-sheet */ {sheet.read_text('utf-8')}", "utf-8")
    return made


def use(patch: pytest.MonkeyPatch, version: Path) -> None:
    """Every product that is opened from now on has these themes."""
    patch.setattr(themes, "_BUILT_IN", version)
    patch.setattr(theme_files, "_SHARED", version / "_shared")


@asynccontextmanager
async def opened_as(version: Path, root: Path) -> AsyncIterator[Deployment]:
    """A deployment as a process of a version opens it."""
    with pytest.MonkeyPatch.context() as patch:
        use(patch, version)
        context = opened(root)
        deployment = await context.__aenter__()
    try:
        yield deployment
    finally:
        await context.__aexit__(None, None, None)


@asynccontextmanager
async def serving(version: Path, root: Path) -> AsyncIterator[Deployment]:
    """A deployment as a server of a version serves it, with all that it does by itself."""
    application = Application(settings_for(root))
    with pytest.MonkeyPatch.context() as patch:
        use(patch, version)
        await application.start()
    try:
        assert application.product is not None
        assert application.site is not None
        deployment = Deployment(application.product, application.site)
        async with deployment.client:
            yield deployment
    finally:
        await application.stop()


async def seen(deployment: Deployment, path: str, host: str = "aurora.mosaic.test") -> str:
    """The mark of the version in which a visitor sees a page, which is whole: its shell, its body
    and each of its style sheets are of the same version."""
    answer = await deployment.get(path, host)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    text = answer.text
    sheets = _SHEET.findall(text)
    assert sheets
    for address in sheets:
        sheet = await deployment.get(address, host)
        assert sheet.status_code == 200, (path, address)
        assert sheet.headers["content-type"].startswith("text/css")
        text += sheet.text
    found = set(_MARK.findall(text))
    (mark,) = {mark for mark, _ in found}
    assert {part for _, part in found} == _PARTS, (path, found)
    return mark
