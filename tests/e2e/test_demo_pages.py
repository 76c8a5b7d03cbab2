"""The demo's pages, as visitors find them who see badly, have a small screen or a slow line, or no
scripts."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from mosaic_cms.demo import sites_folder
from tests.axe import axe_script, violations
from tests.processes import Deployment, Running, free_port, stop, wait_for

#: Half a minute of work for each site, and making the demo first, on a machine that others use too.
pytestmark = pytest.mark.timeout(1200)
SITES = ("aurora", "nightshift", "wheatsheaf")
THEMES = ("folio", "harbour", "iznik")
#: What no page leads to: words that are found, and that are not; an address where nothing is.
ASKED = ("/search/?q=the+water", "/search/?q=zzyzx", "/nothing/here/")
LIGHT_WIDE, DARK_NARROW = ("light", 1280), ("dark", 320)
STATES = (LIGHT_WIDE, DARK_NARROW, ("dark", 1280), ("light", 320))
#: What a style sheet may tell apart.
_CLASSES = re.compile(r'\bclass="([^"]+)"|<(table|form|details|video|iframe|pre|dl|ol)\b')
_LINKS = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"|<loc>([^<]+)<')


Pages = dict[str, httpx.Response]


def explore(running: Running, site: str) -> Pages:
    """Every page of a site: those of its sitemap, those that they lead to, and those asked for."""
    host = f"{site}.localhost:{running.port}"
    asking = {"host": host, "accept-encoding": "gzip"}
    pages: Pages = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", headers=asking) as client:
        waiting = ["/", "/archive/", *ASKED]
        waiting += links(host, "/sitemap.xml", client.get("/sitemap.xml").text)
        while waiting:
            path = waiting.pop()
            if path not in pages:
                answer = client.get(path)
                if answer.headers["content-type"].startswith("text/html"):
                    pages[path] = answer
                    waiting += links(host, path, answer.text)
    return pages


@pytest.fixture(scope="session")
def explored(demo: Running) -> Callable[[str], Pages]:
    """The pages of a site of the demo, which is explored once."""
    return cache(partial(explore, demo))


def links(host: str, path: str, text: str) -> Iterator[str]:
    """The addresses on the same host that a page leads to."""
    for found in _LINKS.findall(text):
        target = urlsplit(urljoin(f"http://{host}{path}", html.unescape(found[0] or found[1])))
        if target.netloc == host and not target.path.startswith("/-/"):
            yield target.path + (f"?{target.query}" if target.query else "")


@pytest.mark.parametrize("site", SITES)
def test_every_page_is_light_and_needs_no_script_and_no_other_host(
    demo: Running, explored: Callable[[str], Pages], site: str
) -> None:
    host = f"{site}.localhost:{demo.port}"
    sheets: set[str] = set()
    for path, answer in explored(site).items():
        text = answer.text
        assert answer.status_code == (404 if path == "/nothing/here/" else 200), path
        assert answer.headers["content-encoding"] == "gzip", path
        assert answer.num_bytes_downloaded < 15_000, path
        scripts = re.findall(r"<script\b([^>]*)>", text)
        assert set(scripts) <= {' type="application/ld+json"'}, path
        assert re.findall(r"<[^>]+\son\w+=", text) == [], path
        assert "script-src" not in answer.headers["content-security-policy"], path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        loaded = re.findall(
            r'<(?:link|img|source|video|iframe)\b[^>]*?\b(?:src|href)="([^"]+)"', text
        )
        assert all(urlsplit(urljoin(f"http://{host}/", x)).netloc == host for x in loaded), path
        (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
        sheets.add(sheet)
    (sheet,) = sheets
    style = demo.get(host, sheet, accept_encoding="gzip")
    assert style.num_bytes_downloaded < 20_000
    assert len(gzip.compress(style.content, 6)) < 20_000
    assert "url(http" not in style.text
    assert "@import" not in style.text


@dataclass
class Walk:
    """One page of a browser that looks at many addresses; ``faults`` is what was wrong."""

    home: str
    page: Any
    faults: list[str] = field(default_factory=list)
    at: str = ""

    def __post_init__(self) -> None:
        host = urlsplit(self.home).netloc
        self.page.on("console", lambda message: self.fault("console", message.text))
        self.page.on("pageerror", lambda error: self.fault("error", error))
        self.page.on("requestfailed", self.not_loaded)
        self.page.on(
            "request",
            lambda request: (
                None if urlsplit(request.url).netloc == host else self.fault("asks", request.url)
            ),
        )

    def fault(self, *words: object) -> None:
        self.faults.append(" ".join(map(str, (self.at, *words))))

    def not_loaded(self, request: Any) -> None:
        # A window of another width takes another size of a picture, and gives up the first.
        if request.failure != "net::ERR_ABORTED":
            self.fault("not loaded", request.url, request.failure)

    def look_at(self, path: str, states: tuple[tuple[str, int], ...]) -> None:
        """Loads an address, and looks at it in every state without loading it again."""
        for number, (scheme, width) in enumerate(states):
            self.at = f"{path} ({scheme}, {width} px)"
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.set_viewport_size({"width": width, "height": 900})
            if number == 0:
                self.page.goto(urljoin(self.home, path))
            self.check()

    def check(self) -> None:
        across = self.page.evaluate("document.documentElement.scrollWidth")
        if across > self.page.viewport_size["width"]:
            self.fault("is", across, "px wide")
        for violation in violations(self.page):
            self.fault(violation)


def walk(browser: Any, demo: Running, site: str) -> Walk:
    context = browser.new_context(service_workers="block")
    context.set_default_timeout(120_000)  # milliseconds: others use the machine too
    context.add_init_script(axe_script())
    return Walk(f"http://{site}.localhost:{demo.port}/", context.new_page())


def some(pages: Pages) -> list[str]:
    """Addresses that together have everything that style sheets can tell apart, and those asked
    for; the campaign looks at all of them."""
    classes = {path: set(_CLASSES.findall(answer.text)) for path, answer in pages.items()}
    chosen, missing = list(ASKED), set().union(*classes.values())
    while missing:
        path = max(classes, key=lambda path: len(classes[path] & missing))
        missing -= classes[path]
        chosen.append(path)
    return list(dict.fromkeys(chosen))


@pytest.mark.parametrize("site", SITES)
def test_nothing_on_a_page_keeps_anybody_out(
    browser: Any, demo: Running, explored: Callable[[str], Pages], site: str
) -> None:
    looking = walk(browser, demo, site)
    pages = some(explored(site))
    assert len(pages) > 8
    for path in pages:
        looking.look_at(path, (LIGHT_WIDE, DARK_NARROW))
    missing = [fault for fault in looking.faults if "/nothing/here/" in fault and "404" in fault]
    assert [fault for fault in looking.faults if fault not in missing] == []
    assert len(missing) == 1, "the browser's own word that the page is not there"


def test_a_form_that_is_shown_again_keeps_nobody_out(
    browser: Any, demo: Running, explored: Callable[[str], Pages]
) -> None:
    seen = {site: explored(site) for site in SITES}
    forms = [
        (site, path)
        for site, pages in seen.items()
        for path, answer in pages.items()
        if 'name="_form"' in answer.text
    ]
    assert forms
    for site, path in forms:
        looking = walk(browser, demo, site)
        looking.look_at(path, (LIGHT_WIDE,))
        looking.page.evaluate("for (const form of document.forms) form.noValidate = true")
        looking.page.locator(".block-form button[type=submit]").click()
        looking.at = f"{path}, shown again"
        assert looking.page.locator(".field-error").first.is_visible()
        for scheme, width in STATES:
            looking.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            looking.page.set_viewport_size({"width": width, "height": 900})
            looking.check()
        told = [fault for fault in looking.faults if "status of 422" in fault]
        assert [fault for fault in looking.faults if fault not in told] == []


@pytest.fixture(params=THEMES)
def dressed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """The demo with every site in one theme."""
    data = str(tmp_path / "data")
    port = free_port()
    root = str(sites_folder() / "demo")
    deployment = Deployment(tmp_path, {"MOSAIC_PLATFORM__DATA": data})
    process = deployment.start("demo", "--port", str(port), "--data", data)
    running = wait_for(process, port, seconds=300)
    for site in SITES:
        deployment.run("-c", root, "site", "set", "--site", site, "--theme", request.param)
        deployment.run("-c", root, "render", "--site", site)
    yield running
    stop(process)


@pytest.mark.campaign
@pytest.mark.parametrize("site", SITES)
def test_no_page_in_any_theme_keeps_anybody_out(browser: Any, dressed: Running, site: str) -> None:
    looking = walk(browser, dressed, site)
    for path in explore(dressed, site):
        looking.look_at(path, STATES)
    assert [fault for fault in looking.faults if "/nothing/here/" not in fault] == []
