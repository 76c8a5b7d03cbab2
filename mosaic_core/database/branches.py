"""The branches that plugins add to a history, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mosaic_core.database.revisions import Revision, heads_of
from mosaic_core.errors import PluginInvalid

#: ``<plugin>_<number>``. No migration of the kernel's or the product's has such a name.
_NAME = re.compile(r"([a-z][a-z0-9_]*)_[0-9]{4}\Z")
#: Characters that a database keeps of one.
_LONGEST = 32


def plugin_of(revision: str) -> str | None:
    """The plugin that a migration is of; None for one of the kernel's or the product's."""
    found = _NAME.match(revision)
    return found[1] if found else None


def belongs_to(table: str, plugin: str) -> bool:
    """Whether a table has the name of one of a plugin's."""
    return table == plugin or table.startswith(f"{plugin}_")


def require_branch(plugin: str, folder: Path, history: Sequence[Revision]) -> None:
    """Raises unless a plugin's migrations are one branch, which nothing ties to others: so the
    plugin may come and go.

    Raises:
        PluginInvalid: naming what is wrong.
    """
    for fault in _faults(plugin, folder, history):
        raise PluginInvalid(
            f"The migrations of the plugin {plugin!r} are no branch of their own: {fault}.",
            hint="docs/migrations.md says what they are called, and what they may need.",
        )


def _faults(plugin: str, folder: Path, history: Sequence[Revision]) -> Iterator[str]:
    here = [one for one in history if one.path.parent == folder]
    if not here:
        yield f"there is none in {folder}"
    for one in here:
        if plugin_of(one.revision) != plugin or len(one.revision) > _LONGEST:
            yield f"{one.revision!r} is not called {plugin}_0001, in at most {_LONGEST} characters"
        if one.depends_on or len(one.down_revision) > 1:
            yield f"{one.revision!r} depends on others"
        if not one.down_revision and plugin not in one.branch_labels:
            yield f"{one.revision!r}, the first, has no branch_labels = ({plugin!r},)"
    names = {one.revision for one in here}
    if sum(not one.down_revision for one in here) > 1 or len(names & heads_of(history)) > 1:
        yield "there are several beginnings or ends"
