"""Pictures as a browser takes them: in the size of its window, without anything moving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.axe import violations
from tests.cms.pictures.files import photograph
from tests.processes import Deployment, chromium

#: Notes how far things move while a page loads, without the visitor's doing.
_WATCH = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) window.moved += shift.value;
}).observe({type: "layout-shift", buffered: true});
"""
_SHOWN = """() => [...document.images].map((image) => ({
  address: image.currentSrc, across: image.clientWidth, down: image.clientHeight,
  loading: image.loading, priority: image.fetchPriority, loaded: image.naturalWidth > 0,
}))"""


def write(folder: Path) -> None:
    """A page with a picture of its own and two in its text, the last far below."""
    folder.mkdir()
    (folder / "kiln.jpg").write_bytes(photograph("JPEG", 2000, 1500))
    (folder / "jug.png").write_bytes(photograph("PNG"))
    text = "The kiln is opened on the third day.\n\n" * 40
    (folder / "index.md").write_text(
        "---\ntitle: Kiln\nimage: kiln.jpg\nimage_alt: A kiln\n---\n\n"
        f"![A jug](jug.png)\n\n{text}![Another jug](jug.png) in a line.\n"
    )


def width_of(address: str) -> int:
    return int(address.rpartition("/")[2].partition(".")[0])


def test_a_browser_takes_what_its_window_needs(deployment: Deployment, serve: Any) -> None:
    from playwright.sync_api import sync_playwright

    browser_path = chromium()
    write(deployment.folder / "source")
    deployment.run("tenant", "create", "kiln", "--name", "Kiln")
    deployment.run("import", "markdown", "source", "--site", "kiln")
    running = serve(deployment)
    taken: dict[int, int] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for across, scale in ((1280, 1), (390, 2)):
            context = browser.new_context(
                viewport={"width": across, "height": 900}, device_scale_factor=scale
            )
            page = context.new_page()
            page.add_init_script(_WATCH)
            page.goto(f"http://kiln.localhost:{running.port}/", wait_until="load")
            below = page.locator("img").last
            below.scroll_into_view_if_needed()
            below.evaluate("(image) => image.decode()")
            first, second, last = page.evaluate(_SHOWN)
            assert (first["loading"], first["priority"]) == ("auto", "high")
            assert (second["loading"], last["loading"]) == ("lazy", "lazy")
            for image in (first, last):
                assert image["loaded"]
                seen = image["across"] * scale
                # The next on the ladder, or its largest; never more than twice what is seen.
                assert seen * 0.95 <= width_of(image["address"]) <= max(2 * seen, 480)
            assert first["address"].endswith((".avif", ".webp"))
            assert page.evaluate("() => window.moved") == 0
            assert violations(page) == []
            taken[across] = width_of(first["address"])
            context.close()
        browser.close()
    assert taken[390] < taken[1280]
