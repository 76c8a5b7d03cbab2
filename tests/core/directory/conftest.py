"""What the directory asks of its database, it could ask of SQL Server as well."""

from tests.tsql import fits_sql_server, seen

__all__ = ["fits_sql_server", "seen"]
