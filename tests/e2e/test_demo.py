"""The demo, as a visitor with a browser finds it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.processes import Running

#: The first one makes the demo.
pytestmark = pytest.mark.timeout(600)
SITES = ("aurora", "nightshift", "wheatsheaf")
RESULTS = Path(__file__).parents[2] / "test-results"


def crawl(demo: Running, site: str) -> dict[str, httpx.Response]:
    """Every address of a site that its pages lead to."""
    host = f"{site}.localhost:{demo.port}"
    seen: dict[str, httpx.Response] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = demo.get(host, path)
        if "text/html" not in seen[path].headers["content-type"]:
            continue
        for found in re.findall(r'(?:href|src)="([^"]+)"', seen[path].text):
            target = urlsplit(urljoin(f"http://{host}{path}", found))
            if target.netloc == host and target.path not in seen:
                waiting.append(target.path)
    return seen


@pytest.mark.parametrize("site", SITES)
def test_every_link_and_picture_of_a_site_leads_somewhere(demo: Running, site: str) -> None:
    seen = crawl(demo, site)
    broken = {
        path: answer.status_code for path, answer in seen.items() if answer.status_code != 200
    }
    assert broken == {}
    shown = [path for path in seen if "text/html" in seen[path].headers["content-type"]]
    made = ("/search/", "/tags/", "/categories/", "/authors/", "/archive/")
    pages = [path for path in shown if not path.startswith(made)]
    assert len(pages) >= 28, "some thirty pages"
    for path in pages:
        text = seen[path].text
        assert text.count("<h1") == 1, path
        assert '<meta name="description"' in text, path
        assert "Powered by" in text, "the free tier's branding"
        others = [other for other in SITES if other != site]
        assert not any(f"{other}.localhost" in text for other in others)


@pytest.mark.parametrize("site", SITES)
def test_each_tenant_has_a_file_of_its_own(demo: Running, site: str) -> None:
    answer = demo.get(f"{site}.localhost")
    tenant = re.search(r"tenant-([0-9a-f]{32})", answer.headers["surrogate-key"])
    assert tenant is not None
    others = {
        demo.get(f"{other}.localhost").headers["surrogate-key"].split()[0]
        for other in SITES
        if other != site
    }
    assert f"tenant-{tenant.group(1)}" not in others


def test_drafts_are_not_served(demo: Running) -> None:
    for site, path in (
        ("aurora", "/exhibitions/white-nights/"),
        ("wheatsheaf", "/journal/christmas-orders/"),
    ):
        assert demo.get(f"{site}.localhost", path).status_code == 404


def test_old_addresses_lead_to_the_new_ones(demo: Running) -> None:
    answer = demo.get("nightshift.localhost", "/oncall")
    assert answer.status_code == 301
    assert answer.headers["location"] == "/on-call/"


@pytest.mark.parametrize("site", SITES)
def test_a_visitor_walks_through_a_site_without_a_fault(
    demo: Running, browser: Any, site: str
) -> None:
    faults: list[str] = []
    home = f"http://{site}.localhost:{demo.port}/"
    RESULTS.mkdir(exist_ok=True)
    for width, scheme in ((1280, "light"), (390, "dark")):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=False,
        )
        context.set_default_timeout(120_000)  # milliseconds: others use the machine too
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.on(
            "request",
            lambda request: (
                None
                if urlsplit(request.url).hostname == f"{site}.localhost"
                else faults.append(f"a request to {request.url}")
            ),
        )
        page.goto(home, wait_until="networkidle")
        page.screenshot(path=RESULTS / f"{site}-{width}-{scheme}.png")
        menu = page.locator("nav.menu a")
        targets = [link.get_attribute("href") for link in menu.all()]
        assert len(targets) >= 4
        for target in targets:
            assert target is not None
            answer = page.goto(urljoin(home, target), wait_until="load")
            assert answer is not None
            assert answer.ok
            assert page.locator("h1").count() == 1
            current = page.locator("nav.menu a[aria-current]")
            assert current.get_attribute("href") == target
            body = page.locator("body").bounding_box()
            assert body is not None
            assert body["width"] <= width, f"{target} scrolls sideways at {width} px"
        context.close()
    assert faults == []
