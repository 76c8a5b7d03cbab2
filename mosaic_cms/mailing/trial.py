"""The letter by which an operator finds out whether mail gets through."""

from __future__ import annotations

from mosaic_cms.mailing.letters import Letter
from mosaic_core.mail import one_line

_TEXT = """\
This is a test. Mail from {name} ({domain}) gets through.

Somebody who runs it asked for this mail with 'mosaic mail test'.
"""


def trial(to: str, name: str, domain: str) -> Letter:
    """To an address, from the platform of this name."""
    return Letter(to, one_line(f"A test of {name}"), _TEXT.format(name=name, domain=domain))
