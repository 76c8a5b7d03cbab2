"""A deployment whose platform database is in a file, or on a server."""

from tests.cms.anywhere import deployments, place_of_many

__all__ = ["deployments", "place_of_many"]
