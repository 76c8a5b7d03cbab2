"""Alembic, run for one database at a time.

A *history* is a set of migration folders with one or more heads: the kernel's, the product's, and
those of plugins that own tables, each a labelled branch. A database's *revision* is its heads,
comma-separated and sorted.

A plugin's migrations are named after it (``notes_0001``), since it may go: its part of a revision
is passed over by code that does not have the plugin, and its rows are left alone.

Each migration says which code may serve a database that has it, so that older code goes on while a
fleet is migrated (expand and contract; Sato, "ParallelChange", 2014)::

    phase = "expand"        # code that does not know this migration may
    phase = "contract"      # only code that knows ``needs`` may
    needs = "c0007"

Without a phase, only code that knows the migration itself may. A database remembers it, since older
code has no other way to know. After one that says ``renders = True``, what visitors see is made
anew.

Alembic is imported where it runs migrations; what a server has to know of them is read without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, MetaData, Table, delete, insert, inspect, select
from sqlalchemy.schema import CreateTable

from mosaic_core import types
from mosaic_core.database.branches import plugin_of, require_branch
from mosaic_core.database.revisions import HINT, Revision, heads_of, read_revisions
from mosaic_core.errors import ConfigurationError, DatabaseBehind, DatabaseNewer

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

_ENVIRONMENT = Path(__file__).parent
#: What is not named gets a name of this kind, in a migration as where a table is declared.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
#: Where Alembic keeps at which migrations a database is.
_VERSIONS = "alembic_version"
#: Alembic keeps the migration that it is at in its modules, so a process runs one at a time.
_ALEMBIC = threading.Lock()


class History:
    """A set of migrations for one kind of database.

    Args:
        schema: the symbolic schema that its tables are declared in, ``tenant`` or ``platform``.
        folders: where its revision files are.
        branches: the same of plugins, by their names; they run after the others.
    """

    def __init__(
        self, schema: str, folders: Sequence[Path], branches: Mapping[str, Path] | None = None
    ) -> None:
        self.schema = schema
        self.folders = tuple(folders)
        self.branches = dict(branches or {})
        #: Held around :meth:`upgrade` in an event loop, where two of them would take turns at
        #: waiting for their databases and get each other's.
        self.turn = asyncio.Lock()

    def share(self, history: History) -> None:
        """Knows the migrations of another, which are read once for both."""
        self._revisions, self.turn, self.branches = (
            history._revisions,
            history.turn,
            history.branches,
        )
        self.current, self.applied = history.current, history.applied

    @cached_property
    def _revisions(self) -> Sequence[Revision]:
        """Every migration, in the order in which they run."""
        found = read_revisions([*self.folders, *self.branches.values()])
        for plugin, folder in self.branches.items():
            require_branch(plugin, folder, found)
        return sorted(found, key=lambda one: plugin_of(one.revision) is not None)

    @cached_property
    def _script(self) -> ScriptDirectory:
        """The migrations themselves.

        Raises:
            ConfigurationError: one is not what was read of it.
        """
        from alembic.script import ScriptDirectory

        folders = [*self.folders, *self.branches.values()]
        script = ScriptDirectory(
            str(_ENVIRONMENT), version_locations=[str(folder) for folder in folders]
        )
        for one in self._revisions:
            module = script.get_revision(one.revision).module
            if Revision.of(one.path, vars(module)) != one:
                raise ConfigurationError(
                    f"{one.path} is something else when it runs than it says above its functions.",
                    hint=HINT,
                )
        return script

    @cached_property
    def current(self) -> str:
        """The revision that the code needs. A head that another migration depends on is implied."""
        implied = {name for one in self._revisions for name in one.depends_on}
        return ",".join(sorted(heads_of(self._revisions) - implied))

    @cached_property
    def applied(self) -> Mapping[str, bool]:
        """Every migration, in the order in which they run, and whether code has to know it to serve
        a database that has them all."""
        required = {one.required for one in self._revisions}
        return {one.revision: one.revision in required for one in self._revisions}

    def renders(self, revision: str) -> bool:
        """Whether what visitors see is made anew on the way from a revision to the current one."""
        heads = tuple(head for head in revision.split(",") if head in self.applied)
        steps: Any = self._script._upgrade_revs("heads", heads)  # type: ignore[arg-type]
        return any(getattr(step.revision.module, "renders", False) for step in steps)

    def read(self, connection: Connection) -> str:
        """The revision a database stands at; empty when it has none."""
        if not inspect(connection).has_table(_VERSIONS, self._actual_schema(connection)):
            return ""
        name: Column[str] = Column("version_num", types.Text(32))
        Table(_VERSIONS, MetaData(schema=self.schema), name)
        return ",".join(sorted(connection.scalars(select(name))))

    def own(self, revision: str) -> str:
        """A revision without the parts of plugins that this code does not have."""
        parts = filter(None, revision.split(","))
        return ",".join(sorted(part for part in parts if not self._is_strange(part)))

    def strangers(self, revision: str) -> list[str]:
        """The plugins that this code does not have, and whose tables are in a database."""
        parts = filter(None, revision.split(","))
        return sorted({part.rpartition("_")[0] for part in parts if self._is_strange(part)})

    def _is_strange(self, name: str) -> bool:
        plugin = plugin_of(name)
        return plugin is not None and plugin not in self.branches

    def require_whole(self, revision: str, subject: str) -> None:
        """Like :meth:`require_current`, and all that is in the database is known: what copies it
        would leave out what is not.

        Raises:
            DatabaseBehind, DatabaseNewer: as they say.
        """
        if plugins := self.strangers(revision):
            names = ", ".join(map(repr, plugins))
            raise DatabaseNewer(
                f"{subject} has tables of a plugin that is not selected: {names}.",
                hint="Select it in [platform] plugins: without it, its rows would be left out.",
            )
        self.require_current(revision, subject)

    def require_current(self, revision: str, subject: str) -> None:
        """Says what is wrong with a revision that is not the code's.

        Raises:
            DatabaseNewer: it names migrations that this code does not have.
            DatabaseBehind: this code has migrations that it lacks.
        """
        revision = self.own(revision)
        if revision == self.current:
            return
        strange = sorted(set(filter(None, revision.split(","))) - set(self.applied))
        if strange:
            raise DatabaseNewer(
                f"{subject} was made by a newer MOSAIC (revision {', '.join(strange)}).",
                hint="Install that version of MOSAIC and of its plugins, or restore a backup.",
            )
        raise DatabaseBehind(
            f"{subject} is at revision {revision or 'none'}; this MOSAIC needs {self.current}.",
            hint="Run 'mosaic migrate'.",
        )

    def require_servable(self, revision: str, applied: Mapping[str, bool], subject: str) -> None:
        """Like :meth:`require_current`, but a database may be ahead of the code, if all that it has
        and the code does not know is of the expand phase.

        Args:
            applied: what the database remembers of its migrations (:attr:`applied`).
        """
        strange = [
            required
            for name, required in applied.items()
            if name not in self.applied and not self._is_strange(name)
        ]
        if strange and not any(strange) and applied.keys() >= self.applied.keys():
            return
        self.require_current(revision, subject)

    def read_applied(self, connection: Connection) -> dict[str, bool]:
        """What a database remembers of its migrations; nothing before it does."""
        if not inspect(connection).has_table("migrations", self._actual_schema(connection)):
            return {}
        rows = connection.execute(self._migrations.select())
        return {row.revision: row.required for row in rows}

    @cached_property
    def _migrations(self) -> Table:
        return Table(
            "migrations",
            MetaData(schema=self.schema),
            Column("revision", types.Text(32), primary_key=True),
            Column("required", types.Boolean(), nullable=False),
        )

    def upgrade(self, connection: Connection, subject: str) -> str:
        """Brings a database to the current revision, in the connection's transaction.

        Raises:
            DatabaseNewer: it was made by newer code; it is left as it is.
        """
        revision = self.read(connection)
        if self.own(revision) == self.current:
            return self.current
        with contextlib.suppress(DatabaseBehind):
            self.require_current(revision, subject)
        self.run(connection)
        if inspect(connection).has_table("migrations", self._actual_schema(connection)):
            strange = {
                name: required
                for name, required in self.read_applied(connection).items()
                if self._is_strange(name)
            }
            applied = {**self.applied, **strange}
            rows = [{"revision": name, "required": needed} for name, needed in applied.items()]
            connection.execute(delete(self._migrations))
            connection.execute(insert(self._migrations), rows)
        return self.current

    def run(
        self,
        connection: Connection,
        ran: Callable[[Revision], None] | None = None,
        *,
        to: str = "heads",
    ) -> None:
        """Runs the migrations that a database lacks.

        Args:
            ran: told of each, after it ran.
            to: the revision that they lead to, if not the current one.
        """
        from alembic.config import Config
        from alembic.runtime.environment import EnvironmentContext

        script, known = self._script, {one.revision: one for one in self._revisions}
        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT))

        def steps(heads: tuple[str, ...], context: MigrationContext) -> object:
            own: Any = tuple(head for head in heads if not self._is_strange(head))
            wanted: Any = tuple(to.split(","))
            found: Any = script._upgrade_revs(wanted, own)
            return sorted(found, key=lambda step: plugin_of(step.revision.revision) is not None)

        def applied(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
            if ran is not None:
                ran(known[step.up_revision_id])

        with _ALEMBIC, EnvironmentContext(config, script, fn=steps) as environment:
            environment.configure(
                connection=connection,
                target_metadata=MetaData(naming_convention=NAMES),
                version_table_schema=self._actual_schema(connection),
                transactional_ddl=True,
                on_version_apply=applied,
            )
            self._adapt(environment.get_context(), connection)
            environment.run_migrations()

    def _adapt(self, context: MigrationContext, connection: Connection) -> None:
        """Has what Alembic executes fit the database: its ALTER statements are its own and know
        nothing of schemas translated, and SQL Server makes some tables in another way."""
        from alembic.ddl.base import AlterTable

        execute = context.impl._exec
        actual = self._actual_schema(connection)

        def adapted(construct: Any, *args: Any, **options: Any) -> Any:
            if isinstance(construct, AlterTable) and construct.schema == self.schema:
                construct.schema = actual
            elif isinstance(construct, CreateTable) and connection.dialect.name == "mssql":
                from mosaic_core.database.mssql import fit  # no other needs it

                fit(construct.element)
            return execute(construct, *args, **options)

        context.impl._exec = adapted  # type: ignore[method-assign]

    def _actual_schema(self, connection: Connection) -> str | None:
        """Where the tables really are; Alembic inspects its own table without the translation."""
        if connection.dialect.name == "sqlite":
            return None
        translation = connection.get_execution_options()["schema_translate_map"]
        actual: str | None = translation[self.schema]
        return actual
