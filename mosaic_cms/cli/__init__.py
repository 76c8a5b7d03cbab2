"""The command line: one face of the actions, for the operator."""

from __future__ import annotations

import gc


def main() -> None:
    """The entry point of ``mosaic``."""
    # Before all is imported: hardly anything of it ever goes away.
    gc.set_threshold(500_000, 50, 50)
    from mosaic_cms.cli.commands import run

    run()
