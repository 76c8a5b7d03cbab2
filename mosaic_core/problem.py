"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that `mosaic doctor` found: what is wrong, with what, and how to mend it."""

    subject: str
    what: str
    mend: str
