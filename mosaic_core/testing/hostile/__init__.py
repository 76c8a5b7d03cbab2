"""What somebody sends who means no good: names, and files. For the tests of whatever takes them.

A plugin's tests go through :data:`HOSTILE_FILES`::

    @pytest.mark.parametrize("file", HOSTILE_FILES, ids=str)
    def test_it_is_refused_or_harmless(file: HostileFile) -> None: ...
"""

from __future__ import annotations

from mosaic_core.testing.hostile.files import HOSTILE_FILES, HostileFile
from mosaic_core.testing.hostile.keys import HOSTILE_KEYS

__all__ = ["HOSTILE_FILES", "HOSTILE_KEYS", "HostileFile"]
