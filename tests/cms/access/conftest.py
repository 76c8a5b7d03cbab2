"""A deployment whose platform database is in a file, or on a server."""

from tests.cms.anywhere import deployments, place_of_many
from tests.tsql import fits_sql_server, seen

__all__ = ["deployments", "fits_sql_server", "place_of_many", "seen"]
