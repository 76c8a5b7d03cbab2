"""Says on stderr how far a run has come."""

from __future__ import annotations

import sys
import time


def tell(text: str) -> None:
    """One line, with the time of day: a whole run takes minutes."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()
