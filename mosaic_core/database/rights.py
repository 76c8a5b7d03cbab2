"""Whether a user may write a database that is a file."""

from __future__ import annotations

import os
from pathlib import Path

from mosaic_core.problem import Problem


def unwritable(path: Path) -> list[Problem]:
    """The first of a database's files that this user may not write: itself, its log, or the lock
    beside it. Somebody else may have made it, such as an operator by a command.

    Nothing of files that are not there.
    """
    beside = (f"{path.name}-wal", f"{path.name}-shm", path.with_suffix(".lock").name)
    for file in (path, *(path.with_name(name) for name in beside)):
        if file.exists() and not os.access(file, os.W_OK):
            what = "this user may not write the file, so nothing can be saved"
            mend = "Give it to the user that serves, and run commands as that one, too."
            return [Problem(file.name, what, mend)]
    return []
