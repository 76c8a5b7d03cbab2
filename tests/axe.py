"""axe-core on a page in a browser: what it finds in the way of people who do not see it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Where ``tools/setup browser`` puts it.
_SCRIPT = Path(__file__).parents[1] / ".cache/axe/node_modules/axe-core/axe.min.js"


def axe_script() -> str:
    """axe-core; without it the test is skipped, and fails in CI."""
    if not _SCRIPT.is_file():
        reason = "axe-core is not installed (tools/setup browser)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return _SCRIPT.read_text("utf-8")


def violations(page: Page) -> list[str]:
    """What axe-core finds, a line for each element. Scripts must be enabled.

    By all rules of WCAG 2.2 at levels A and AA and by its best practices: the size of what is
    clicked (2.5.8) is not looked at unless it is asked for.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe_script())
    found = page.evaluate(
        """() => axe.run(document, {
          resultTypes: ['violations'], preload: false, rules: {'target-size': {enabled: true}},
        })"""
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
