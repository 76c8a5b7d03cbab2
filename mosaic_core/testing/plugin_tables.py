"""The contract of a plugin's own tables, as tests. Subclass :class:`TablesContract`."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import create_engine

from mosaic_core.database import History, TenantTables
from mosaic_core.database.branches import belongs_to, plugin_of
from mosaic_core.database.compatibility import incompatibilities
from mosaic_core.platform import TENANT_MIGRATIONS
from mosaic_core.plugin_tables import table_faults
from mosaic_core.testing.declared import differences


class TablesContract:
    """What the tables of every plugin keep, so that a tenant can be migrated, moved, exported and
    imported with them, and go on without them."""

    #: The name under which the plugin is selected.
    plugin: ClassVar[str]
    #: What its hook returns.
    tables: ClassVar[TenantTables]

    def _history(self) -> History:
        return History("tenant", [TENANT_MIGRATIONS], {self.plugin: self.tables.migrations})

    def test_its_tables_keep_the_rules(self) -> None:
        assert list(table_faults(self.plugin, self.tables)) == []

    def test_its_migrations_are_a_branch_of_their_own(self) -> None:
        history = self._history()
        assert any(plugin_of(name) == self.plugin for name in history.applied)
        assert history.strangers(history.current) == []

    def test_its_migrations_lead_to_what_its_tables_declare(self) -> None:
        engine = create_engine(
            "sqlite://", execution_options={"schema_translate_map": {"tenant": None}}
        )
        with engine.connect() as connection:
            self._history().upgrade(connection, "a tenant's database")
            connection.commit()
            names = connection.exec_driver_sql("SELECT name FROM sqlite_schema").scalars()
            others = frozenset(name for name in names if not belongs_to(name, self.plugin))
        assert differences(self.tables.base.metadata, engine, others=others) == []
        engine.dispose()

    def test_older_code_goes_on_after_each_of_its_migrations(self) -> None:
        found = [fault.partition(" ") for fault in incompatibilities(self._history())]
        assert [fault for fault in found if plugin_of(fault[0]) == self.plugin] == []
