"""What a plugin's own tests import: contract suites, fakes, the isolation harness, fixtures.

A plugin proves that it keeps a contract by subclassing its suite::

    from mosaic_attic.plugin import mosaic_storage
    from mosaic_core.testing.storage import StorageContract

    class TestAttic(StorageContract):
        provider = mosaic_storage()

and running pytest. This package itself imports nothing, since its pytest plugin is loaded in every
pytest run of an environment that has MOSAIC.
"""
