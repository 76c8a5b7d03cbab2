"""Tenants in SQLite files: what the strategies have in common that keep them in files.

A tenant's *home* is a file in a folder. Which folder, and what its files are called, is the
strategy's; how a home is made, read, written, searched, migrated and removed is here.
"""

from mosaic_core.file_databases.databases import FileDatabases, FileOptions
from mosaic_core.file_databases.naming import Names

__all__ = ["FileDatabases", "FileOptions", "Names"]
