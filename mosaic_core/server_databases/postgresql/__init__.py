"""Homes on PostgreSQL."""
