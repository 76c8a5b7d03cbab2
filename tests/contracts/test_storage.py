"""Every storage that ships keeps the storage contract, and so does the fake."""

from mosaic_storage_local.plugin import mosaic_storage

from mosaic_core.testing.fakes import memory_storage
from mosaic_core.testing.storage import DurableStorageContract, StorageContract


class TestLocal(DurableStorageContract):
    provider = mosaic_storage()


class TestMemory(StorageContract):
    provider = memory_storage()
