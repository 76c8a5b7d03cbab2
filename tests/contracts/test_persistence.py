"""Every persistence strategy that ships keeps the persistence contract."""

from mosaic_tenancy_sqlite.plugin import mosaic_persistence

from mosaic_core.testing.persistence import PersistenceContract


class TestSQLite(PersistenceContract):
    provider = mosaic_persistence()


class TestSQLiteWithHardlyAnyRoom(PersistenceContract):
    """Two open files and two sessions, so that they are closed and waited for all the time."""

    provider = mosaic_persistence()
    settings = {"max_open": 2, "max_sessions": 2}
