"""What migrations say of themselves, read without running them.

A server has to know at which revision the code is, and no more. Alembic could tell, but takes a
tenth of the time in which a server starts: with it come the dialects of all databases there are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from mosaic_core.errors import ConfigurationError

#: Of every error about a migration's words.
HINT = "docs/migrations.md says what a migration has to say of itself, and where."


@dataclass(frozen=True, slots=True)
class Revision:
    """A migration's own words, by the names that Alembic and :mod:`mosaic_core.database.migrations`
    have for them."""

    path: Path
    revision: str
    down_revision: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...]
    phase: str | None
    needs: str | None

    @classmethod
    def of(cls, path: Path, said: Mapping[str, Any]) -> Revision:
        """The migration in a file, by what is assigned there."""
        revision = said.get("revision")
        if not isinstance(revision, str):
            raise ConfigurationError(f"{path} does not say which revision it is.", hint=HINT)
        return cls(
            path=path,
            revision=revision,
            down_revision=_names(said.get("down_revision")),
            depends_on=_names(said.get("depends_on")),
            branch_labels=_names(said.get("branch_labels")),
            phase=said.get("phase"),
            needs=said.get("needs"),
        )

    @property
    def after(self) -> tuple[str, ...]:
        """The migrations that it comes after."""
        return self.down_revision + self.depends_on

    @property
    def required(self) -> str | None:
        """The migration that code has to know to serve a database that has this one."""
        if self.phase == "expand":
            return None
        return self.revision if self.needs is None else self.needs


def read_revisions(folders: Iterable[Path]) -> tuple[Revision, ...]:
    """The migrations of some folders, each after those that it comes after.

    Raises:
        ConfigurationError: one does not say what it is, or they are no history.
    """
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    found: dict[str, Revision] = {}
    for file in files:
        if file.name != "__init__.py":
            one = Revision.of(file, _assigned(file))
            other = found.setdefault(one.revision, one)
            if other is not one:
                raise ConfigurationError(
                    f"{other.path} and {file} are both {one.revision!r}.", hint=HINT
                )
    for one in found.values():
        for name in one.after:
            if name not in found:
                raise ConfigurationError(
                    f"{one.path} comes after {name!r}, which there is not.", hint=HINT
                )
    order = TopologicalSorter({name: sorted(one.after) for name, one in found.items()})
    try:
        return tuple(found[name] for name in order.static_order())
    except CycleError as error:
        raise ConfigurationError(
            f"The migrations {', '.join(error.args[1])} come after each other.", hint=HINT
        ) from error


def heads_of(revisions: Iterable[Revision]) -> set[str]:
    """Those that no other is made upon."""
    known = tuple(revisions)
    return {one.revision for one in known} - {down for one in known for down in one.down_revision}


def _assigned(file: Path) -> Mapping[str, Any]:
    """The constants above the first function, which come first in every migration: to parse all of
    it takes ten times as long."""
    try:
        body = ast.parse(file.read_text("utf-8").partition("\ndef ")[0], str(file)).body
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.", hint=HINT) from error
    said: dict[str, Any] = {}
    for line in body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            said[name] = ast.literal_eval(value)
        except ValueError:
            continue  # a table, or another thing of the migration's own
    return said


def _names(said: Any) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said or ())
